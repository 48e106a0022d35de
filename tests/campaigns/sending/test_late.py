"""A message of use for some hours: the hours run on in a pause, and whoever resumes decides."""

from datetime import timedelta

import pytest

from campaigns.manners import rules
from campaigns.messaging import delivery
from campaigns.models import Message, Run
from campaigns.sending import holds, late, runs
from marketing.core import auth
from marketing.core.errors import Conflict, Invalid
from tests import factories
from tests.campaigns.conftest import campaign, people, started, states

pytestmark = pytest.mark.django_db


def overslept(*, hours: int = 4, longer: int = 0, number: int = 3) -> Run:
    """A campaign that was of use for some hours, paused for five of which the last is now."""
    people(number)
    of = campaign()
    of.useful_hours = hours
    of.save()
    run = started(of)
    then = factories.now() - timedelta(hours=5)
    Message.objects.filter(run=run).update(expires_at=then + timedelta(hours=hours))
    for message in Message.objects.filter(run=run).order_by("pk")[:longer]:
        message.expires_at = factories.now() + timedelta(hours=1)
        message.save()
    runs.pause(campaign_id=of.pk, user=None, now=then)
    run.refresh_from_db()
    return run


def moments(run: Run) -> set:
    return set(run.messages.values_list("expires_at", flat=True))


def test_a_resume_that_would_come_too_late_for_somebody_is_asked_about_first(postbox) -> None:
    run = overslept(longer=1)
    before = moments(run)
    with pytest.raises(Conflict, match="For 2 people the message would come too late") as refused:
        runs.resume(campaign_id=run.campaign_id, user=None, now=factories.now())
    assert (refused.value.code, refused.value.field) == ("too_late", "late")
    run.refresh_from_db()
    assert (run.state, moments(run)) == ("paused", before)


def test_the_time_of_the_pause_can_be_given_back_and_everybody_gets_it(postbox) -> None:
    run = overslept()
    runs.resume(campaign_id=run.campaign_id, user=None, now=factories.now(), too_late="extend")
    assert moments(run).pop() > factories.now() + timedelta(hours=3, minutes=50)
    delivery.deliver(run_id=run.pk)
    assert states(run) == {"sent": 3}
    assert set(postbox.copies.values()) == {1}


def test_without_them_it_goes_on_for_the_rest_and_says_why_they_got_nothing(postbox) -> None:
    run = overslept(longer=1)
    runs.resume(campaign_id=run.campaign_id, user=None, now=factories.now(), too_late="drop")
    delivery.deliver(run_id=run.pk)
    assert states(run) == {"sent": 1, "skipped": 2}
    assert runs.progress(run_id=run.pk).reasons == {"skipped": {"too_late": 2}}


def test_a_pause_that_made_nobody_late_asks_nothing(postbox) -> None:
    run = overslept(hours=6)
    runs.resume(campaign_id=run.campaign_id, user=None, now=factories.now())
    delivery.deliver(run_id=run.pk)
    assert states(run) == {"sent": 3}


def test_whoever_was_too_late_before_the_pause_is_no_question_of_it(postbox) -> None:
    run = overslept()
    run.messages.update(expires_at=factories.now() - timedelta(hours=6))
    assert late.of(run=run, now=factories.now()).people == 0
    runs.resume(campaign_id=run.campaign_id, user=None, now=factories.now(), too_late="extend")
    delivery.deliver(run_id=run.pk)
    assert states(run) == {"skipped": 3}


def test_two_pauses_are_given_back_one_after_the_other() -> None:
    run = overslept()
    first, later = factories.now(), factories.now() + timedelta(hours=10)
    runs.resume(campaign_id=run.campaign_id, user=None, now=first, too_late="extend")
    runs.pause(campaign_id=run.campaign_id, user=None, now=first)
    run.refresh_from_db()
    assert late.of(run=run, now=later) == late.Lateness(3, 3, later - first)
    runs.resume(campaign_id=run.campaign_id, user=None, now=later, too_late="extend")
    run.refresh_from_db()
    assert late.of(run=run, now=later).people == 0


def test_a_choice_that_is_none_is_refused() -> None:
    run = overslept()
    with pytest.raises(Invalid):
        runs.resume(campaign_id=run.campaign_id, user=None, now=factories.now(), too_late="all")


def test_a_hold_that_ends_too_late_leaves_the_campaign_to_a_person() -> None:
    run = overslept()
    run.snapshot[runs.HELD] = True
    run.save()
    for _ in range(2):
        assert holds.settle(now=factories.now()) == ([], [])
    run.refresh_from_db()
    assert run.state == "paused"
    assert "3 people" in run.error


def test_a_useful_life_ends_without_any_rule_of_the_house_and_for_what_is_urgent(postbox) -> None:
    people(2)
    of = campaign()
    of.urgent = True
    of.save()
    run = started(of)
    one = Message.objects.filter(run=run).order_by("pk").first()
    Message.objects.filter(pk=one.pk).update(expires_at=factories.now() - timedelta(minutes=1))
    assert rules.current().none
    delivery.deliver(run_id=run.pk)
    assert states(run) == {"sent": 1, "skipped": 1}
    assert runs.progress(run_id=run.pk).reasons == {"skipped": {"too_late": 1}}


def test_a_mail_that_was_put_off_past_its_useful_life_is_not_sent(postbox) -> None:
    people(1)
    run = started()
    postbox.refuse["p0@example.com"] = "451 4.2.1 not now"
    delivery.deliver(run_id=run.pk)
    postbox.refuse.clear()
    past = factories.now() - timedelta(minutes=1)
    Message.objects.filter(run=run).update(next_try_at=past, expires_at=past)
    delivery.deliver(run_id=run.pk)
    assert states(run) == {"skipped": 1}


def test_the_page_says_for_how_many_it_would_be_too_late_and_offers_both_ways(client) -> None:
    run = overslept()
    client.force_login(factories.user("marketer"))
    shown = client.get(f"/campaigns/{run.campaign_id}/").content.decode()
    assert "For 3 people it would now come too late" in shown
    assert "Resume and give the pause back" in shown
    done = client.post(f"/campaigns/{run.campaign_id}/resume/", {"late": "extend"}, follow=True)
    assert "Going on with those who have not got it yet." in done.content.decode()
    run.refresh_from_db()
    assert run.state == "running"


def test_an_integrator_is_asked_the_same(client) -> None:
    run = overslept()
    _key, secret = auth.create_key(
        name="shop",
        scopes=["campaigns:read", "campaigns:write"],
        user=factories.user("integrator"),
    )
    ask = {"headers": {"authorization": f"Bearer {secret}"}, "content_type": "application/json"}
    path = f"/api/v1/campaigns/{run.campaign_id}/"
    assert client.get(path, **ask).json()["run"]["too_late"] == 3
    refused = client.post(f"{path}resume/", **ask)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "too_late")
    wrong = client.post(f"{path}resume/", {"late": ["drop"]}, **ask)
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (422, "bad_choice")
    assert client.post(f"{path}resume/", {"late": "drop"}, **ask).status_code == 202

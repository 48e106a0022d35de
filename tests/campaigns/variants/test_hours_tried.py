"""Hours of the day tried beside each other: by people's own clocks, each with as long to answer."""

import random
from collections import Counter
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from campaigns import drafts
from campaigns.experiments.winners import Arm
from campaigns.manners import rules, tried
from campaigns.models import Choice, Message, Run, Trial, Variant
from campaigns.reporting import costs, readings, settled, tallies, variants
from campaigns.review import approval
from campaigns.sending import runs
from campaigns.variants import contextual, rounds, trials
from ingestion.models import Customer
from marketing.core import auth
from marketing.core.errors import Invalid
from models_ml.models import Traits
from tests import factories
from tests.campaigns.conftest import campaign, people
from tests.campaigns.journeys.drawn import did

NOW = factories.NOW  # nine o'clock in London
TWO = ({"name": "Morning", "hour": 9}, {"name": "Evening", "hour": "18"})
BANDIT = {"mode": "bandit", "first_percent": 50, "hours": 72, "rounds": 2, "floor_percent": 10}


def after(hours: float) -> datetime:
    return NOW + timedelta(hours=hours)


def begun(chosen=TWO, **values) -> Run:
    """A campaign whose variants go out at different hours, begun at NOW."""
    of = campaign()
    trials.save(campaign_id=of.pk, variants=chosen, values={**BANDIT, **values}, user=None, now=NOW)
    run = runs.start(campaign_id=of.pk, user=None, now=NOW)
    assert runs.fill(run_id=run.pk, now=NOW)
    run.refresh_from_db()
    return run


def send_due(run: Run, at: datetime, **rates: float) -> None:
    """Send what is due; so large a part of each variant clicks an hour after."""
    draw, clicked = random.Random(3), []
    due = run.messages.filter(state="queued", next_try_at__lte=at)
    for pk, variant, meant in due.values_list("pk", "variant", "next_try_at"):
        hour = meant + timedelta(hours=1) if draw.random() < rates.get(variant, 0) else None
        clicked.append(Message(pk=pk, sent_at=meant, first_try_at=meant, clicked_at=hour))
    for message in clicked:
        message.state, message.next_try_at = "sent", None
    Message.objects.bulk_update(
        clicked, ["state", "sent_at", "first_try_at", "clicked_at", "next_try_at"]
    )


@pytest.mark.django_db
def test_everybody_gets_it_at_the_hour_of_their_variant_on_one_day_of_their_clock():
    everyone = people(60)
    for n, zone in enumerate(("Asia/Tokyo", "America/New_York", "nowhere")):
        Customer.objects.filter(pk__in=[p.pk for p in everyone[20 * n : 20 * n + 20]]).update(
            timezone=zone
        )
    run = begun(mode="fixed")
    assert run.snapshot["at_hours"] == {"a": 9, "b": 18}
    zones = dict(Customer.objects.values_list("pk", "timezone"))
    due: dict[str, dict[str, set[datetime]]] = {}
    for who, variant, at in run.messages.values_list("customer_id", "variant", "next_try_at"):
        due.setdefault(zones[who], {}).setdefault(variant, set()).add(at)
    # In Tokyo it is 18:00 and the morning has passed, so both hours are tomorrow's.
    assert due["Asia/Tokyo"] == {"a": {after(15)}, "b": {after(24)}}
    assert due["America/New_York"] == {"a": {after(5)}, "b": {after(14)}}
    assert due["nowhere"] == {"a": {NOW}, "b": {after(9)}}


@given(
    st.integers(0, 80_000).map(lambda n: datetime(2021, 1, 1, tzinfo=UTC) + timedelta(hours=n / 2)),
    st.sampled_from(["Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata",
                     "Pacific/Kiritimati", "America/St_Johns"]),
    st.lists(st.integers(0, 23), min_size=1, max_size=5),
)  # fmt: skip
def test_hours_lie_ahead_on_one_day_and_are_answered_before_the_next_round(moment, zone, hours):
    place = ZoneInfo(zone)
    asked = {str(n): hour for n, hour in enumerate(hours)}
    found = tried.moments(asked, place, moment)
    assert len({at.astimezone(place).date() for at in found.values()}) == 1
    latest = moment + timedelta(hours=tried.LEAST_HOURS) - tried.ANSWER
    assert all(moment <= at < latest + timedelta(hours=1) for at in found.values())
    for key, at in found.items():
        shown = at.astimezone(place).time()
        skipped = (
            at.astimezone(place).utcoffset()
            != (at - timedelta(seconds=2)).astimezone(place).utcoffset()
        )
        assert shown == time(asked[key]) or skipped


@pytest.mark.django_db
def test_shares_follow_the_hour_that_is_answered_and_the_rest_waits_for_its_hour():
    people(900)
    run = begun()
    first = run.messages.filter(next_try_at__lt=after(48)).count()
    assert rounds.waiting(run=run) == 900 - first
    send_due(run, after(48), a=0.05, b=0.3)
    # Who clicks later than a day after is no longer counted, in any of the hours.
    late = run.messages.filter(state="sent", variant="a", clicked_at=None)[:200]
    Message.objects.filter(pk__in=late.values("pk")).update(clicked_at=after(70))
    assert not rounds.turn(run_id=run.pk, now=after(71))
    assert rounds.turn(run_id=run.pk, now=after(72))
    held = run.rounds.get()
    counted = Counter(run.messages.filter(state="sent").values_list("variant", flat=True))
    assert {key: n for key, (n, _answers) in held.seen.items()} == dict(counted)
    assert held.seen["a"][1] < 60
    assert held.shares == pytest.approx({"a": 0.1, "b": 0.9}, abs=1e-3)
    released = run.messages.filter(state="queued", next_try_at__lt=after(120))
    assert released.count() == held.people
    assert dict(released.values_list("variant", "next_try_at").distinct()) == {
        "a": after(72), "b": after(81),
    }  # fmt: skip
    assert rounds.waiting(run=run) == 900 - first - held.people
    send_due(run, after(100), a=0.05, b=0.3)
    assert rounds.turn(run_id=run.pk, now=after(144))
    assert sum(n for n, _answers in run.rounds.get(number=2).seen.values()) == first + held.people
    assert rounds.waiting(run=run) == 0


@pytest.mark.django_db
def test_a_winning_hour_gets_everybody_once_each_had_as_long_to_answer():
    people(700)
    run = begun(mode="winner", win_percent=95)
    send_due(run, after(0), a=0.4)  # the morning is answered; the evening is still to come
    assert not rounds.turn(run_id=run.pk, now=after(30))
    send_due(run, after(48), b=0.05)
    assert rounds.turn(run_id=run.pk, now=after(34))
    held = run.rounds.get()
    assert (held.reason, held.shares) == ("won", {"a": 1.0, "b": 0.0})
    assert set(run.messages.filter(state="queued").values_list("variant", "next_try_at")) == {
        ("a", after(48))
    }
    assert rounds.waiting(run=run) == 0


@pytest.mark.django_db
def test_without_a_round_everybody_gets_their_own_hour_a_day_late():
    people(200)
    run = begun(mode="winner")
    waits = run.messages.filter(next_try_at__gt=after(48))
    assert set(waits.values_list("variant", "next_try_at")) == {
        ("a", after(96)), ("b", after(105)),
    }  # fmt: skip


@pytest.mark.django_db
def test_hours_that_suit_each_person_are_chosen_with_their_chances_and_valued_beforehand():
    everyone = people(1_200)
    Traits.objects.bulk_create(
        Traits(customer=person, as_of=NOW, orders=12 if i % 2 else 1,
               revenue=900.0 if i % 2 else 20.0, recency_days=10.0, tenure_days=400.0)
        for i, person in enumerate(everyone)
    )  # fmt: skip
    run = begun(mode="person", first_percent=50, rounds=1, floor_percent=5)
    loyal = set(Traits.objects.filter(orders=12).values_list("customer_id", flat=True))
    send_due(run, after(48))
    draw = random.Random(1)
    sent = run.messages.filter(state="sent").order_by("customer_id")
    for pk, who, variant, at in sent.values_list("pk", "customer_id", "variant", "sent_at"):
        if draw.random() < (0.4 if (variant == "b") == (who in loyal) else 0.1):
            Message.objects.filter(pk=pk).update(clicked_at=at + timedelta(hours=3))
    assert rounds.turn(run_id=run.pk, now=after(72), chooser=contextual.release)
    held = run.rounds.get()
    assert held.reason == "suited"
    # By inverse chances, on answers of one day: what the best choice for each would have earned.
    assert held.policies["suited"]["low"] <= 0.385 <= held.policies["suited"]["high"]
    assert held.policies["all a"]["low"] <= 0.25 <= held.policies["all a"]["high"]
    released = run.messages.filter(state="queued")
    right = [
        (v == "b") == (who in loyal) for who, v in released.values_list("customer_id", "variant")
    ]
    assert sum(right) / len(right) > 0.88
    assert set(released.values_list("variant", "next_try_at")) == {
        ("a", after(72)), ("b", after(81)),
    }  # fmt: skip
    given = dict(Choice.objects.values_list("customer_id", "variant"))
    assert given == dict(released.values_list("customer_id", "variant"))
    chances = Choice.objects.values_list("chance", flat=True)
    assert min(chances) >= 0.05 - 1e-9


@pytest.mark.django_db
@pytest.mark.parametrize("metric", ["opened", "ordered", "goal"])
def test_any_answer_counts_within_a_day_of_the_message(metric):
    everyone = people(4)
    run = begun(
        chosen=({"hour": 9}, {"hour": 10}), mode="fixed", metric=metric.replace("goal", "ordered")
    )
    run.messages.update(state="sent", sent_at=NOW, variant="a")
    for n, hours in enumerate((-1, 2, 23, 25)):
        at = after(hours)
        if metric == "opened":
            run.messages.filter(customer=everyone[n]).update(opened_at=at)
        elif metric == "ordered":
            factories.order(everyone[n], placed_at=at)
        else:
            run.snapshot["goal"] = "visit"
            did(everyone[n], "visit", at=at)
    found = settled.counts(
        run=run, metric=metric.replace("goal", "ordered"), before_round=1, now=after(24)
    )
    assert found == {"a": Arm(4, 2 if metric != "opened" else 3)}
    assert not settled.counts(run=run, metric="opened", before_round=1, now=after(23))


@pytest.mark.django_db
def test_what_was_released_and_waits_for_its_hour_counts_against_the_budget():
    people(300)
    of = campaign()
    costs.note(campaign_id=of.pk, kind="each", amount="1", text="", user=None, now=NOW)
    trials.save(
        campaign_id=of.pk, variants=TWO, values={**BANDIT, "budget": "200"}, user=None, now=NOW
    )
    run = runs.start(campaign_id=of.pk, user=None, now=NOW)
    runs.fill(run_id=run.pk, now=NOW)
    assert rounds.turn(run_id=run.pk, now=after(72))  # nothing was sent yet: senders stood still
    assert rounds.turn(run_id=run.pk, now=after(144))
    run.refresh_from_db()
    assert run.messages.filter(state="queued").count() == 200
    assert run.messages.filter(state="skipped", reason="budget").count() == 100


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("chosen", "values", "code"),
    [
        (({"hour": 24}, {}), {}, "bad_hour"),
        (({"hour": -1}, {}), {}, "bad_hour"),
        (({"hour": "x"}, {}), {}, "bad_hour"),
        (({"hour": True}, {}), {}, "bad_hour"),
        (({"hour": 9}, {}), {"hours": 4}, "too_soon"),
        (({"hour": 9}, {}), {"hours": 80}, "too_soon"),
        (({"hour": 9}, {}), {"mode": "winner", "hours": 48}, "too_soon"),
        (({"hour": 22}, {}), {}, "quiet_hour"),
    ],
)
def test_hours_that_cannot_be_compared_are_refused_and_nothing_is_kept(chosen, values, code):
    rules.save(caps=[], quiet={"email": ("21:00", "08:00")}, actor=None, now=NOW)
    of = campaign()
    with pytest.raises(Invalid) as no:
        trials.save(
            campaign_id=of.pk, variants=chosen, values={**BANDIT, **values}, user=None, now=NOW
        )
    assert no.value.code == code
    assert not Variant.objects.exists()
    of.urgent = True
    of.save()
    if code == "quiet_hour":
        trials.save(campaign_id=of.pk, variants=chosen, values=BANDIT, user=None, now=NOW)


@pytest.mark.django_db
def test_a_copy_tries_the_same_hours_and_another_hour_asks_for_approval_again():
    of = campaign()
    trials.save(campaign_id=of.pk, variants=TWO, values=BANDIT, user=None, now=NOW)
    copy = drafts.copy(campaign_id=of.pk, user=None, now=NOW)
    assert list(copy.variants.values_list("hour", flat=True)) == [9, 18]
    before = approval.digest(of)
    trials.save(
        campaign_id=of.pk, variants=({"hour": 9}, {"hour": 19}), values={}, user=None, now=NOW
    )
    of.refresh_from_db()
    assert approval.digest(of) != before


@pytest.mark.django_db
def test_hours_are_chosen_on_the_page_and_told_with_their_figures(client):
    people(400)
    client.force_login(factories.user("marketer"))
    of = campaign()
    url = reverse("campaigns:campaign-variants", args=[of.pk])
    form = {
        "mode": "bandit", "metric": "clicked", "first_percent": 50, "hours": 4, "rounds": 2,
        "win_percent": 95, "floor_percent": 5, "name": ["Early", "Late", ""],
        "template_id": ["", "", ""], "hour": ["8", "20", ""], "weight": ["1", "1", ""],
    }  # fmt: skip
    refused = client.post(url, form)
    assert refused.status_code == 422
    assert "rounds are whole days apart" in refused.content.decode()
    assert '<option value="20" selected>20:00</option>' in refused.content.decode()
    assert client.post(url, {**form, "hours": 72}).status_code == 302
    assert list(of.variants.values_list("hour", flat=True)) == [8, 20]
    assert '<option value="8" selected>08:00</option>' in client.get(url).content.decode()
    run = runs.start(campaign_id=of.pk, user=None, now=NOW)
    runs.fill(run_id=run.pk, now=NOW)
    send_due(run, after(48), a=0.1, b=0.5)
    page = client.get(reverse("campaigns:campaign-detail", args=[of.pk])).content.decode()
    assert "08:00" in page
    assert "20:00" in page
    read = readings.latest(run=run, now=after(48))
    early = variants.of_run(run=run, arms=read.arms, now=after(1))
    assert early is not None
    assert [row.wins for row in early.rows] == pytest.approx([0.5, 0.5])
    table = variants.of_run(run=run, arms=tallies.of_run(run=run, until=after(72)), now=after(72))
    assert table is not None
    assert table.rows[1].wins > 0.99
    _key, secret = auth.create_key(
        name="test", scopes=["campaigns:read"], user=factories.user("integrator")
    )
    body = client.get(
        f"/api/v1/campaigns/{of.pk}/effect/", headers={"Authorization": f"Bearer {secret}"}
    ).json()
    assert [row["hour"] for row in body["variants"]] == [8, 20]
    assert Trial.objects.get().hours == 72

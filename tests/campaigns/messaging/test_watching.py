"""A sending stops by itself while its provider is down or people complain, and says why."""

from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns.messaging import delivery, watching
from campaigns.models import Message, Pace
from campaigns.sending import runs
from tests import factories
from tests.campaigns.conftest import people, started, states

pytestmark = pytest.mark.django_db(transaction=True)


def minutes_pass(minutes: int) -> None:
    """What so many minutes of waiting would do."""
    for row in Pace.objects.filter(since__isnull=False):
        row.since -= timedelta(minutes=minutes)
        row.save(update_fields=["since"])
    Message.objects.filter(state="queued").update(next_try_at=None)


def test_a_provider_that_refuses_everything_for_minutes_pauses_the_campaign_and_fails_nobody(
    postbox,
):
    people(8)
    postbox.reply_to_data = "451 4.3.0 try later"
    run = started()
    delivery.deliver(run_id=run.pk)
    run.refresh_from_db()
    assert run.state == "running"
    minutes_pass(6)
    delivery.deliver(run_id=run.pk)
    run.refresh_from_db()
    assert run.state == run.campaign.state == "paused"
    assert "could not be handed to the provider" in run.error
    assert "451 4.3.0 try later" in run.error
    assert states(run) == {"queued": 8}
    postbox.reply_to_data = "250 2.0.0 taken"
    runs.resume(campaign_id=run.campaign_id, user=None, now=factories.now())
    minutes_pass(0)
    delivery.deliver(run_id=run.pk)
    assert states(run) == {"sent": 8}


def test_a_provider_that_cannot_be_reached_for_minutes_pauses_it_too(settings):
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    people(3)
    run = started()
    for _try in range(5):
        delivery.deliver(run_id=run.pk)
        minutes_pass(1)
    run.refresh_from_db()
    assert run.state == "running"
    minutes_pass(1)
    delivery.deliver(run_id=run.pk)
    run.refresh_from_db()
    assert run.state == "paused"
    assert states(run) == {"queued": 3}


def test_answers_that_are_mostly_good_or_only_refusals_of_addresses_keep_a_channel_open():
    assert not watching.note(lane="email", good=10, bad=9)
    minutes_pass(6)
    assert not watching.note(lane="email", good=0, bad=0)
    assert not watching.note(lane="email", good=0, bad=20)
    minutes_pass(6)
    assert watching.note(lane="email", good=0, bad=1)
    assert watching.note(lane="email", good=0, bad=1)
    assert not watching.note(lane="email", good=1, bad=5)


def test_complaints_pause_a_campaign_and_after_a_resume_only_new_ones_count(postbox):
    people(40)
    run = started()
    Message.objects.filter(run=run).update(next_try_at=timezone.now() + timedelta(hours=1))
    first = list(Message.objects.filter(run=run).values_list("pk", flat=True)[:30])
    Message.objects.filter(pk__in=first).update(next_try_at=None)
    delivery.deliver(run_id=run.pk)
    assert states(run) == {"sent": 30, "queued": 10}
    Message.objects.filter(pk__in=first[:4]).update(complained_at=factories.now())
    assert watching.complained(run) == 0
    Message.objects.filter(pk__in=first[:5]).update(complained_at=factories.now())
    Message.objects.filter(run=run, state="queued").update(next_try_at=None)
    delivery.deliver(run_id=run.pk, limit=2)
    run.refresh_from_db()
    assert run.state == "paused"
    assert "5 people called this mail spam" in run.error
    assert states(run) == {"sent": 32, "queued": 8}
    runs.resume(campaign_id=run.campaign_id, user=None, now=factories.now())
    delivery.deliver(run_id=run.pk)
    assert states(run) == {"sent": 40}


def test_few_complaints_among_many_mails_stop_nothing(postbox):
    people(1)
    run = started()
    (person,) = people(1, prefix="x")
    Message.objects.bulk_create(
        Message(
            run=run,
            customer=person,
            entry=n,
            state="sent",
            complained_at=factories.NOW if n < 6 else None,
        )
        for n in range(2_000)
    )
    assert watching.complained(run) == 0
    Message.objects.filter(run=run, entry=6).update(complained_at=factories.NOW)
    assert watching.complained(run) == 7

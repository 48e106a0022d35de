"""A pressed button becomes mails through a real queue and a real worker, also after a crash."""

import os
import signal

import pytest

from campaigns import tasks
from campaigns.messaging import delivery, sweeps
from campaigns.models import Message
from campaigns.sending import runs
from marketing.core import bus, strangers
from marketing.core.models import AuditEntry
from tests import factories
from tests.campaigns.conftest import campaign, people, states

pytestmark = pytest.mark.django_db(transaction=True)


def mail_settings(postbox) -> dict[str, str]:
    return {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(postbox.port)}


def test_a_start_reaches_everybody_by_a_worker_who_finds_tasks_of_another_version_first(
    postbox, start_worker, wait_for
):
    people(40)
    for _ in range(3):
        bus.nudge("campaigns.tasks.deliver_by_letter", run_id=7)
    bus.nudge("campaigns.tasks.sweep", version=9, whatever=1)  # known, with what only others know
    start_worker("fast", **mail_settings(postbox))
    run = runs.start(campaign_id=campaign().pk, user=None, now=factories.now())

    def finished() -> bool:
        run.refresh_from_db()
        return run.state == "finished"

    wait_for(finished, seconds=90)
    assert states(run) == {"sent": 40}
    assert set(postbox.copies.values()) == {1}
    wait_for(AuditEntry.objects.filter(action=strangers.ACTION).exists, seconds=90)
    noted = AuditEntry.objects.get(action=strangers.ACTION)  # once, however often it came
    assert noted.detail == {"task": "campaigns.tasks.deliver_by_letter", "asked": {"run_id": 7}}


@pytest.mark.faults
def test_a_killed_workers_campaign_goes_on_with_the_next_worker(postbox, start_worker, wait_for):
    people(200)
    postbox.pause_seconds = 0.01
    worker = start_worker("fast", **mail_settings(postbox))
    run = runs.start(campaign_id=campaign().pk, user=None, now=factories.now())
    wait_for(lambda: len(postbox.mails) >= 20)
    os.killpg(worker.pid, signal.SIGKILL)
    postbox.pause_seconds = 0.0
    Message.objects.filter(state="sending").update(lease_until=factories.NOW.replace(year=2020))
    start_worker("fast", **mail_settings(postbox))
    tasks.sweep()

    def finished() -> bool:
        run.refresh_from_db()
        return run.state == "finished"

    wait_for(finished)
    assert states(run) == {"sent": 200}
    assert len(postbox.copies) == 200
    assert sum(postbox.copies.values()) <= 200 + delivery.LINES  # one for each line that was cut


def test_a_lost_nudge_only_waits_for_the_sweep(postbox):
    people(3)
    run = runs.start(campaign_id=campaign().pk, user=None, now=factories.now())
    assert states(run) == {}
    assert sweeps.sweep() == {run.pk}
    tasks.deliver(run_id=run.pk)
    assert states(run) == {"sent": 3}


def test_a_due_campaign_is_started_by_the_clock(postbox):
    people(1)
    of = campaign()
    soon = factories.now()
    of.state, of.scheduled_at = "scheduled", soon
    of.save()
    tasks.start_due_runs()
    of.refresh_from_db()
    assert of.state == "running"

"""After a backup is brought back nothing is sent before somebody has decided."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from campaigns import tasks
from campaigns.messaging import delivery, gate
from campaigns.models import Campaign, Message, Pace, Run
from campaigns.sending import runs
from ingestion.privacy import confirmations
from tests import factories
from tests.campaigns.conftest import campaign, people, started, states

pytestmark = pytest.mark.django_db(transaction=True)


def brought_back(hours: int) -> None:
    """The database as it was so many hours ago, as far as the beat can tell."""
    row = Pace.objects.get(key=gate.KEY)
    Pace.objects.filter(key=gate.KEY).update(since=row.since - timedelta(hours=hours))


def said(*arguments: str) -> str:
    out = StringIO()
    call_command("sending", *arguments, stdout=out)
    return out.getvalue()


def test_beats_of_one_database_keep_sending_open_across_rests_and_restarts(postbox):
    people(2)
    run = started()
    assert gate.beat(now=factories.now())
    assert gate.beat(now=factories.now() + timedelta(days=3))
    assert gate.beat(now=factories.now())  # a clock that was set back is no backup
    assert gate.closed() is None
    assert delivery.deliver(run_id=run.pk).sent == 2
    assert said() == "Sending is open.\n"


def test_a_restored_backup_closes_sending_until_somebody_opens_it(postbox):
    people(3)
    run = started()
    later = Message.objects.order_by("pk").last()
    Message.objects.filter(pk=later.pk).update(next_try_at=factories.now() + timedelta(minutes=30))
    assert gate.beat(now=factories.now())
    brought_back(hours=2)
    tasks.sweep()
    assert delivery.deliver(run_id=run.pk).sent == 0
    assert postbox.mails == []
    run.refresh_from_db()
    assert "brought back from an earlier moment" in run.error
    assert "3 messages wait that were due" in said()
    assert said("open") == "Sending goes on. 2 messages ended as not known.\n"
    assert states(run) == {"unknown": 2, "queued": 1}
    Message.objects.filter(state="queued").update(next_try_at=None)
    assert gate.beat(now=factories.now())
    assert delivery.deliver(run_id=run.pk).sent == 1
    assert set(Message.objects.filter(state="unknown").values_list("reason", flat=True)) == {
        "restored"
    }


def test_whoever_says_so_has_everything_sent_that_waits(postbox):
    people(2)
    run = started()
    assert gate.beat(now=factories.now())
    brought_back(hours=2)
    assert not gate.beat(now=factories.now())
    said("open", "--send-again")
    assert gate.beat(now=factories.now())
    assert delivery.deliver(run_id=run.pk).sent == 2


def test_what_was_about_to_begin_in_the_backup_waits_for_a_person():
    people(1)
    due, of = campaign(), campaign()
    runs.schedule(
        campaign_id=due.pk,
        at=factories.now() + timedelta(seconds=1),
        user=None,
        now=factories.now(),
    )
    run = runs.start(campaign_id=of.pk, user=None, now=factories.now())
    assert gate.beat(now=factories.now() + timedelta(hours=1))
    brought_back(hours=2)
    assert not gate.beat(now=factories.now())
    gate.open_again(send_again=False, now=factories.now())
    assert Campaign.objects.get(pk=due.pk).state == "draft"
    assert "brought back" in Campaign.objects.get(pk=due.pk).held_because
    assert Run.objects.get(pk=run.pk).state == Campaign.objects.get(pk=of.pk).state == "paused"


def test_a_new_database_beside_an_old_folder_is_open(postbox):
    assert gate.beat(now=factories.now())
    Pace.objects.all().delete()
    assert gate.beat(now=factories.now())
    people(1)
    started()
    Pace.objects.all().delete()
    assert not gate.beat(now=factories.now())  # with runs in it, it is a backup


def test_a_copy_sends_nothing_not_even_before_its_first_sweep_until_somebody_opens_it(postbox):
    people(2)
    run = started()
    assert gate.beat(now=factories.now())
    assert gate.closed() is None
    # What a dump carries: the mark of the database it was taken from.
    Pace.objects.filter(key=gate.KEY).update(mark="7391/16384/1")
    assert delivery.deliver(run_id=run.pk).sent == 0
    assert postbox.mails == []
    assert not gate.beat(now=factories.now())
    assert "brought back or copied" in said()
    assert said("open") == "Sending goes on. 2 messages ended as not known.\n"
    assert Pace.objects.get(key=gate.KEY).mark == gate.mark()
    assert gate.beat(now=factories.now())
    assert delivery.deliver(run_id=run.pk).sent == 0


def test_a_copy_asks_nobody_to_confirm_a_sign_up_again(postbox):
    people(1)
    started()
    gate.beat(now=factories.now())
    confirmations.ask(address="new@example.org", source="sign-up page", now=factories.now())
    Pace.objects.filter(key=gate.KEY).update(mark="7391/16384/1")
    tasks.send_confirmations()
    assert postbox.mails == []
    said("open")
    tasks.send_confirmations()
    assert [to for to, _mail in postbox.mails] == ["new@example.org"]


def test_a_copy_of_a_database_that_never_sent_is_open():
    assert gate.beat(now=factories.now())
    Pace.objects.filter(key=gate.KEY).update(mark="7391/16384/1")
    assert gate.beat(now=factories.now())
    assert Pace.objects.get(key=gate.KEY).mark == gate.mark()


def test_a_copy_for_trials_sends_nothing_and_cannot_be_opened(postbox, settings):
    people(1)
    run = started()
    settings.SENDING_HELD = True
    assert gate.beat(now=factories.now())
    assert delivery.deliver(run_id=run.pk).sent == 0
    run.refresh_from_db()
    assert "SENDING_HELD" in run.error
    assert "SENDING_HELD" in said()
    with pytest.raises(CommandError, match="take it away"):
        said("open")
    settings.SENDING_HELD = False
    assert delivery.deliver(run_id=run.pk).sent == 1

"""Sending beside races, deploys, locks and wrong clocks: everybody once, and a pause is a pause."""

import contextlib
import signal
import threading
import time
from collections import Counter
from datetime import timedelta

import psycopg2
import pytest
import time_machine
from django.db import connection

from campaigns.messaging import claims, delivery, marks, sweeps
from campaigns.messaging.pump import Pump
from campaigns.models import Message
from campaigns.sending import runs
from tests import factories
from tests.campaigns.conftest import campaign, people, started, states

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*works) -> None:
    """Run these side by side, each with a database connection of its own."""

    def alone(work) -> None:
        try:
            work()
        finally:
            connection.close()

    threads = [threading.Thread(target=alone, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def pumping(run, *, lines: int, limit: int):
    """A sender without the house's limit of senders a run."""

    def work() -> None:
        pump = Pump(run, lines=lines)
        try:
            while pump.step(limit) is not None:
                pass
        finally:
            pump.close()

    return work


@contextlib.contextmanager
def another_session():
    """A database session beside ours, as an analyst or a migration has one."""
    with contextlib.closing(psycopg2.connect(**connection.get_connection_params())) as line:
        yield line


def test_eight_racing_senders_write_to_nobody_twice(postbox):
    people(400)
    run = started()
    at_once(*[pumping(run, lines=2, limit=7)] * 8)
    assert states(run) == {"sent": 400}
    assert len(postbox.copies) == 400
    assert set(postbox.copies.values()) == {1}


def test_after_a_pause_each_line_sends_at_most_the_mail_it_holds(postbox):
    people(300)
    postbox.pause_seconds = 0.01
    run = started()
    pressed: list[float] = []

    def pause() -> None:
        while len(postbox.mails) < 40:
            time.sleep(0.005)
        runs.pause(campaign_id=run.campaign_id, user=None, now=factories.now())
        pressed.append(time.monotonic())
        time.sleep(2)

    at_once(*[pumping(run, lines=4, limit=100)] * 2, pause)
    after = [(at - pressed[0], line) for at, line in postbox.taken if at > pressed[0]]
    assert max(Counter(line for _at, line in after).values(), default=0) <= 1
    assert [at for at, _line in after if at > 2] == []
    counted = states(run)
    assert counted["sent"] == len(postbox.mails)
    assert counted["sent"] + counted["queued"] == 300
    runs.resume(campaign_id=run.campaign_id, user=None, now=factories.now())
    delivery.deliver(run_id=run.pk)
    assert states(run) == {"sent": 300}
    assert set(postbox.copies.values()) == {1}


@pytest.mark.faults
def test_a_worker_that_is_asked_to_end_sends_nothing_twice_and_its_rest_goes_out(
    postbox, start_worker, wait_for
):
    people(300)
    postbox.pause_seconds = 0.01
    mail = {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(postbox.port)}
    worker = start_worker("fast", **mail)
    run = runs.start(campaign_id=campaign().pk, user=None, now=factories.now())
    wait_for(lambda: len(postbox.mails) >= 20, seconds=90)
    worker.send_signal(signal.SIGTERM)
    worker.wait(60)
    assert states(run).get("sending", 0) == 0
    start_worker("fast", **mail)

    def finished() -> bool:
        for run_id in sweeps.sweep():
            delivery.deliver(run_id=run_id)
        run.refresh_from_db()
        return run.state == "finished"

    wait_for(finished, seconds=60)
    assert states(run) == {"sent": 300}
    assert set(postbox.copies.values()) == {1}


def test_a_long_look_at_the_tables_does_not_hold_up_sending(postbox):
    people(30)
    run = started()
    with another_session() as analyst, analyst.cursor() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SELECT count(*) FROM campaigns_message")
        delivery.deliver(run_id=run.pk)
        assert states(run) == {"sent": 30}


def test_a_table_that_is_locked_for_a_moment_only_delays_sending(postbox):
    people(30)
    run = started()

    def migrate() -> None:
        with another_session() as migration, migration.cursor() as cursor:
            cursor.execute("SET lock_timeout = '2s'")
            cursor.execute("ALTER TABLE campaigns_message ALTER COLUMN owner SET DEFAULT ''")
            time.sleep(0.5)
            migration.rollback()

    postbox.pause_seconds = 0.01
    at_once(migrate, pumping(run, lines=2, limit=10))
    assert states(run) == {"sent": 30}
    assert set(postbox.copies.values()) == {1}


@pytest.mark.parametrize("hours", [-1, 1, 24 * 366])
def test_a_sender_with_a_wrong_clock_neither_sends_early_nor_loses_its_lease(postbox, hours):
    everyone = people(3)
    run = started()
    later = Message.objects.get(customer=everyone[0])
    Message.objects.filter(pk=later.pk).update(next_try_at=factories.now() + timedelta(minutes=30))
    with time_machine.travel(factories.now() + timedelta(hours=hours), tick=True):
        assert sweeps.sweep() == {run.pk}
        delivery.deliver(run_id=run.pk)
    assert states(run) == {"sent": 2, "queued": 1}
    assert set(postbox.copies.values()) == {1}


def test_rows_that_somebody_holds_are_passed_over_and_sent_afterwards(postbox):

    people(20)
    run = started()
    ids = sorted(Message.objects.filter(run=run).values_list("pk", flat=True))
    with another_session() as other, other.cursor() as cursor:
        cursor.execute("SELECT 1 FROM campaigns_message WHERE id = ANY(%s) FOR UPDATE", [ids[:5]])
        delivery.deliver(run_id=run.pk, budget_seconds=2)
        assert states(run) == {"sent": 15, "queued": 5}  # what is locked is passed over
        other.rollback()
    delivery.deliver(run_id=run.pk)
    assert states(run) == {"sent": 20}
    assert set(postbox.copies.values()) == {1}


def test_many_copies_of_one_nudge_send_nothing_more(postbox):
    people(5)
    run = started()
    at_once(*[lambda: [delivery.deliver(run_id=run.pk) for _ in range(20)]] * 6)
    assert states(run) == {"sent": 5}
    assert set(postbox.copies.values()) == {1}


@pytest.mark.parametrize("held", [0, 1])
def test_marks_that_meet_somebody_in_a_ring_are_written_all_the_same(postbox, held):
    """Two messages are marked together, while somebody who holds one of them asks for the other."""
    people(2)
    run = started()
    ours = claims.claim(run_id=run.pk, owner="us", limit=2)
    ids = [message.id for message in ours]
    waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid = ANY(%s)"
    lock = "SELECT 1 FROM campaigns_message WHERE id = %s FOR UPDATE"
    sessions: list[int] = []
    marked = {}

    def mark() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            sessions.append(cursor.fetchone()[0])
        done = [marks.Outcome(m.id, m.fence, "sent", "", "", "News", 0.0) for m in ours]
        marked.update(marks.mark(done))

    with another_session() as other, other.cursor() as cursor:
        cursor.execute(lock, [ids[held]])
        sender = threading.Thread(target=at_once, args=(mark,))
        sender.start()
        with another_session() as watcher, watcher.cursor() as look:
            watcher.autocommit = True
            while not sessions or look.execute(waiting, [sessions]) or not look.fetchone():
                time.sleep(0.01)
        # Whoever waited first is ended first: the sender, where this closes a ring.
        cursor.execute(lock, [ids[1 - held]])
        other.rollback()
        sender.join()
    assert set(marked) == set(ids)
    assert states(run) == {"sent": 2}

"""Each slot of periodic work starts once, however many clocks run or restart."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.db import connection

from marketing.core import beats, bus, schedule
from marketing.core.models import Slot, WorkerBeat

NOON = datetime(2011, 12, 9, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def nudges(monkeypatch) -> list[tuple[str, str]]:
    sent: list[tuple[str, str]] = []
    monkeypatch.setattr(
        bus, "nudge", lambda task, queue=None, expires=None, **ids: sent.append((task, queue))
    )
    return sent


@pytest.mark.django_db
def test_everything_on_the_pipeline_page_and_a_canary_per_queue_start_in_their_slot(nudges):
    schedule.tick(now=NOON)

    assert sorted(nudges) == sorted(
        [(task, queue) for task, (_seconds, queue) in settings.PIPELINE.EVERY.items()]
        + [(schedule.CANARY, queue) for queue in settings.PIPELINE.QUEUES]
    )


@pytest.mark.django_db
def test_a_second_tick_in_the_same_slot_starts_nothing(nudges):
    schedule.tick(now=NOON)
    nudges.clear()

    assert schedule.tick(now=NOON + timedelta(seconds=0.9)) == []
    assert nudges == []


@pytest.mark.django_db
def test_after_an_outage_one_slot_is_made_up_for_and_not_the_missed_ones(nudges):
    schedule.tick(now=NOON)
    nudges.clear()

    schedule.tick(now=NOON + timedelta(hours=2))

    assert len(nudges) == len(set(nudges)) > 0


@pytest.mark.django_db(transaction=True)
def test_three_clocks_at_once_start_each_slot_once(nudges):
    barrier = threading.Barrier(3)
    moments = [NOON + timedelta(seconds=second) for second in range(30)]

    def keep_time() -> None:
        try:
            for moment in moments:
                barrier.wait(timeout=10)
                schedule.tick(now=moment)
        finally:
            connection.close()

    clocks = [threading.Thread(target=keep_time) for _ in range(3)]
    for clock in clocks:
        clock.start()
    for clock in clocks:
        clock.join()

    expected = sum(
        len({int(moment.timestamp() // seconds) for moment in moments})
        for seconds, _queue in settings.PIPELINE.EVERY.values()
    ) + len(settings.PIPELINE.QUEUES) * len(
        {int(moment.timestamp() // beats.CANARY_SECONDS) for moment in moments}
    )
    assert len(nudges) == expected
    assert Slot.objects.count() == expected


@pytest.mark.django_db(transaction=True)
def test_only_one_clock_leads_and_another_takes_over_when_it_dies():
    leader = schedule.Leader()
    assert leader.leads() is True
    others: list[bool] = []

    def ask() -> None:
        others.append(schedule.Leader().leads())
        connection.close()

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    connection.close()
    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()

    assert others == [False, True]


@pytest.mark.django_db
def test_old_slots_are_forgotten(nudges):
    schedule.tick(now=NOON)
    count = Slot.objects.count()

    assert schedule.forget_old(now=NOON + timedelta(hours=2)) == count
    assert Slot.objects.count() == 0


@pytest.mark.django_db
class TestSignsOfLife:
    def test_a_queue_without_a_sign_for_ninety_seconds_is_silent(self):
        beats.record(queue="fast", now=NOON)
        beats.record(queue="bulk", now=NOON - timedelta(seconds=91))

        assert beats.silent(now=NOON) == ["events", "bulk", "train"]

    def test_nobody_is_called_silent_in_the_first_ninety_seconds(self):
        assert beats.silent(now=NOON, since=NOON - timedelta(seconds=89)) == []

    def test_the_canary_task_leaves_a_sign_for_its_queue(self):
        from marketing.core.tasks import canary

        canary(queue_name="train", added_by_a_later_release=1)

        assert WorkerBeat.objects.get().queue == "train"

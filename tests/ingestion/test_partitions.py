"""Months are made when needed, listed with their size, dropped, and thinned by type."""

import threading
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection, connections, transaction

from ingestion import events
from ingestion.events import Incoming, claims, partitions, tallies
from ingestion.models import Event, EventKey, EventTally
from marketing.core.errors import NotFound
from tests.conftest import wait_for
from tests.ingestion.conftest import NOW


def store(*moments: datetime, kind: str = "view") -> None:
    batch = [Incoming(kind, at, f"{kind}{at}", external_id="7") for at in moments]
    events.record(batch=batch, source="web", now=NOW)


@pytest.mark.django_db
def test_a_month_is_dropped_with_its_events_and_made_again_when_needed() -> None:
    store(datetime(2026, 5, 3, tzinfo=UTC), datetime(2026, 6, 3, tzinfo=UTC))
    months = {month.name: month for month in partitions.months()}
    may = months["ingestion_event_2026_05"]
    assert (may.first, may.bytes > 8_000) == (date(2026, 5, 1), True)
    assert partitions.drop(name=may.name) == may
    assert [event.at.month for event in Event.objects.all()] == [6]
    store(datetime(2026, 5, 4, tzinfo=UTC))
    assert Event.objects.count() == 2
    with pytest.raises(NotFound):
        partitions.drop(name="ingestion_customer")


@pytest.mark.django_db
def test_the_present_month_and_the_next_stand_before_an_event_needs_them() -> None:
    now = datetime(2031, 12, 31, 23, 59, tzinfo=UTC)
    partitions.prepare(now=now)
    partitions.prepare(now=now)
    firsts = [month.first for month in partitions.months()]
    assert date(2031, 12, 1) in firsts
    assert date(2032, 1, 1) in firsts


@pytest.mark.django_db(transaction=True)
def test_a_new_month_waits_for_no_event_and_no_event_for_it() -> None:
    store(NOW)
    other = connections.create_connection("default")
    name = "ingestion_event_2031_07"
    try:
        other.set_autocommit(False)
        with other.cursor() as theirs, transaction.atomic(), connection.cursor() as ours:
            theirs.execute("UPDATE ingestion_event SET flags = 'x'")
            ours.execute("SET LOCAL lock_timeout = 1000")
            partitions.ensure_months([datetime(2031, 7, 1, tzinfo=UTC)])
            theirs.execute("SET LOCAL lock_timeout = 1000")
            theirs.execute("UPDATE ingestion_event SET flags = 'y'")
        other.rollback()
    finally:
        other.close()
    store(datetime(2031, 7, 3, tzinfo=UTC))
    (month,) = [month for month in partitions.months() if month.name == name]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_indexes WHERE tablename = %s", [name])
        assert cursor.fetchone() == (5,)
    assert partitions.drop(name=name).first == month.first


@pytest.mark.django_db(transaction=True)
def test_two_who_need_a_new_month_at_once_make_it_once() -> None:
    raised: list[BaseException] = []
    made = threading.Event()

    def also() -> None:
        try:
            made.wait(30)
            with transaction.atomic():
                partitions.ensure([(2033, 7)])
        except BaseException as error:
            raised.append(error)
        finally:
            connections.close_all()

    def waits() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            return bool(cursor.fetchone()[0])

    second = threading.Thread(target=also)
    second.start()
    with transaction.atomic():
        partitions.ensure([(2033, 7)])
        made.set()
        wait_for(waits)
    second.join(30)
    assert raised == []
    assert partitions.drop(name="ingestion_event_2033_07").first == date(2033, 7, 1)


@pytest.mark.django_db
def test_years_before_2000_share_one_part() -> None:
    store(*(datetime(1970 + year, 2, 1, tzinfo=UTC) for year in range(30)))
    names = [month.name for month in partitions.months() if month.first is None]
    assert names == ["ingestion_event_before_2000"]
    assert Event.objects.count() == 30


@pytest.mark.django_db
def test_old_events_of_one_type_go_in_batches_and_others_stay() -> None:
    store(*(datetime(2026, 5, day, tzinfo=UTC) for day in range(1, 8)))
    store(datetime(2026, 5, 1, tzinfo=UTC), kind="order")
    before = datetime(2026, 5, 6, tzinfo=UTC)
    gone = [partitions.prune(type="view", before=before, limit=3) for _ in range(3)]
    assert gone == [3, 2, 0]
    assert Event.objects.count() == 3


@pytest.mark.django_db
def test_message_ids_are_remembered_for_35_days_whatever_is_set(settings) -> None:
    settings.EVENT_ID_DAYS = 1
    store(NOW)
    EventKey.objects.update(at=datetime(2026, 10, 19, tzinfo=UTC))
    assert claims.prune(now=NOW) == 0
    EventKey.objects.update(at=datetime(2026, 10, 17, tzinfo=UTC))
    assert claims.prune(now=NOW) == 1


@pytest.mark.django_db
def test_a_large_ledger_is_looked_through_once_a_day_a_slice_at_a_time(monkeypatch) -> None:
    monkeypatch.setattr(claims, "STRIDE", 2)
    monkeypatch.setattr(claims, "WALKED_WHOLE", 3)
    monkeypatch.setattr(claims, "SLICES", 4)
    for day in range(4):
        store(*[NOW + timedelta(seconds=number, days=-day) for number in range(400)])
    EventKey.objects.update(at=NOW - timedelta(days=400))
    gone = [claims.prune(now=NOW + timedelta(minutes=10 * turn)) for turn in range(4)]
    assert sum(gone) == 1_600
    assert max(gone) < 1_600
    assert EventKey.objects.count() == 0


def test_a_machine_that_is_on_for_an_hour_a_day_comes_by_the_whole_ledger_too() -> None:
    pages = 20 * claims.WALKED_WHOLE
    seen: set[int] = set()
    for day in range(40):
        for turn in range(6):
            for first, end in claims._turn(pages, NOW + timedelta(days=day, minutes=10 * turn)):
                seen.update(range(first, end))
    assert seen == set(range(pages))


@pytest.mark.django_db
def test_tallies_of_an_hour_become_one_and_say_the_same() -> None:
    for minute in (1, 2, 59):
        store(NOW.replace(hour=6, minute=minute))
    EventTally.objects.update(at=NOW.replace(hour=6))
    before = events.ledger("web")
    assert tallies.merge(now=NOW) == 3
    assert EventTally.objects.count() == 1
    assert events.ledger("web") == before == events.Ledger("web", 3, 3, 0, 0, 0)
    assert tallies.merge(now=NOW) == 0

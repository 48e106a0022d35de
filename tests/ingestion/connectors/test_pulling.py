"""A fetch survives a kill, never runs twice at once, and never fails in silence."""

import gzip
import os
import random
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from datetime import time as clock
from typing import Any

import orjson
import pytest
from django.utils import timezone

from ingestion.connectors import configuring, pulling, schedule, spool, sql
from ingestion.connectors.base import Batch
from ingestion.connectors.configuring import Timing
from ingestion.models import Connector, Pull, Source
from marketing.core import jobs
from marketing.core.errors import Conflict, Invalid
from marketing.core.models import Job
from tests.ingestion.connectors.conftest import NOW, Shop, fetch

ROWS = 3_000
WORKER = """
import os, time, django
django.setup()
from ingestion.connectors import sql, spool
sql.BATCH = 100
add = spool.Spool.add
def slowly(self, rows):
    time.sleep(0.01)
    return add(self, rows)
spool.Spool.add = slowly
from marketing.core import jobs
jobs.run(job_id=int(os.environ["FETCH_JOB"]))
"""


@pytest.mark.faults
@pytest.mark.django_db(transaction=True)
def test_a_fetch_that_is_killed_again_and_again_brings_every_row_once(
    shop: Shop, start_process: Any, wait_for: Any, settings: Any
) -> None:
    shop.add(1, ROWS, NOW)
    connector = configuring.create(kind="sql", name="erp", given=shop.given(), actor=None, now=NOW)
    pull = schedule.begin(connector=connector, by_hand=True, now=timezone.now())
    assert pull.job is not None
    chance = random.Random(5)
    for _kill in range(2):
        worker = start_process(
            "-c",
            WORKER,
            FETCH_JOB=str(pull.job.pk),
            OUTBOUND_ALLOW="127.0.0.1,localhost",
            SECRET_KEY=settings.SECRET_KEY,
        )
        wanted = pull.rows + chance.randrange(300, 900)
        wait_for(lambda wanted=wanted: Pull.objects.get().rows >= wanted, seconds=60)
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
        pull.refresh_from_db()
        assert (pull.state, pull.imports.count()) == (Pull.State.OPEN, 0)
        # what died is found by its lease, and waits again
        Job.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        jobs.sweep()
    jobs.run(job_id=pull.job.pk)
    pull.refresh_from_db()
    assert pull.error == ""
    record = pull.imports.get()
    with gzip.open(settings.MEDIA_ROOT / record.path) as file:
        numbers = [orjson.loads(line)["id"] for line in file]
    assert (pull.state, pull.rows) == (Pull.State.DONE, ROWS)
    assert numbers == list(range(1, ROWS + 1))


def test_two_fetches_of_one_source_never_run_at_once(
    connect: Callable[..., Connector], site: Any
) -> None:
    connector = connect("feed", url=f"{site.url}/feed")
    schedule.begin(connector=connector, by_hand=True, now=NOW)
    with pytest.raises(Conflict, match="right now"):
        schedule.begin(connector=connector, by_hand=False, now=NOW)
    assert Pull.objects.count() == 1


def test_a_worker_that_lost_its_lease_writes_nothing_more(
    connect: Callable[..., Connector], site: Any
) -> None:
    connector = connect("http_json", url=f"{site.url}/rows")
    pull = schedule.begin(connector=connector, by_hand=True, now=NOW)
    late = Pull.objects.get(pk=pull.pk)
    pulling._commit(pull, Batch([{"a": 1}], {"page": "2"}), 10)
    with pytest.raises(Conflict, match="Another worker"):
        pulling._commit(late, Batch([{"a": 1}], {"page": "2"}), 10)
    late.refresh_from_db()
    assert (late.rows, late.bytes, late.cursor) == (1, 10, {"page": "2"})


def test_what_was_written_after_the_last_commit_is_cut_off(settings: Any) -> None:
    path = spool.new_path()
    first = spool.Spool(path, length=0)
    kept = first.add([{"n": 1}, {"n": 2}])
    first.add([{"n": 3}])  # and then it was killed
    first.close()
    again = spool.Spool(path, length=kept)
    again.add([{"n": 4}])
    again.close()
    with gzip.open(spool.place(path)) as file:
        assert [orjson.loads(line)["n"] for line in file] == [1, 2, 4]
    with pytest.raises(FileNotFoundError):
        spool.Spool(path, length=10_000)


def test_any_value_of_a_database_can_be_spooled() -> None:
    from decimal import Decimal
    from uuid import UUID

    row = {
        "d": Decimal("10.20"), "u": UUID(int=1), "b": b"\xff\x00", "m": memoryview(b"x"),
        "t": datetime(2026, 1, 1, tzinfo=UTC), "c": clock(9, 30), "n": None, "nan": Decimal("NaN"),
        "i": 2**70, "s": "\ud800", 5: "key", "f": timedelta(days=1), "set": {1},
    }  # fmt: skip
    found = orjson.loads(gzip.decompress(spool.packed([row])).splitlines()[0])
    assert b'"d":10.20' in gzip.decompress(spool.packed([row]))
    assert (found["u"], found["t"], found["c"]) == (
        "00000000-0000-0000-0000-000000000001", "2026-01-01T00:00:00+00:00", "09:30:00",
    )  # fmt: skip
    assert (found["n"], found["nan"], found["i"], found["5"]) == (None, None, str(2**70), "key")


# --- the schedule ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timing", "state", "expected"),
    [
        (Timing(every_minutes=15), "active", NOW + timedelta(minutes=15)),
        (Timing(daily_at=clock(10, 30)), "active", NOW.replace(hour=10, minute=30)),
        (Timing(daily_at=clock(8)), "active", NOW.replace(hour=8) + timedelta(days=1)),
        (Timing(daily_at=clock(9)), "active", NOW + timedelta(days=1)),
        (Timing(), "active", None),
        (Timing(every_minutes=15), "paused", None),
        (Timing(every_minutes=15), "draft", None),
    ],
)
def test_the_next_fetch_follows_the_schedule(
    timing: Timing, state: str, expected: datetime | None
) -> None:
    connector = Connector(state=state, every_minutes=timing.every_minutes, daily_at=timing.daily_at)
    assert schedule.following(connector, now=NOW) == expected


@pytest.mark.parametrize("minutes", [0, -1, 10**6])
def test_an_interval_that_is_none_is_refused(
    connect: Callable[..., Connector], minutes: int
) -> None:
    with pytest.raises(Invalid):
        configuring.create(
            kind="feed", name="x", given={"url": "https://example.com/"},
            timing=Timing(every_minutes=minutes), actor=None, now=NOW,
        )  # fmt: skip
    assert Source.objects.count() == 0


def test_what_is_due_is_begun_once_by_any_number_of_clocks(
    connect: Callable[..., Connector], site: Any
) -> None:
    connect("feed", "due", url=f"{site.url}/feed")
    connect("feed", "later", url=f"{site.url}/feed")
    connect("feed", "paused", url=f"{site.url}/feed")
    Connector.objects.update(every_minutes=15, next_at=NOW)
    Connector.objects.filter(source__name="later").update(next_at=NOW + timedelta(minutes=1))
    Connector.objects.filter(source__name="paused").update(state="paused")
    assert len(schedule.begin_due(now=NOW)) == 1
    assert schedule.begin_due(now=NOW) == []
    connector = Connector.objects.get(source__name="due")
    assert connector.next_at == NOW + timedelta(minutes=15)
    assert [pull.connector_id for pull in Pull.objects.all()] == [connector.pk]


def test_after_several_failures_in_a_row_a_source_is_paused_with_the_reason(
    connect: Callable[..., Connector], site: Any
) -> None:
    site.pages["/feed"] = lambda _q, _h: (500, {}, b"")
    connector = connect("feed", url=f"{site.url}/feed")
    Connector.objects.update(every_minutes=60)
    waits = []
    for n in range(1, schedule.PAUSE_AFTER + 1):
        pull = fetch(connector)
        connector.refresh_from_db()
        assert (pull.state, connector.failures) == (Pull.State.FAILED, n)
        assert "status 500" in pull.error
        assert pull.job is not None
        assert pull.job.state == Job.State.FAILED
        if connector.next_at and pull.finished_at:
            waits.append(round((connector.next_at - pull.finished_at).total_seconds() / 60))
    assert waits == [2, 5, 15, 60, 180]
    assert (connector.state, connector.next_at) == (Connector.State.PAUSED, None)
    assert "6 times in a row" in connector.paused_reason
    assert "status 500" in connector.paused_reason

    configuring.resume(connector=connector, actor=None, now=NOW)
    connector.refresh_from_db()
    assert (connector.state, connector.failures) == (Connector.State.ACTIVE, 0)
    assert connector.next_at == NOW + timedelta(minutes=60)


def test_one_success_forgets_the_failures_before_it(
    connect: Callable[..., Connector], site: Any
) -> None:
    connector = connect("feed", url=f"{site.url}/feed")
    fetch(connector)
    site.pages["/feed"] = lambda _q, _h: (
        200, {}, b"<rss version='2.0'><channel><title>x</title></channel></rss>",
    )  # fmt: skip
    fetch(connector)
    connector.refresh_from_db()
    assert (connector.failures, connector.last_error) == (0, "")


def test_a_fetch_whose_worker_gave_up_is_closed_with_its_reason(
    connect: Callable[..., Connector], site: Any
) -> None:
    connector = connect("feed", url=f"{site.url}/feed")
    pull = schedule.begin(connector=connector, by_hand=True, now=NOW)
    Job.objects.update(state=Job.State.FAILED, error="The worker stopped answering 5 times.")
    schedule.begin_due(now=NOW)
    pull.refresh_from_db()
    connector.refresh_from_db()
    assert (pull.state, connector.failures) == (Pull.State.FAILED, 1)
    assert "stopped answering" in connector.last_error
    schedule.begin(connector=connector, by_hand=True, now=NOW)  # and the way is free again


def test_a_fetch_that_somebody_stopped_is_no_failure(
    connect: Callable[..., Connector], site: Any
) -> None:
    connector = connect("feed", url=f"{site.url}/feed")
    pull = schedule.begin(connector=connector, by_hand=True, now=NOW)
    assert pull.job is not None
    jobs.cancel(job_id=pull.job.pk)
    schedule.begin_due(now=NOW)
    pull.refresh_from_db()
    connector.refresh_from_db()
    assert (pull.state, connector.failures) == (Pull.State.STOPPED, 0)


def test_a_fetch_by_earlier_settings_moves_no_cursor_and_makes_no_import(
    shop: Shop, connect: Callable[..., Connector]
) -> None:
    shop.add(1, 5, NOW)
    connector = connect("sql", **shop.given())
    pull = schedule.begin(connector=connector, by_hand=True, now=NOW)
    assert pull.job is not None
    running = Pull.objects.get(pk=pull.pk)
    file = spool.Spool(path := spool.new_path(), length=0)
    file.add([{"id": n} for n in range(5)])
    file.close()
    cursor = {"last": ["int", "5"], "ties": []}
    pulling._move(running, cursor=cursor, rows=5, path=path, bytes=file.length)
    configuring.change(
        connector=connector,
        name="shop",
        given=shop.given(query="SELECT * FROM lines", password=""),
        timing=Timing(),
        actor=None,
        now=NOW,
    )
    with pytest.raises(Conflict, match="Another worker"):
        pulling._hand_over(running, running.cursor, NOW)
    pull.refresh_from_db()
    pull.job.refresh_from_db()
    connector.refresh_from_db()
    assert (pull.state, pull.job.state, connector.cursor) == ("stopped", "stopped", {})
    assert fetch(connector).rows == 5


@pytest.mark.parametrize(
    "changes",
    [{"variant": "sqlite", "file": "other.db"}, {"variant": "postgresql", "port": "6543"}],
)
def test_another_file_or_port_is_another_database(changes: dict[str, str]) -> None:
    assert set(changes) <= set(sql.Database.reads_from)


def test_a_failed_fetch_leaves_the_cursor_and_no_file(
    connect: Callable[..., Connector], site: Any, settings: Any
) -> None:
    pages = [b'{"rows": [{"a": 1}], "next": "/rows?p=2"}', b"{broken"]
    site.pages["/rows"] = lambda q, _h: (200, {}, pages[1 if q else 0])
    connector = connect("http_json", url=f"{site.url}/rows")
    pull = fetch(connector)
    connector.refresh_from_db()
    assert (pull.state, pull.rows, connector.cursor) == (Pull.State.FAILED, 1, {})
    assert pull.imports.count() == 0
    assert list((settings.MEDIA_ROOT / "imports").iterdir()) == []

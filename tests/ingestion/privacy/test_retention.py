"""What may no longer be kept goes: whole months at once where they may, else type by type."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from ingestion import events
from ingestion.events import partitions
from ingestion.imports import archive
from ingestion.models import (
    Event,
    ImportJob,
    Refusal,
    Reject,
    RetentionRule,
    RetentionRun,
    TableSize,
)
from ingestion.privacy import retention, storage
from ingestion.views.imports import _kept_until
from marketing.core import jobs
from marketing.core.errors import Invalid
from marketing.core.models import AuditEntry, Job
from tests import factories

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


def happened(kind: str, days_ago: float, number: int = 1) -> None:
    at = NOW - timedelta(days=days_ago)
    events.record(
        batch=[
            events.Incoming(type=kind, at=at, message_id=f"{kind}{days_ago}-{n}", anonymous_id="a")
            for n in range(number)
        ],
        source="web",
        now=at + timedelta(seconds=1),
    )


def left() -> dict[str, int]:
    found: dict[str, int] = {}
    for kind in Event.objects.values_list("type", flat=True):
        found[kind] = found.get(kind, 0) + 1
    return found


def keep(days: int | None, name: str = "", kind: str = "events") -> None:
    retention.choose(kind=kind, name=name, days=days, actor=None, now=NOW)


@pytest.fixture
def history(db: None) -> None:
    """Old views and purchases in one month, old views alone in another, and a fresh view.

    Empty months that others made beforehand would go as well, so none is left.
    """
    with connection.cursor() as cursor:
        for month in partitions.months():
            cursor.execute(f"DROP TABLE {month.name}")
    partitions.forget()
    happened("view", 400, 3)
    happened("purchase", 400, 2)
    happened("view", 300, 4)
    happened("view", 1)


def test_nothing_goes_without_a_rule(history: None) -> None:
    assert retention.plan(now=NOW) == []
    retention.run(now=NOW)
    assert left() == {"view": 8, "purchase": 2}


def test_a_month_goes_whole_only_when_every_type_in_it_may(history: None) -> None:
    keep(90, "view")
    before = {month.name for month in partitions.months()}
    retention.run(now=NOW)
    assert left() == {"view": 1, "purchase": 2}
    gone = before - {month.name for month in partitions.months()}
    assert gone == {"ingestion_event_2026_01"}
    keep(200, "purchase")
    retention.run(now=NOW)
    assert left() == {"view": 1}
    assert RetentionRun.objects.order_by("-id")[0].removed == {"events": 2, "months": 1}


def test_the_rule_of_all_types_counts_where_a_type_has_none_of_its_own(history: None) -> None:
    keep(350)
    keep(None, "purchase")
    retention.run(now=NOW)
    assert left() == {"view": 5, "purchase": 2}


def test_the_clock_decides_to_the_second(history: None) -> None:
    keep(30, "view")
    border = NOW - timedelta(days=1) + timedelta(days=30)
    retention.run(now=border)
    assert left()["view"] == 1  # exactly as old as the rule: stays
    retention.run(now=border + timedelta(seconds=1))
    assert "view" not in left()


def test_a_dry_run_says_rows_bytes_and_times_and_takes_nothing(history: None) -> None:
    keep(90, "view")
    (part,) = retention.plan(now=NOW)
    assert (part.name, part.days, part.rows, part.months) == ("view", 90, 7, 1)
    assert part.bytes > 0
    assert part.first == NOW - timedelta(days=400)
    assert part.last == NOW - timedelta(days=300)
    assert left() == {"view": 8, "purchase": 2}
    planned = part.rows
    retention.run(now=NOW)
    assert RetentionRun.objects.get().removed["events"] == planned


def test_a_month_that_lost_its_events_takes_new_ones_again(history: None) -> None:
    keep(90, "view")
    retention.run(now=NOW)
    happened("view", 300.5)
    assert left()["view"] == 2


@pytest.mark.parametrize("days", [29, 0, -1, 10**6])
def test_a_rule_that_is_too_short_or_absurd_is_refused(days: int) -> None:
    with pytest.raises(Invalid, match="at least 30 days"):
        keep(days)
    with pytest.raises(Invalid):
        keep(100, kind="secrets")
    assert RetentionRule.objects.count() == 0


def test_other_kinds_have_rules_of_their_own_and_the_audit_trail_knows() -> None:
    record = factories.import_job(finished_at=NOW - timedelta(days=100))
    for line in (1, 2):
        Reject.objects.create(import_job=record, line=line, raw="x", code="c", message="m")
    old = Refusal.objects.create(
        source="w", door="api", code="c", message="m", raw="{}",
        received_at=NOW - timedelta(days=89),
    )  # fmt: skip
    retention.run(now=NOW)
    assert (Reject.objects.count(), Refusal.objects.count()) == (2, 1)
    keep(60, kind="rejects")
    assert AuditEntry.objects.get(action="retention.changed").detail["days"] == 60
    retention.run(now=NOW + timedelta(days=2))
    assert Reject.objects.count() == 0
    assert not Refusal.objects.filter(pk=old.pk).exists()
    assert ImportJob.objects.get() == record
    assert retention.forget_rule(kind="rejects", actor=None)
    assert retention.days_of(retention.personal.retained())["rejects"] == 180


def test_raw_files_go_with_their_time_and_the_report_stays(bring, settings) -> None:
    record = bring(b"id,email\n1,ada@example.com\n", kind="customers")
    file = settings.MEDIA_ROOT / record.path
    assert file.exists()
    keep(10, kind="raw_files")
    retention.run(now=record.finished_at + timedelta(days=9))
    assert file.exists()
    retention.run(now=record.finished_at + timedelta(days=11))
    assert not file.exists()
    record.refresh_from_db()
    assert (record.path, record.received) == ("", 1)


def test_one_rule_decides_about_raw_files_for_everybody(bring, settings) -> None:
    record = bring(b"id,email\n1,ada@example.com\n", kind="customers")
    file, ended = settings.MEDIA_ROOT / record.path, record.finished_at
    settings.IMPORT_RAW_DAYS = 30
    assert retention.days_for("raw_files") == 30
    assert _kept_until(record) == ended + timedelta(days=30)
    keep(200, kind="raw_files")
    assert archive.prune(now=ended + timedelta(days=199)) == 0
    assert _kept_until(record) == ended + timedelta(days=200)
    keep(None, kind="raw_files")
    assert archive.prune(now=ended + timedelta(days=5000)) == 0
    assert _kept_until(record) is None
    retention.forget_rule(kind="raw_files", actor=None)
    retention.run(now=ended + timedelta(days=29))
    assert file.exists()
    ImportJob.objects.update(state="running")  # it is being done again
    retention.run(now=ended + timedelta(days=31))
    assert file.exists()
    ImportJob.objects.update(state="done")
    assert [part.kind for part in retention.plan(now=ended + timedelta(days=31))] == ["raw_files"]
    retention.run(now=ended + timedelta(days=31))
    assert not file.exists()


def test_it_runs_once_a_night_and_never_by_day() -> None:
    noon = NOW.replace(hour=12)
    assert retention.start_due(now=noon) is None
    job = retention.start_due(now=NOW)
    assert job is not None
    assert retention.start_due(now=NOW) is None
    jobs.run(job_id=job.pk)
    assert Job.objects.get().state == "done"
    again = RetentionRun.objects.get().at
    RetentionRun.objects.update(at=NOW)
    assert retention.start_due(now=NOW + timedelta(hours=1)) is None
    assert retention.start_due(now=NOW + timedelta(days=1)) is not None
    assert again is not None


def test_sizes_count_months_into_their_table_and_growth_over_a_week(history: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE ingestion_event")
    assert storage.measure(now=NOW - timedelta(days=8)) > 20
    TableSize.objects.filter(table="ingestion_event").update(bytes=1000)
    sizes = {size.table: size for size in storage.sizes(now=NOW)}
    assert not any(name.startswith("ingestion_event_") for name in sizes)
    found = sizes["ingestion_event"]
    assert found.rows == 10
    assert found.grown == found.bytes - 1000
    assert sizes["ingestion_customer"].grown == 0

"""Every source at a glance: how it is, when it was last heard of, and how much came of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ingestion.models import Connector, ImportJob, Pull, Source

LATE = timedelta(minutes=15)
QUIET = timedelta(days=1)
SPARK_DAYS = 7
RECEIPT_DAYS = 40  # deliveries are kept so long: longer than any sender sends the same one again
OK, LATE_, FAILING, QUIET_, PAUSED, WAITING, NEW, OFF, RUNNING = (
    "ok", "late", "failing", "quiet", "paused", "waiting", "new", "off", "running",
)  # fmt: skip
# what needs a person comes first
ORDER = (FAILING, PAUSED, LATE_, WAITING, QUIET_, RUNNING, OK, NEW, OFF)


@dataclass(frozen=True)
class Volume:
    """Rows of one source: received = stored + duplicate + quarantined + left out by a recipe."""

    received: int = 0
    stored: int = 0
    duplicate: int = 0
    quarantined: int = 0
    left_out: int = 0

    @property
    def adds_up(self) -> bool:
        parts = self.stored + self.duplicate + self.quarantined + self.left_out
        return self.received == parts

    def __add__(self, other: "Volume") -> "Volume":
        return Volume(
            self.received + other.received,
            self.stored + other.stored,
            self.duplicate + other.duplicate,
            self.quarantined + other.quarantined,
            self.left_out + other.left_out,
        )


@dataclass
class Line:
    """One source as the list shows it."""

    source: Source
    connector: Connector | None = None
    health: str = OK
    words: str = ""
    last_at: datetime | None = None
    next_at: datetime | None = None
    total: Volume = field(default_factory=Volume)
    day: Volume = field(default_factory=Volume)
    spark: list[int] = field(default_factory=list)
    waiting: ImportJob | None = None
    open_pull: Pull | None = None

    @property
    def since_days(self) -> int | None:
        """How far back its total goes, where not to the beginning."""
        return RECEIPT_DAYS if self.source.kind == Source.Kind.WEBHOOK else None

    @property
    def kind(self) -> str:
        """What it is, for icon and name: the kind of connector where it is one."""
        if self.source.is_demo:
            return Source.Kind.DEMO
        return self.connector.kind if self.connector else self.source.kind

    @property
    def kind_name(self) -> str:
        if self.source.is_demo:
            return str(Source.Kind.DEMO.label)
        return (self.connector or self.source).get_kind_display()


# Files and deliveries have ledgers of their own, so the tallies of their events are left out.
_VOLUMES = """
WITH parts AS (
    SELECT source_id, COALESCE(finished_at, started_at, created_at) AS at,
        received, stored, duplicate, quarantined, left_out
    FROM ingestion_importjob WHERE received > 0
    UNION ALL
    SELECT s.id, t.at, t.received, t.stored, t.duplicate, t.quarantined, 0
    FROM ingestion_eventtally t JOIN ingestion_source s ON s.name = t.source
    WHERE t.door NOT IN ('file', 'webhook')
    UNION ALL
    SELECT c.source_id, p.finished_at, p.received, p.stored, p.duplicate, p.quarantined, 0
    FROM ingestion_pull p JOIN ingestion_connector c ON c.id = p.connector_id WHERE p.received > 0
    UNION ALL
    SELECT m.source_id, m.received_at, 1, 1, 0, 0, 0
    FROM ingestion_mention m JOIN ingestion_source s ON s.id = m.source_id AND s.kind = 'api'
    UNION ALL
    SELECT e.source_id, r.received_at, 1, (r.state = 'done')::int, (r.state = 'duplicate')::int,
        (r.state = 'quarantined')::int, 0
    FROM ingestion_webhookreceipt r JOIN ingestion_webhookendpoint e ON e.id = r.endpoint_id
)
SELECT source_id, {by}, sum(received)::bigint, sum(stored)::bigint, sum(duplicate)::bigint,
    sum(quarantined)::bigint, sum(left_out)::bigint, max(at)
FROM parts WHERE at >= %(since)s AND (%(source)s IS NULL OR source_id = %(source)s)
GROUP BY 1, 2
"""
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


def _volumes(by: str, since: datetime, source: int | None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(_VOLUMES.format(by=by), {"since": since, "source": source})
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def by_day(*, now: datetime, days: int, source: int | None = None) -> dict[int, dict[date, Volume]]:
    """Volumes of the last `days` days (UTC) by source and day."""
    since = datetime.combine((now - timedelta(days=days - 1)).astimezone(UTC).date(),
                             datetime.min.time(), UTC)  # fmt: skip
    found: dict[int, dict[date, Volume]] = {}
    for source_id, day, *numbers, _last in _volumes("(at AT TIME ZONE 'UTC')::date", since, source):
        found.setdefault(source_id, {})[day] = Volume(*numbers)
    return found


def last_days(*, now: datetime, days: int) -> list[date]:
    today = now.astimezone(UTC).date()
    return [today - timedelta(days=n) for n in range(days - 1, -1, -1)]


def overview(*, now: datetime, only: Iterable[int] | None = None) -> list[Line]:
    """Every source, what needs a person first. A fixed number of queries."""
    rows = Source.objects.select_related("connector", "webhook").order_by("name")
    if only is not None:
        rows = rows.filter(pk__in=list(only))
    lines = {row.pk: Line(row, getattr(row, "connector", None)) for row in rows}
    alone = next(iter(lines)) if len(lines) == 1 else None
    for source_id, _all, *numbers, last in _volumes("1", _EVER, alone):
        if source_id in lines:
            lines[source_id].total, lines[source_id].last_at = Volume(*numbers), last
    for source_id, _all, *numbers, _last in _volumes("1", now - timedelta(days=1), alone):
        if source_id in lines:
            lines[source_id].day = Volume(*numbers)
    days = last_days(now=now, days=SPARK_DAYS)
    week = by_day(now=now, days=SPARK_DAYS, source=alone)
    waiting = ImportJob.objects.filter(
        source__in=lines, job__isnull=True, state__in=["uploaded", "mapped"]
    ).defer("report")
    for record in waiting.order_by("-id"):
        lines[record.source_id].waiting = record
    failed = set(
        ImportJob.objects.filter(source__in=lines)
        .order_by("source_id", "-id")
        .distinct("source_id")
        .values_list("source_id", "state")
    )
    pulls = {
        pull.connector_id: pull
        for pull in Pull.objects.filter(connector__source__in=lines)
        .order_by("connector_id", "-id")
        .distinct("connector_id")
        .select_related("job")
    }
    for line in lines.values():
        found = week.get(line.source.pk, {})
        line.spark = [found.get(day, Volume()).received for day in days]
        if line.connector is not None:
            _judge_connector(line, line.connector, pulls.get(line.connector.pk), now)
        elif line.source.kind in (Source.Kind.TRACKING, Source.Kind.API, Source.Kind.WEBHOOK):
            _judge_live(line, now)
        else:
            _judge_files(line, (line.source.pk, "failed") in failed)
    return sorted(lines.values(), key=lambda line: (ORDER.index(line.health), line.source.name))


def _judge_connector(line: Line, connector: Connector, pull: Pull | None, now: datetime) -> None:
    line.next_at = connector.next_at
    if pull is not None:
        line.last_at = pull.finished_at or pull.created_at
        line.open_pull = pull if pull.state == Pull.State.OPEN else None
    if connector.state == Connector.State.PAUSED:
        line.health, line.words = PAUSED, connector.paused_reason or _("Paused by hand.")
    elif line.open_pull is not None:
        line.health, line.words = RUNNING, _("Fetching now.")
    elif connector.failures:
        line.health = FAILING
        line.words = ngettext(
            "Failed: %(why)s", "Failed %(n)d times in a row: %(why)s", connector.failures
        ) % {"n": connector.failures, "why": connector.last_error}
    elif line.waiting is not None:
        line.health, line.words = WAITING, _("Rows are here. Say which column is which.")
    elif pull is None:
        line.health, line.words = NEW, _("Not fetched yet.")
    elif line.next_at is not None and line.next_at < now - LATE:
        line.health, line.words = LATE_, _("The next fetch is overdue; look at the workers.")
    elif line.next_at is None:
        line.words = _("Fetched when somebody asks.")
    else:
        line.words = _("Fetched on time.")


def _judge_live(line: Line, now: datetime) -> None:
    if not line.source.enabled:
        line.health, line.words = OFF, _("Turned off: what comes is refused.")
    elif line.last_at is None:
        line.health, line.words = NEW, _("Nothing has come yet.")
    elif line.last_at < now - QUIET:
        days = (now - line.last_at).days
        line.health = QUIET_
        line.words = ngettext(
            "Nothing came for %(n)d day.", "Nothing came for %(n)d days.", days
        ) % {"n": days}
    else:
        line.words = _("Data come in.")


def _judge_files(line: Line, failed: bool) -> None:
    if failed:
        line.health, line.words = FAILING, _("The last import failed.")
    elif line.waiting is not None:
        line.health, line.words = WAITING, _("A file waits for its columns.")
    elif line.last_at is None:
        line.health, line.words = NEW, _("Nothing was imported yet.")
    else:
        line.words = _("Imported by hand.")


def adopt_api() -> int:
    """A row for every name under which events came by the API without one; how many were made."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ingestion_source (name, kind, mapping, options, enabled, is_demo,"
            " created_at) SELECT DISTINCT source, 'api', '{}'::jsonb, '{}'::jsonb, true, false,"
            " now() FROM ingestion_eventtally WHERE door = 'api'"
            " ON CONFLICT (name) DO NOTHING"
        )
        return cursor.rowcount

"""What goes when: by kind of row, and for events by type; whole months at once where they may go.

Nothing goes that no rule or default names. `plan` says what the next run would take, and takes
nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db import OperationalError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from ingestion.events import partitions
from ingestion.events.partitions import Partition
from ingestion.models import RetentionRule, RetentionRun
from marketing.core import audit, jobs, personal
from marketing.core.errors import Invalid
from marketing.core.models import ApiKey, Job, User
from marketing.core.personal import Retained

EVENTS = "events"
EVENTS_LEAST = 30
LONGEST = 36_500
BATCH = 5_000
HOURS = range(2, 6)
_APART = timedelta(hours=20)


@dataclass(frozen=True)
class Part:
    """What one kind or type would lose: rows, about how many bytes, and from when to when."""

    kind: str
    name: str
    label: Any
    days: int
    rows: int
    bytes: int
    first: datetime | None
    last: datetime | None
    months: int = 0


@dataclass(frozen=True)
class Month:
    """One month of events, with what each type has in it."""

    partition: Partition
    types: dict[str, tuple[int, datetime, datetime]]

    @property
    def rows(self) -> int:
        return sum(rows for rows, _first, _last in self.types.values())

    def goes(self, rules: "EventRules", now: datetime) -> bool:
        """Whether every event in it may go."""
        borders = [(last, rules.border(name, now)) for name, (_n, _f, last) in self.types.items()]
        return all(border is not None and last < border for last, border in borders)


@dataclass(frozen=True)
class EventRules:
    """Days by type; `default` is for types without a rule. None keeps them."""

    default: int | None
    types: dict[str, int | None]

    def days(self, name: str) -> int | None:
        return self.types.get(name, self.default)

    def border(self, name: str, now: datetime) -> datetime | None:
        days = self.days(name)
        return None if days is None else now - timedelta(days=days)


def event_rules() -> EventRules:
    """The rules about events. A rule of 0 days keeps a type for ever."""
    rows = dict(RetentionRule.objects.filter(kind=EVENTS).values_list("name", "days"))
    default = rows.pop("", 0)
    return EventRules(default or None, {name: days or None for name, days in rows.items()})


def days_of(kinds: Iterable[Retained]) -> dict[str, int | None]:
    """Days by kind: the rule, or else what the kind comes with."""
    rules = dict(RetentionRule.objects.exclude(kind=EVENTS).values_list("kind", "days"))
    return {kind.kind: (rules.get(kind.kind, kind.comes_with) or None) for kind in kinds}


def days_for(kind: str) -> int | None:
    """Days of one kind of row; None keeps it for ever."""
    return days_of(k for k in personal.retained() if k.kind == kind)[kind]


def choose(
    *, kind: str, name: str = "", days: int | None, actor: User | ApiKey | None, now: datetime
) -> None:
    """Keep a kind (or a type of event) for so many days from now on; None keeps it for ever."""
    kinds = {retained.kind: retained for retained in personal.retained()}
    if kind != EVENTS and (kind not in kinds or name):
        raise Invalid(_("There is no such kind of data."), code="unknown_kind", field="kind")
    least = EVENTS_LEAST if kind == EVENTS else kinds[kind].least
    if days is not None and not least <= days <= LONGEST:
        raise Invalid(
            _("Give at least %(least)d days, or leave it empty to keep it. Nothing was changed.")
            % {"least": least},
            code="bad_days",
            field="days",
        )
    if len(name) > 100:
        raise Invalid(_("There is no event of this name."), code="unknown_type", field="name")
    with transaction.atomic():
        RetentionRule.objects.update_or_create(
            kind=kind,
            name=name,
            defaults={
                "days": days or 0,
                "updated_at": now,
                "updated_by": actor if isinstance(actor, User) else None,
            },
        )
        audit.record(
            actor=actor,
            action="retention.changed",
            detail={"kind": kind, "name": name, "days": days},
        )


def forget_rule(*, kind: str, name: str = "", actor: User | ApiKey | None) -> bool:
    """Go back to what a kind comes with, or a type of event to the rule of all events."""
    gone, _details = RetentionRule.objects.filter(kind=kind, name=name).delete()
    if gone:
        audit.record(
            actor=actor, action="retention.changed", detail={"kind": kind, "name": name, "days": ""}
        )
    return bool(gone)


def plan(*, now: datetime) -> list[Part]:
    """What the next run would take."""
    kinds = personal.retained()
    days = days_of(kinds)
    parts = _event_parts(now)
    with connection.cursor() as cursor:
        for kind in kinds:
            kept = days[kind.kind]
            if kept is None:
                continue
            cursor.execute(
                f"SELECT count(*), coalesce(sum({kind.size}), 0), min({kind.at}), max({kind.at})"
                f" FROM {kind.table} t WHERE {kind.rows}",
                {"before": now - timedelta(days=kept)},
            )
            rows, size, first, last = cursor.fetchone()
            if rows:
                parts.append(Part(kind.kind, "", kind.label, kept, rows, int(size), first, last))
    return parts


def _event_parts(now: datetime) -> list[Part]:
    rules = event_rules()
    found: dict[str, Part] = {}
    for month in _months(rules, now):
        whole = month.goes(rules, now)
        each = month.partition.bytes / max(month.rows, 1)
        for name, (rows, first, last) in month.types.items():
            border = rules.border(name, now)
            if border is None or first >= border:
                continue
            gone = rows if last < border else _count(month.partition, name, border)
            so_far = found.get(name)
            found[name] = Part(
                EVENTS,
                name,
                name,
                rules.days(name) or 0,
                gone + (so_far.rows if so_far else 0),
                int(gone * each) + (so_far.bytes if so_far else 0),
                min(first, so_far.first) if so_far and so_far.first else first,
                max(min(last, border), so_far.last)
                if so_far and so_far.last
                else min(last, border),
                int(whole) + (so_far.months if so_far else 0),
            )
    return sorted(found.values(), key=lambda part: -part.rows)


def _months(rules: EventRules, now: datetime) -> list[Month]:
    """The months in which something may go."""
    finite = [days for days in (rules.default, *rules.types.values()) if days]
    if not finite:
        return []
    newest = now - timedelta(days=min(finite))
    found = []
    for partition in partitions.months():
        if partition.first is not None and _start(partition.first) >= newest:
            continue
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT type, count(*), min(at), max(at) FROM {partition.name} GROUP BY type"
            )
            types = {name: (rows, first, last) for name, rows, first, last in cursor.fetchall()}
        found.append(Month(partition, types))
    return found


def _start(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _count(partition: Partition, name: str, border: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM {partition.name} WHERE type = %s AND at < %s", [name, border]
        )
        return int(cursor.fetchone()[0])


def run(*, now: datetime, job: jobs.Running | None = None) -> RetentionRun:
    """Take what may go. Each month and each batch is a commit of its own."""
    removed: dict[str, int] = {}

    def count(name: str, rows: int) -> None:
        if rows:
            removed[name] = removed.get(name, 0) + rows
        if job is not None:
            job.check()

    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
    try:
        _let_events_go(now, count)
        kinds = personal.retained()
        days = days_of(kinds)
        for kind in kinds:
            kept = days[kind.kind]
            if kept is not None:
                _let_rows_go(kind, now - timedelta(days=kept), count)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET statement_timeout")
    return RetentionRun.objects.create(at=now, removed=removed)


def _let_events_go(now: datetime, count: Any) -> None:
    """Whole months first, then what is left type by type."""
    rules = event_rules()
    types: set[str] = set()
    for month in _months(rules, now):
        if not month.goes(rules, now):
            types |= set(month.types)
            continue
        try:
            partitions.drop(name=month.partition.name)
        except OperationalError:  # somebody reads it: the next night is soon enough
            continue
        count("events", month.rows)
        count("months", 1)
    for name in sorted(types):
        border = rules.border(name, now)
        while border is not None:
            gone = partitions.prune(type=name, before=border, limit=BATCH)
            count("events", gone)
            if gone < BATCH:
                break


def _let_rows_go(kind: Retained, before: datetime, count: Any) -> None:
    if kind.remove is not None:
        count(kind.kind, kind.remove(before))
        return
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                f"DELETE FROM {kind.table} WHERE ctid = ANY(ARRAY("
                f"SELECT ctid FROM {kind.table} t WHERE {kind.rows} LIMIT {BATCH}))",
                {"before": before},
            )
            gone = cursor.rowcount
        count(kind.kind, gone)
        if gone < BATCH:
            return


def start_due(*, now: datetime) -> Job | None:
    """Begin tonight's run, once a night in the hours when few people are about."""
    if timezone.localtime(now).hour not in HOURS:
        return None
    if RetentionRun.objects.filter(at__gt=now - _APART).exists():
        return None
    if Job.objects.filter(kind="privacy.retention", state__in=Job.OPEN).exists():
        return None
    return jobs.start(kind="privacy.retention", title=_("Remove what may no longer be kept"))

"""Something wrong is one row from its beginning to its end; who is touched hears of both."""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from ingestion.models import DayScore, ImportJob, Measure, Problem, Severity
from ingestion.quality import alerts, checks, fields, measuring, signals
from ingestion.quality.signals import Finding
from ingestion.registry import drift
from marketing.core import audit, bus
from marketing.core.db import statement_timeout
from marketing.core.errors import NotFound
from marketing.core.models import User

EXAMPLES = 5
EVERY = timedelta(hours=1)
_LOCK = zlib.crc32(b"quality.measure")
_ROWS = {
    "customers": "t.id, t.id, ''",
    "orders": "t.id, t.customer_id, t.external_id",
    "products": "t.id, NULL, t.sku",
    "lines": "t.id, t.customer_id, t.sku",
}


@contextmanager
def _alone() -> Iterator[bool]:
    """One process at a time, without a transaction around minutes of reading."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        mine = bool(cursor.fetchone()[0])
        try:
            yield mine
        finally:
            if mine:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def measure(*, now: datetime, report: measuring.Report | None = None) -> dict[str, int]:
    """Measure everything, check every expectation, and bring the problems up to date."""
    with _alone() as mine:
        if not mine:
            return {}
        measures = measuring.measure(now=now, report=report)
        return {"figures": len(measures)} | _update(measures, now)


def measured_at() -> datetime | None:
    """When the data was last measured."""
    return DayScore.objects.aggregate(at=Max("at"))["at"]


def keep_current(*, now: datetime) -> dict[str, int]:
    """Measure when an hour has passed or a file has come in since; else check expectations."""
    last = measured_at()
    arrived = ImportJob.objects.aggregate(at=Max("finished_at"))["at"]
    if last is None or now - last >= EVERY or (arrived is not None and arrived > last):
        return measure(now=now)
    return check(now=now)


def check(*, now: datetime) -> dict[str, int]:
    """Check the expectations and the latest figures again without measuring."""
    with _alone() as mine:
        if not mine:
            return {}
        newest = Measure.objects.order_by("-day").values_list("day", flat=True).first()
        figures = [] if newest is None else list(Measure.objects.filter(day=newest))
        return _update(figures, now)


def _update(measures: Sequence[Measure], now: datetime) -> dict[str, int]:
    since = dict(Problem.objects.filter(ended_at=None).values_list("key", "since"))
    found = signals.find(measures=measures, open_since=since, now=now)
    found += checks.check_all(now=now)
    begun, ended = settle(found=found, now=now)
    drift.notice(measures=measures, now=now)
    return {"open": len(found), "begun": len(begun), "ended": len(ended)}


def settle(*, found: Iterable[Finding], now: datetime) -> tuple[list[Problem], list[Problem]]:
    """Open what is new, renew what goes on, end what is gone; those that began and ended."""
    by_key = {finding.key[:500]: finding for finding in found}
    shown = _examples(by_key)  # a slow search, so no row is held meanwhile
    with transaction.atomic():
        going = {p.key: p for p in Problem.objects.select_for_update().filter(ended_at=None)}
        begun, ended = [], []
        for key, finding in by_key.items():
            problem = going.get(key)
            if problem is None:
                problem = Problem(key=key, since=now)
                begun.append(problem)
            _describe(problem, finding, now)
            problem.examples = problem.examples or shown.get(key, [])
            problem.save()
        for key, problem in going.items():
            if key not in by_key:
                problem.ended_at = now
                problem.save(update_fields=["ended_at"])
                ended.append(problem)
        alerts.tell(begun=begun, ended=ended, now=now)
        if begun or ended:
            bus.announce("quality.changed")
    return begun, ended


def _describe(problem: Problem, finding: Finding, now: datetime) -> None:
    for name in ("dimension", "subject", "field", "source", "code", "severity", "rows", "total"):
        setattr(problem, name, getattr(finding, name))
    problem.detail, problem.seen_at = finding.detail, now
    problem.expectation_id = finding.expectation_id


def _examples(by_key: dict[str, Finding]) -> dict[str, list[dict[str, Any]]]:
    """Rows to show of each finding that has none yet."""
    has = set(
        Problem.objects.filter(ended_at=None).exclude(examples=[]).values_list("key", flat=True)
    )
    return {key: examples(finding) for key, finding in by_key.items() if key not in has}


def examples(finding: Finding) -> list[dict[str, Any]]:
    """A few of the rows that are meant: {id, customer, label}. Ids alone, no facts of people."""
    table = fields.TABLES.get(finding.subject)
    if table is None or finding.dimension in (fields.FRESH, fields.VOLUME):
        return []
    condition, params = _condition(finding)
    if not condition:
        return []
    if finding.source and table.source:
        condition += f" AND {table.source} = %s"
        params = [*params, finding.source]
    sql = (
        f"SELECT {_ROWS[finding.subject]} FROM {table.table} t{table.joins}"
        f" WHERE {condition} LIMIT {EXAMPLES}"
    ).replace(fields.COUNTRIES, fields.country_codes())
    try:
        with statement_timeout(5_000), connection.cursor() as cursor:
            cursor.execute(sql, params)
            rows = cursor.fetchall()
    except DatabaseError:  # examples are a help, not worth a long search
        return []
    return [{"id": pk, "customer": customer, "label": label} for pk, customer, label in rows]


def _condition(finding: Finding) -> tuple[str, list[Any]]:
    if finding.expectation_id is not None:
        return checks.bad_rows(expectation_id=finding.expectation_id)
    for item in fields.TABLES[finding.subject].checks:
        if (item.dimension, item.field) == (finding.dimension, finding.field):
            return f"({item.applies}) AND ({item.bad})", []
    return "", []


def get(*, problem_id: int) -> Problem:
    """One problem, open or ended. Raises NotFound."""
    found = Problem.objects.select_related("expectation").filter(pk=problem_id).first()
    if found is None:
        raise NotFound(_("There is no such problem."), code="problem_unknown")
    return found


def mute(*, problem_id: int, days: int, user: User, now: datetime) -> Problem:
    """Say no more of a problem for some days (0: speak again). What it holds back stays held."""
    with transaction.atomic():
        problem = get(problem_id=problem_id)
        problem.muted_until = now + timedelta(days=min(days, 365)) if days > 0 else None
        problem.save(update_fields=["muted_until"])
        audit.record(actor=user, action="problem.muted", obj=problem, detail={"days": days})
    return problem


def open_now(*, now: datetime, least: str = "") -> list[Problem]:
    """Problems that are open and not muted, serious ones first."""
    rows = Problem.objects.filter(ended_at=None)
    if least == Severity.CRITICAL:
        rows = rows.filter(severity=Severity.CRITICAL)
    return loud(rows, now=now)


def loud(rows: Iterable[Problem], *, now: datetime) -> list[Problem]:
    """Those that are not muted, serious ones first."""
    heard = [row for row in rows if row.muted_until is None or row.muted_until <= now]
    return sorted(heard, key=lambda p: (p.severity != Severity.CRITICAL, -p.rows, p.pk))

"""What the figures of a day say is wrong, by limits that need nobody to set them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from ingestion.models import Measure, Severity
from ingestion.quality import fields, statistics
from ingestion.quality.fields import COMPLETE, CONSISTENT, FRESH, UNIQUE, VALID, VOLUME

HISTORY = timedelta(days=28)
FEW = 5
# Share of bad rows from which it is worth a word, and from which it is serious.
LIMITS: dict[str, tuple[float, float]] = {
    VALID: (0.01, 0.10),
    UNIQUE: (0.02, 0.20),
    CONSISTENT: (0.01, 0.25),
}
IMPORT_LIMITS = (0.05, 0.25)
DROP, EVENT_DROP = 0.10, 0.20
EVENTS_ENOUGH = 50
CODES = {
    COMPLETE: "went_empty",
    VALID: "not_valid",
    UNIQUE: "not_unique",
    CONSISTENT: "not_consistent",
    FRESH: "late",
    VOLUME: "volume",
}


class Finding(NamedTuple):
    """Something wrong: where, how much of it, and what is needed to say so."""

    key: str
    dimension: str
    subject: str
    field: str
    source: str
    code: str
    severity: str
    rows: int
    total: int
    detail: dict[str, Any]
    expectation_id: int | None = None


def key_of(row: Measure) -> str:
    """The name of the problem that a figure may be."""
    return "|".join((row.dimension, row.subject, row.field, row.source))


def find(
    *, measures: Iterable[Measure], open_since: Mapping[str, datetime], now: datetime
) -> list[Finding]:
    """What is wrong by these figures. `open_since`: when problems that are still open began.

    A share is compared with the days before its problem began, so an outage that lasts does not
    become what is usual.
    """
    rows = list(measures)
    by_source = {(r.dimension, r.subject, r.field) for r in rows if r.source}
    before = _history(now)
    found = []
    for row in rows:
        if not row.source and (row.dimension, row.subject, row.field) in by_source:
            continue
        if row.dimension == COMPLETE:
            since = open_since.get(key_of(row))
            finding = _drop(row, before.get(_place(row), {}), since)
        elif row.dimension == FRESH:
            finding = _late(row)
        elif row.dimension == VOLUME:
            finding = _volume(row)
        else:
            finding = _share(row)
        if finding is not None:
            found.append(finding)
    return _together(found, rows)


def _together(found: list[Finding], rows: list[Measure]) -> list[Finding]:
    """One finding for the whole where every source of a field has the same trouble."""
    places: dict[tuple[str, str, str], list[Finding]] = defaultdict(list)
    for finding in found:
        places[finding.dimension, finding.subject, finding.field].append(finding)
    sources: dict[tuple[str, str, str], list[Measure]] = defaultdict(list)
    for row in rows:
        sources[row.dimension, row.subject, row.field].append(row)
    out = []
    for place, mine in places.items():
        parts = [row for row in sources[place] if row.source]
        whole = next((row for row in sources[place] if not row.source), None)
        if whole is None or len(mine) < 2 or len(mine) < len(parts):
            out += mine
            continue
        worst = max(mine, key=lambda f: (f.severity == Severity.CRITICAL, f.rows))
        out.append(worst._replace(key=key_of(whole), source="", rows=whole.bad, total=whole.total))
    return out


def _place(row: Measure) -> tuple[str, str, str]:
    return row.subject, row.field, row.source


def _history(now: datetime) -> dict[tuple[str, str, str], dict[date, float]]:
    """Share of filled rows on the days before today, by place and day."""
    today = now.astimezone(UTC).date()
    out: dict[tuple[str, str, str], dict[date, float]] = defaultdict(dict)
    past = Measure.objects.filter(
        dimension=COMPLETE, day__gte=today - HISTORY, day__lt=today, total__gt=0
    )
    for row in past:
        out[_place(row)][row.day] = 1 - row.bad / row.total
    return out


def _finding(row: Measure, severity: str, **detail: Any) -> Finding:
    return Finding(
        key_of(row),
        row.dimension,
        row.subject,
        row.field,
        row.source,
        CODES[row.dimension],
        severity,
        row.bad,
        row.total,
        detail,
    )


def _drop(row: Measure, before: Mapping[date, float], since: datetime | None) -> Finding | None:
    is_event = row.subject.startswith(fields.EVENTS)
    if not row.total or (is_event and row.total < EVENTS_ENOUGH):
        return None
    limit = None if since is None else since.astimezone(UTC).date()
    usual = [share for day, share in sorted(before.items()) if limit is None or day < limit]
    today = 1 - row.bad / row.total
    by = EVENT_DROP if is_event else DROP
    if not statistics.dropped(today=today, before=usual, by=by):
        return None
    was = statistics.median(usual)
    severity = Severity.CRITICAL if today < was / 2 else Severity.WARNING
    return _finding(row, severity, was=round(was, 4), now=round(today, 4))


def _share(row: Measure) -> Finding | None:
    if row.subject == fields.IMPORTS and row.dimension == UNIQUE:
        return None  # a file that was sent twice does no harm
    warn, serious = IMPORT_LIMITS if row.subject == fields.IMPORTS else LIMITS[row.dimension]
    if row.bad < FEW or not row.total or row.bad / row.total <= warn:
        return None
    share = row.bad / row.total
    severity = Severity.CRITICAL if share > serious else Severity.WARNING
    return _finding(row, severity, now=round(share, 4))


def _late(row: Measure) -> Finding | None:
    if not row.bad:
        return None
    return _finding(row, Severity.WARNING, hours=row.value)


def _volume(row: Measure) -> Finding | None:
    if not row.bad or row.value is None:
        return None
    way = "none" if row.total == 0 else ("low" if row.total < row.value else "high")
    severity = Severity.CRITICAL if way == "none" else Severity.WARNING
    return _finding(row, severity, way=way, rows=row.total, expected=round(row.value, 1))

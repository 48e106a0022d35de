"""What the quality pages show: scores with their trend, fields, sources and unused fields."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field as made
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from ingestion.models import DayScore, Measure, Problem
from ingestion.quality import fields, measuring, statistics, uses, wording
from ingestion.quality.uses import Use

TREND = timedelta(days=30)


@dataclass(frozen=True)
class DimensionScore:
    """One dimension: how good it is now, how it was a week ago, and its line."""

    key: str
    label: str
    means: str
    score: float | None
    change: float | None
    line: list[float] = made(default_factory=list)
    problems: int = 0


Lines = dict[str, dict[date, float]]


def score_lines(*, now: datetime) -> tuple[Lines, datetime | None]:
    """The scores of the last 30 days by dimension and day, and when they were measured last."""
    today = now.astimezone(UTC).date()
    lines: Lines = defaultdict(dict)
    rows = list(DayScore.objects.filter(day__gt=today - TREND))
    for row in rows:
        lines[row.dimension][row.day] = row.score
    return lines, max((row.at for row in rows), default=None)


def scores(*, lines: Lines, problems: Iterable[Problem]) -> tuple[DimensionScore, ...]:
    """The whole first, then each dimension."""
    counts: dict[str, int] = defaultdict(int)
    for problem in problems:
        counts[problem.dimension] += 1
        counts[""] += 1
    out = []
    for key in ("", *fields.DIMENSIONS):
        days = lines[key]
        newest = max(days, default=None)
        earlier = [day for day in days if newest and day <= newest - timedelta(days=7)]
        change = None
        if newest and earlier:
            change = round(days[newest] - days[max(earlier)], 1)
        out.append(
            DimensionScore(
                key,
                str(fields.DIMENSIONS.get(key, "")),
                str(fields.MEANINGS.get(key, "")),
                days[newest] if newest else None,
                change,
                [days[day] for day in sorted(days)],
                counts[key],
            )
        )
    return tuple(out)


def trend(*, lines: Lines, now: datetime) -> dict[str, Any]:
    """The scores of the last 30 days for a chart: {labels, series: [{name, key, data}]}."""
    today = now.astimezone(UTC).date()
    days = [today - timedelta(days=n) for n in range(TREND.days - 1, -1, -1)]
    names = {"": "", **{key: str(label) for key, label in fields.DIMENSIONS.items()}}
    return {
        "labels": [day.isoformat() for day in days],
        "whole": _("Score"),
        "series": [
            {"key": key, "name": name, "data": [lines[key].get(day) for day in days]}
            for key, name in names.items()
            if lines[key]
        ],
    }


@dataclass(frozen=True)
class Shown:
    """A problem with its words and who is touched."""

    problem: Problem
    words: wording.Words
    users: list[Use]
    share: float


def shown(*, problems: Iterable[Problem], among: list[Use] | None = None) -> list[Shown]:
    """Problems as pages show them."""
    users = uses.all_uses() if among is None else among
    return [
        Shown(
            problem,
            wording.describe(problem),
            uses.of(subject=problem.subject, field=problem.field, among=users),
            wording.share(problem),
        )
        for problem in problems
    ]


@dataclass
class FieldRow:
    """One field: how complete and valid it is now, and who uses it."""

    subject: str
    field: str
    label: str
    total: int = 0
    filled: float | None = None
    valid: float | None = None
    unique: float | None = None
    fits: float | None = None
    line: list[float] = made(default_factory=list)
    users: int = 0


def field_rows(
    *, newest: date | None, users: list[Use], source: str = ""
) -> list[tuple[str, str, list[FieldRow]]]:
    """Every measured field by table, with the line of its completeness: (subject, label, rows).

    `newest` is the day that was measured last.
    """
    if newest is None:
        return []
    rows: dict[tuple[str, str], FieldRow] = {}
    wanted = Measure.objects.filter(
        day__gt=newest - TREND, source=source, subject__in=fields.TABLES, total__gt=0
    ).exclude(field="")
    for m in wanted.order_by("day"):
        row = rows.setdefault(
            (m.subject, m.field),
            FieldRow(m.subject, m.field, fields.field_label(m.subject, m.field)),
        )
        share = 1 - m.bad / m.total
        if m.dimension == fields.COMPLETE:
            row.line.append(round(share, 4))
        if m.day != newest:
            continue
        if m.dimension == fields.COMPLETE:
            row.total, row.filled = m.total, share
        elif m.dimension == fields.VALID:
            row.valid = share
        elif m.dimension == fields.UNIQUE:
            row.unique = share
        elif m.dimension == fields.CONSISTENT:
            row.fits = share
        row.total = max(row.total, m.total)
    for row in rows.values():
        row.users = len(uses.of(subject=row.subject, field=row.field, among=users))
    out = []
    for subject, table in fields.TABLES.items():
        mine = [row for row in rows.values() if row.subject == subject]
        if mine:
            out.append((subject, str(table.label), mine))
    return out


def unused(*, groups: list[tuple[str, str, list[FieldRow]]]) -> list[dict[str, Any]]:
    """Fields that are always empty, and filled ones that nothing uses."""
    out = []
    for _subject, label, rows in groups:
        for row in rows:
            if row.filled is None:
                continue
            if row.filled == 0 or (not row.users and row.filled > 0):
                out.append({"table": label, "row": row, "empty": row.filled == 0})
    return sorted(out, key=lambda item: (not item["empty"], item["table"]))


@dataclass(frozen=True)
class SourceRow:
    """A source: when it last sent, its rhythm, yesterday's rows and the usual."""

    subject: str
    name: str
    hours: float | None
    late: bool
    known: bool
    line: list[int]
    yesterday: int
    expected: float | None
    unusual: bool


def source_rows(*, newest: date | None, now: datetime) -> list[SourceRow]:
    """Freshness and volume of each source, from the newest figures."""
    if newest is None:
        return []
    fresh: dict[tuple[str, str], Measure] = {}
    volume: dict[tuple[str, str], Measure] = {}
    for m in Measure.objects.filter(day=newest, dimension__in=[fields.FRESH, fields.VOLUME]):
        (fresh if m.dimension == fields.FRESH else volume)[m.subject, m.source] = m
    if not fresh:
        return []
    series = measuring.series(now=now)
    yesterday = now.astimezone(UTC).date() - timedelta(days=1)
    days = [yesterday - timedelta(days=n) for n in range(27, -1, -1)]
    out = []
    for (subject, source), m in sorted(fresh.items()):
        counts = series.get((subject, source), {})
        found = volume.get((subject, source))
        out.append(
            SourceRow(
                fields.subject_label(subject),
                source,
                None if m.value is None else max(m.value, 0.0),
                bool(m.bad),
                bool(m.total),
                [counts.get(day, 0) for day in days],
                counts.get(yesterday, 0),
                found.value if found else None,
                bool(found and found.bad),
            )
        )
    return out


def volume_chart(*, now: datetime, subject: str, source: str) -> dict[str, Any] | None:
    """Rows a day of 30 days with the range that was usual: {labels, rows, expected, low, high}."""
    days = measuring.series(now=now).get((subject, source))
    if not days:
        return None
    first = min(days)
    yesterday = now.astimezone(UTC).date() - timedelta(days=1)
    out: dict[str, Any] = {"labels": [], "rows": [], "expected": [], "low": [], "high": []}
    for n in range(29, -1, -1):
        day = yesterday - timedelta(days=n)
        before = [
            days.get(past, 0)
            for week in range(statistics.WEEKS, 0, -1)
            if (past := day - timedelta(days=7 * week)) >= first
        ]
        found = statistics.compare(today=days.get(day, 0), before=before)
        known = found.verdict != statistics.UNSURE
        out["labels"].append(day.isoformat())
        out["rows"].append(days.get(day, 0))
        out["expected"].append(found.expected if known else None)
        out["low"].append(round(found.low, 1) if known else None)
        out["high"].append(round(found.high, 1) if known else None)
    return out


def share_line(*, problem: Problem, now: datetime) -> dict[str, Any] | None:
    """The share of good rows of a problem's field over the last 30 days, for a chart."""
    today = now.astimezone(UTC).date()
    rows = Measure.objects.filter(
        dimension=problem.dimension,
        subject=problem.subject,
        field=problem.field,
        source=problem.source,
        day__gt=today - TREND,
        total__gt=0,
    ).order_by("day")
    points = [(row.day.isoformat(), round(100 * (1 - row.bad / row.total), 2)) for row in rows]
    if len(points) < 2 or problem.dimension in (fields.FRESH, fields.VOLUME):
        return None
    return {"labels": [day for day, _value in points], "rows": [value for _day, value in points]}

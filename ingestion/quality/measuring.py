"""The figures of a day: one pass over each table, tallies for events, and a score from all of them.

Measuring again on the same day replaces that day's figures. Checks that would have to read a whole
history (does an order's total fit its lines) look at the newest weeks alone.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from statistics import fmean

from django.db import connection, transaction

from ingestion.models import DayScore, EventProperty, Measure
from ingestion.quality import fields, statistics
from ingestion.quality.fields import COMPLETE, CONSISTENT, FRESH, UNIQUE, VALID, VOLUME
from ingestion.registry import discovery, shapes
from marketing.core.wording import Words

RECENT = timedelta(days=35)
LOOK_BACK = timedelta(days=64)
KEPT = timedelta(days=400)
Row = tuple[str, str, str, str, int, int, float | None]

_ORDER_TOTALS = """
WITH newest AS (SELECT max(placed_at) AS at FROM ingestion_order),
sums AS (
    SELECT o.id, o.source_id, o.total, sum(l.total) AS lines
    FROM newest, ingestion_order o JOIN ingestion_orderline l ON l.order_id = o.id
    WHERE o.placed_at >= newest.at - interval '35 days'
    GROUP BY o.id
)
SELECT coalesce(s.name, ''), count(*), count(*) FILTER (WHERE abs(total - lines) > 0.05)
FROM sums JOIN ingestion_source s ON s.id = source_id
GROUP BY GROUPING SETS ((), (s.name))
"""
_SHARED_PHONES = """
SELECT coalesce(sum(n), 0), coalesce(sum(n) FILTER (WHERE n > 1), 0) FROM
    (SELECT count(*) AS n FROM ingestion_customer WHERE phone <> '' GROUP BY phone) p
"""
_SAME_NAMES = """
SELECT coalesce(sum(n), 0), coalesce(sum(n - 1), 0) FROM
    (SELECT count(*) AS n FROM ingestion_product WHERE name <> '' AND active
     GROUP BY lower(name)) p
"""
_IMPORTS = """
SELECT coalesce(s.name, ''), sum(received), sum(quarantined), sum(duplicate)
FROM ingestion_importjob i JOIN ingestion_source s ON s.id = i.source_id
WHERE i.state = 'done' AND i.finished_at >= %s AND i.received > 0
GROUP BY GROUPING SETS ((), (s.name))
"""
_FILLED = """
WITH volume AS (
    SELECT type_id, sum(count) AS n FROM ingestion_eventvolume
    WHERE at >= %(since)s AND at < %(until)s AND NOT daily GROUP BY type_id
), filled AS (
    SELECT property_id, sum(filled) AS n FROM ingestion_eventpropertyday
    WHERE day >= %(since)s::date AND day < %(until)s::date GROUP BY property_id
)
SELECT t.name, p.name, v.n, least(coalesce(f.n, 0), v.n)
FROM volume v JOIN ingestion_eventtype t ON t.id = v.type_id
JOIN ingestion_eventproperty p ON p.type_id = t.id LEFT JOIN filled f ON f.property_id = p.id
"""
_ORDER_DAYS = """
SELECT coalesce(s.name, ''), (o.placed_at AT TIME ZONE 'UTC')::date, count(*)
FROM ingestion_order o JOIN ingestion_source s ON s.id = o.source_id
WHERE o.placed_at >= %s AND o.placed_at < %s GROUP BY 1, 2
"""
_EVENT_DAYS = """
SELECT {column}, (v.at AT TIME ZONE 'UTC')::date, sum(v.count)::bigint
FROM ingestion_eventvolume v JOIN ingestion_eventtype t ON t.id = v.type_id
WHERE v.at >= %s AND v.at < %s GROUP BY 1, 2
"""
_LAST_ORDERS = """
SELECT s.name, max(o.placed_at) FROM ingestion_order o
JOIN ingestion_source s ON s.id = o.source_id GROUP BY 1
"""
_LAST_EVENTS = """
SELECT v.source, least(max(v.at) + interval '1 hour', max(t.last_seen_at))
FROM ingestion_eventvolume v JOIN ingestion_eventtype t ON t.id = v.type_id GROUP BY 1
"""

Report = Callable[[int, Words], None]


def measure(*, now: datetime, report: Report | None = None) -> list[Measure]:
    """Measure everything and store it as this day's figures. `report` hears of each step."""
    day = now.astimezone(UTC).date()
    steps: list[tuple[Words, Callable[[datetime], Iterable[Row]]]] = [
        (table.label, _asker(name)) for name, table in fields.TABLES.items()
    ]
    steps += [
        ("", _relations),
        ("", _events),
        ("", _imports),
        ("", _volumes),
        ("", _freshness),
    ]
    discovery.fold(now=now)
    rows: list[Row] = []
    for index, (label, ask) in enumerate(steps):
        if report is not None:
            report(index, label)
        rows += ask(now)
    measures = [
        Measure(
            day=day,
            dimension=dimension,
            subject=subject[:120],
            field=field[:220],
            source=source[:100],
            total=total,
            bad=bad,
            value=value,
        )
        for dimension, subject, field, source, total, bad, value in rows
    ]
    with transaction.atomic():
        Measure.objects.filter(day=day).delete()
        Measure.objects.filter(day__lt=day - KEPT).delete()
        Measure.objects.bulk_create(measures, batch_size=2_000)
        _store_scores(day, measures, now)
    return measures


def _asker(subject: str) -> Callable[[datetime], Iterable[Row]]:
    def ask(now: datetime) -> Iterable[Row]:
        return _table(subject)

    return ask


def _table(subject: str) -> Iterable[Row]:
    """All checks of a table in one pass, over all rows and for each source."""
    table = fields.TABLES[subject]
    counts = ", ".join(
        f"count(*) FILTER (WHERE {c.applies}), count(*) FILTER (WHERE {c.applies} AND {c.bad})"
        for c in table.checks
    ).replace(fields.COUNTRIES, fields.country_codes())
    source = f"coalesce({table.source}, '')" if table.source else "''"
    group = f"GROUP BY GROUPING SETS ((), ({source}))" if table.source else ""
    mark = f"grouping({source})" if table.source else "1"
    columns = f"{source}, {mark}, {counts}"
    sql = f"SELECT {columns} FROM {table.table} t{table.joins} {group}"
    found: list[Row] = []
    with connection.cursor() as cursor:
        cursor.execute(sql)
        for name, whole, *numbers in cursor.fetchall():
            label = "" if whole else str(name or "")
            if not whole and not label:
                continue
            for check, total, bad in zip(table.checks, numbers[::2], numbers[1::2], strict=True):
                if total:
                    found.append((check.dimension, subject, check.field, label, total, bad, None))
    return found


def _relations(now: datetime) -> Iterable[Row]:
    with connection.cursor() as cursor:
        cursor.execute(_ORDER_TOTALS)
        for source, total, bad in cursor.fetchall():
            if total:
                yield CONSISTENT, "orders", "total", source, total, bad, None
        for subject, field, sql in (
            ("customers", "phone", _SHARED_PHONES),
            ("products", "name", _SAME_NAMES),
        ):
            cursor.execute(sql)
            total, bad = cursor.fetchone()
            if total:
                yield UNIQUE, subject, field, "", int(total), int(bad), None


def _events(now: datetime) -> Iterable[Row]:
    """How often each property had a value on the last whole day, and values of another kind."""
    today = _midnight(now)
    with connection.cursor() as cursor:
        cursor.execute(_FILLED, {"since": today - timedelta(days=1), "until": today})
        for name, title, total, filled in cursor.fetchall():
            yield COMPLETE, fields.EVENTS + name, title, "", int(total), int(total - filled), None
    for row in EventProperty.objects.select_related("type").filter(last_seen_at__gte=now - RECENT):
        kinds = shapes.shares(row.kinds)
        if kinds:
            total = row.count - int(row.kinds.get(shapes.NULL, 0))
            bad = round(total * (1 - kinds[0][1]))
            yield VALID, fields.EVENTS + row.type.name, row.name, "", total, bad, None


def _imports(now: datetime) -> Iterable[Row]:
    with connection.cursor() as cursor:
        cursor.execute(_IMPORTS, [now - timedelta(days=30)])
        for source, received, set_aside, twice in cursor.fetchall():
            if received:
                yield VALID, fields.IMPORTS, "", source, int(received), int(set_aside), None
                yield UNIQUE, fields.IMPORTS, "", source, int(received), 0, float(twice / received)


def _midnight(now: datetime) -> datetime:
    return datetime.combine(now.astimezone(UTC).date(), datetime.min.time(), UTC)


def series(*, now: datetime) -> dict[tuple[str, str], dict[date, int]]:
    """Rows a day over the last weeks: {(subject, source): {day: rows}}. Whole days alone."""
    until = _midnight(now)
    since = until - LOOK_BACK
    out: dict[tuple[str, str], dict[date, int]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(_ORDER_DAYS, [since, until])
        for source, day, count in cursor.fetchall():
            out["orders", source][day] = count
        cursor.execute(_EVENT_DAYS.format(column="v.source"), [since, until])
        for source, day, count in cursor.fetchall():
            out["events", source][day] = count
        cursor.execute(_EVENT_DAYS.format(column="t.name"), [since, until])
        for name, day, count in cursor.fetchall():
            out[fields.EVENTS + name, ""][day] = count
    return out


def _volumes(now: datetime) -> Iterable[Row]:
    """Yesterday's rows against the same weekday before; value is what was expected, if known."""
    day = _midnight(now).date() - timedelta(days=1)
    for (subject, source), days in series(now=now).items():
        first = min(days)
        before = [
            days.get(past, 0)
            for week in range(statistics.WEEKS, 0, -1)
            if (past := day - timedelta(days=7 * week)) >= first
        ]
        today = days.get(day, 0)
        found = statistics.compare(today=today, before=before)
        if found.verdict == statistics.UNSURE:
            yield VOLUME, subject, "", source, today, 0, None
        else:
            bad = int(found.verdict != statistics.USUAL)
            if today or bad:
                yield VOLUME, subject, "", source, today, bad, found.expected


def _freshness(now: datetime) -> Iterable[Row]:
    """Hours since each source last sent, and whether that is more than its rhythm allows."""
    active: dict[tuple[str, str], list[date]] = {}
    for (subject, source), days in series(now=now).items():
        if not subject.startswith(fields.EVENTS):
            active[subject, source] = sorted(days)
    with connection.cursor() as cursor:
        for subject, sql in (("orders", _LAST_ORDERS), ("events", _LAST_EVENTS)):
            cursor.execute(sql)
            for source, last_at in cursor.fetchall():
                seen = [d.toordinal() for d in active.get((subject, source), [])]
                found = statistics.rhythm(active_days=seen, last_at=last_at, now=now)
                hours = (now - last_at).total_seconds() / 3600
                known = found.usual is not None and not found.ended
                yield FRESH, subject, "", source, int(known), int(found.late), round(hours, 2)


def _store_scores(day: date, measures: list[Measure], now: datetime) -> None:
    scores = score(measures)
    DayScore.objects.filter(day=day).delete()
    DayScore.objects.bulk_create(
        DayScore(day=day, dimension=name, score=value, at=now) for name, value in scores.items()
    )


def score(measures: Iterable[Measure]) -> dict[str, float]:
    """0 to 100 per dimension, and under "" their mean; a dimension without figures is left out.

    Every field counts alike. A field that was never filled is not used, and says nothing.
    """
    shares: dict[str, list[float]] = defaultdict(list)
    for row in measures:
        if row.dimension in (FRESH, VOLUME):
            if row.total and (row.dimension == FRESH or row.value is not None):
                shares[row.dimension].append(1.0 - row.bad)
            elif row.dimension == VOLUME and row.bad:
                shares[VOLUME].append(0.0)
            continue
        unused = row.dimension == COMPLETE and row.bad == row.total
        if row.source or unused or not row.total:
            continue
        shares[row.dimension].append(1 - row.bad / row.total)
    out = {name: round(100 * fmean(values), 2) for name, values in shares.items()}
    if out:
        out[""] = round(fmean(out.values()), 2)
    return out

"""What used to be sent and is not any more, and days on which an event came unusually often."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from django.db import connection

from ingestion.models import Drift, EventType, Measure

_GONE = """
WITH days AS (
    SELECT type_id, (at AT TIME ZONE 'UTC')::date AS day, sum(count) AS n
    FROM ingestion_eventvolume WHERE at >= %(since)s AND at < %(until)s AND NOT daily GROUP BY 1, 2
)
SELECT p.type_id, p.name, max(f.day) FROM ingestion_eventproperty p
JOIN days y ON y.type_id = p.type_id AND y.day = %(yesterday)s AND y.n >= %(enough)s
JOIN ingestion_eventpropertyday f ON f.property_id = p.id
    AND f.day >= %(since)s::date AND f.day < %(until)s::date AND f.filled > 0
GROUP BY p.type_id, p.name
HAVING count(*) >= 4 AND max(f.day) = %(before)s
"""
ENOUGH = 50
VOLUME = "volume"
_PREFIX = "events:"


def notice(*, measures: Iterable[Measure], now: datetime) -> int:
    """Note the properties that stopped yesterday and the events with an unusual day; how many."""
    until = datetime.combine(now.astimezone(UTC).date(), datetime.min.time(), UTC)
    yesterday = (until - timedelta(days=1)).date()
    rows = []
    with connection.cursor() as cursor:
        cursor.execute(
            _GONE,
            {
                "since": until - timedelta(days=8),
                "until": until,
                "yesterday": yesterday,
                "before": yesterday - timedelta(days=1),
                "enough": ENOUGH,
            },
        )
        for type_id, name, last in cursor.fetchall():
            rows.append(_row(Drift.Kind.DISAPPEARED, type_id, name, now, {"last": str(last)}))
    unusual = {
        m.subject.removeprefix(_PREFIX): m
        for m in measures
        if m.dimension == VOLUME and m.bad and m.subject.startswith(_PREFIX)
    }
    for found in EventType.objects.filter(name__in=unusual):
        figure = unusual[found.name]
        detail = {"rows": figure.total, "expected": figure.value}
        rows.append(_row(Drift.Kind.VOLUME, found.pk, "", now, detail))
    return len(Drift.objects.bulk_create(rows, ignore_conflicts=True))


def _row(kind: str, type_id: int, name: str, now: datetime, detail: Mapping[str, object]) -> Drift:
    day = now.astimezone(UTC).date()
    return Drift(at=now, kind=kind, type_id=type_id, property=name, day=day, detail=dict(detail))

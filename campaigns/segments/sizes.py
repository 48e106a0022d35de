"""The size of each segment as stored, and its line over time: written here alone."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from campaigns.models import Segment

# A point of the line when the size changed, but not more often than this, and one a day.
POINT, DAILY = timedelta(minutes=10), timedelta(hours=20)
_KEEP = """
WITH told AS (
    SELECT * FROM unnest(%(ids)s::bigint[], %(people)s::bigint[]) AS n (id, people)
), kept AS (
    UPDATE campaigns_segment s SET size = told.people, counted_at = %(now)s
    FROM told WHERE s.id = told.id
)
INSERT INTO campaigns_segmentsize (segment_id, at, size)
SELECT told.id, %(now)s, told.people FROM told LEFT JOIN LATERAL (
    SELECT at, size FROM campaigns_segmentsize WHERE segment_id = told.id ORDER BY at DESC LIMIT 1
) AS last ON true
WHERE last.at IS NULL OR %(now)s - last.at > %(daily)s
   OR (last.size <> told.people AND %(now)s - last.at > %(point)s)
ORDER BY told.id
"""


def keep(*, people: Mapping[int, int], now: datetime) -> None:
    """The sizes that lists show, by segment, and their line over time."""
    values: dict[str, Any] = {"ids": list(people), "people": list(people.values()), "now": now}
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, values | {"daily": DAILY, "point": POINT})


def forget(*, segment: Segment) -> None:
    """The rule is another one: how many it means is not known until its members are stored."""
    Segment.objects.filter(pk=segment.pk).update(size=None, counted_at=None)
    segment.size = segment.counted_at = None

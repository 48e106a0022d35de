"""The size of each segment as stored, and its line over time: written here alone."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import connection

from campaigns.models import Segment, SegmentSize

# A point of the line when the size changed, but not more often than this, and one a day.
POINT, DAILY = timedelta(minutes=10), timedelta(hours=20)
_KEEP = """
UPDATE campaigns_segment s SET size = n.people, counted_at = %s
FROM unnest(%s::bigint[], %s::bigint[]) AS n (id, people) WHERE s.id = n.id
"""


def keep(*, people: Mapping[int, int], now: datetime) -> None:
    """The sizes that lists show, by segment, and their line over time."""
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, [now, list(people), list(people.values())])
    last = {
        row.segment_id: row
        for row in SegmentSize.objects.filter(segment__in=people)
        .order_by("segment_id", "-at")
        .distinct("segment_id")
    }
    SegmentSize.objects.bulk_create(
        SegmentSize(segment_id=number, at=now, size=size)
        for number, size in people.items()
        if _wanted(last.get(number), size, now)
    )


def _wanted(last: SegmentSize | None, size: int, now: datetime) -> bool:
    """Whether the line gets another point."""
    if last is None or now - last.at > DAILY:
        return True
    return last.size != size and now - last.at > POINT


def forget(*, segment: Segment) -> None:
    """The rule is another one: how many it means is not known until its members are stored."""
    Segment.objects.filter(pk=segment.pk).update(size=None, counted_at=None)
    segment.size = segment.counted_at = None

"""How far segments were brought: those that were brought equally far move on as one row.

A change concerns most segments of a shop, and a row to write for each would cost more than to ask
them all. Whoever writes here holds the turn of whoever writes moves.
"""

from collections.abc import Collection
from datetime import datetime

from django.db import connection

from campaigns.models import SegmentLevel, SegmentUpkeep
from campaigns.segments import moves
from campaigns.segments.asking import array
from marketing.core.db import advisory_lock

# So many rows may say the same; from there on their segments share one.
ALIKE = 8
# Segments that are still at a level, by the row they share.
_THERE = """
SELECT u.level_id, array_agg(u.segment_id)
FROM campaigns_segmentupkeep u JOIN campaigns_segmentlevel l ON l.id = u.level_id
WHERE l.position = %s AND l.as_of = %s AND l.looked_at = %s GROUP BY 1
"""
_SHARE = """
UPDATE campaigns_segmentupkeep SET level_id = %s WHERE segment_id = ANY(%s::bigint[])
"""
_LEFT = """
DELETE FROM campaigns_segmentlevel l WHERE l.id = ANY(%s::bigint[])
    AND NOT EXISTS (SELECT FROM campaigns_segmentupkeep u WHERE u.level_id = l.id)
"""


def move_on(
    numbers: Collection[int],
    before: tuple[str, datetime, datetime],
    position: str,
    moments: tuple[datetime, datetime] | None = None,
) -> set[int]:
    """Say that these segments saw everything up to a position, and with moments also the time.

    `before` and `moments` say what days count back from and when time was looked at. Those that are
    elsewhere by now stay there; the others come back.
    """
    wanted = set(numbers)
    whole: list[int] = []
    parts: set[int] = set()
    found: set[int] = set()
    as_of, looked_at = moments or before[1:]
    with connection.cursor() as cursor:
        cursor.execute(_THERE, before)
        rows = cursor.fetchall()
        for level, there in sorted(rows, key=lambda row: -len(row[1])):
            mine = wanted.intersection(there)
            if not mine:
                continue
            found |= mine
            if len(mine) == len(there) and len(whole) < ALIKE:
                whole.append(level)
            else:
                parts |= mine
        SegmentLevel.objects.filter(pk__in=whole).update(
            position=position, as_of=as_of, looked_at=looked_at
        )
        if parts:
            if not whole:
                whole = [_new(position, as_of, looked_at).pk]
            cursor.execute(_SHARE, [whole[0], array(parts)])
            cursor.execute(_LEFT, [array(level for level, _there in rows)])
    return found


def put(state: SegmentUpkeep, *, position: str, as_of: datetime, looked_at: datetime) -> None:
    """Bring one segment to a level of its own, and store it; what it alone was at is gone."""
    before = state.level_id
    state.level = _new(position, as_of, looked_at)
    state.save()
    if before is not None:
        with connection.cursor() as cursor:
            cursor.execute(_LEFT, [array([before])])


def tidy() -> None:
    """Remove the levels of segments that are gone."""
    with advisory_lock(moves.LOCK):
        SegmentLevel.objects.filter(upkeeps=None).delete()


def of(number: int) -> SegmentUpkeep | None:
    """How far one segment was brought; None where it is not kept yet."""
    return SegmentUpkeep.objects.select_related("level").filter(pk=number).first()


def _new(position: str, as_of: datetime, looked_at: datetime) -> SegmentLevel:
    return SegmentLevel.objects.create(position=position, as_of=as_of, looked_at=looked_at)

"""How a segment's size went: its counts, and who entered and left on each day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db.models import Count, Q
from django.db.models.functions import TruncDate
from django.utils import timezone

from campaigns.models import Segment, SegmentMove, SegmentSize

DAYS = 30
_COUNTS = 50  # a day at most; older ones of a busy day are not needed


@dataclass(frozen=True, slots=True)
class Day:
    """One day of a segment: how many entered and left, and how many were in it at its end."""

    day: date
    entered: int
    left: int
    size: int | None


@dataclass(frozen=True, slots=True)
class History:
    """The last days of a segment. `entered` and `left` are of people whom something happened to;
    those who moved as the rule was made or changed are in the sizes alone.
    """

    days: list[Day]
    entered: int
    left: int

    @property
    def sizes(self) -> list[int]:
        return [day.size for day in self.days if day.size is not None]

    @property
    def highest(self) -> int:
        """The most people that moved one way on a day, at least 1: what bars are measured by."""
        return max([1, *(max(day.entered, day.left) for day in self.days)])


def of(*, segment: Segment, now: datetime | None = None, days: int = DAYS) -> History:
    """The last days up to and with today, each there even if nothing happened."""
    today = timezone.localdate(now or timezone.now())
    first = today - timedelta(days=days - 1)
    begins = datetime.combine(first, time(), timezone.get_current_timezone())
    moves = {
        row["day"]: row
        for row in SegmentMove.objects.filter(segment=segment, at__gte=begins)
        .exclude(cause=SegmentMove.Cause.RULE)
        .order_by()
        .values(day=TruncDate("at"))
        .annotate(
            came=Count("pk", filter=Q(entered=True)), went=Count("pk", filter=Q(entered=False))
        )
    }
    counts = SegmentSize.objects.filter(segment=segment).order_by("-at")
    sizes = _sizes(list(counts[: _COUNTS * days])[::-1], first, today)
    found = []
    for i in range(days):
        day = first + timedelta(days=i)
        moved = moves.get(day, {"came": 0, "went": 0})
        found.append(Day(day, moved["came"], moved["went"], sizes.get(day)))
    return History(found, sum(d.entered for d in found), sum(d.left for d in found))


def trends(*, segments: Sequence[Segment], days: int = DAYS) -> dict[int, list[int]]:
    """The last size of each of the last days that had one, by segment."""
    first = timezone.now() - timedelta(days=days)
    rows = (
        SegmentSize.objects.filter(segment__in=segments, at__gte=first)
        .annotate(day=TruncDate("at"))
        .order_by("segment_id", "day", "-at")
        .distinct("segment_id", "day")
    )
    found: dict[int, list[int]] = {}
    for row in rows:
        found.setdefault(row.segment_id, []).append(row.size)
    return found


def moves(*, segments: Sequence[Segment], days: int = 7) -> dict[int, tuple[int, int]]:
    """How many entered and left each segment in the last days, but for changes of its rule."""
    first = timezone.now() - timedelta(days=days)
    rows = (
        SegmentMove.objects.filter(segment__in=segments, at__gte=first)
        .exclude(cause=SegmentMove.Cause.RULE)
        .order_by()
        .values_list("segment")
        .annotate(
            came=Count("pk", filter=Q(entered=True)), went=Count("pk", filter=Q(entered=False))
        )
    )
    return {pk: (came, went) for pk, came, went in rows}


def _sizes(rows: Sequence[SegmentSize], first: date, last: date) -> dict[date, int]:
    """The last count of each day; a day without one kept the size of the day before."""
    counted: dict[date, int] = {}
    before: int | None = None
    for row in rows:
        day = timezone.localdate(row.at)
        if day < first:
            before = row.size
        else:
            counted[day] = row.size
    found: dict[date, int] = {}
    day = first
    while day <= last:
        before = counted.get(day, before)
        if before is not None:
            found[day] = before
        day += timedelta(days=1)
    return found

"""The size of each segment as stored, and its line over time: written here alone."""

from datetime import datetime, timedelta

from campaigns.models import Segment, SegmentSize

# A point of the line when the size changed, but not more often than this, and one a day.
POINT, DAILY = timedelta(minutes=10), timedelta(hours=20)


def keep(*, segment_id: int, people: int, now: datetime) -> None:
    """The size that lists show, and its line over time."""
    Segment.objects.filter(pk=segment_id).update(size=people, counted_at=now)
    last = SegmentSize.objects.filter(segment_id=segment_id).order_by("-at").first()
    if last is None or (last.size != people and now - last.at > POINT) or now - last.at > DAILY:
        SegmentSize.objects.create(segment_id=segment_id, at=now, size=people)


def forget(*, segment: Segment) -> None:
    """The rule is another one: how many it means is not known until its members are stored."""
    Segment.objects.filter(pk=segment.pk).update(size=None, counted_at=None)
    segment.size = segment.counted_at = None

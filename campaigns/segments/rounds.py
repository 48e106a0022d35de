"""What one refresh of stored membership found out, asked once for many segments."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import connection

from campaigns.models import SegmentUpkeep
from campaigns.segments import clock
from campaigns.segments.needs import Edge, Needs
from campaigns.segments.rulebook import Rules
from ingestion import changes
from ingestion.models import Customer

# How long time may go by before somebody is looked for whose answer it made another one.
PACE = timedelta(seconds=20)
# So few people are asked about all segments at once.
TOGETHER = 50
# Changes older than this may be gone.
_FORGOTTEN = changes.KEPT - timedelta(hours=1)


@dataclass
class Done:
    """What a refresh did: segments looked at and made anew, people who entered and left; `more`
    when its time was over before it was through.
    """

    segments: int = 0
    rebuilt: int = 0
    entered: int = 0
    left: int = 0
    more: bool = False


@dataclass(frozen=True)
class Concern:
    """Who is to be asked about one segment: whoever changed, and whom only time may have moved.

    With `clock` the moment that its days count back from moves on, too.
    """

    number: int
    changed: set[int]
    timely: set[int]
    clock: bool

    @property
    def people(self) -> set[int]:
        return self.changed | self.timely


@dataclass
class Round:
    """What one refresh has found out, so that many segments ask once."""

    now: datetime
    as_of: datetime
    everyone: int
    rules: Rules
    news: dict[str, changes.News] = field(default_factory=dict)
    times: dict[tuple[Edge, datetime], set[int]] = field(default_factory=dict)
    ends: dict[datetime, set[int]] = field(default_factory=dict)

    def since(self, position: str) -> changes.News:
        if position not in self.news:
            self.news[position] = changes.since(position)
        return self.news[position]

    def timely(self, needs: Needs, state: SegmentUpkeep) -> set[int] | None:
        """Of whom the time that went by may have made the answer another one; None: of anybody."""
        if clock.everybody(needs, state.as_of, self.as_of):
            return None
        found: set[int] = set()
        for edge in needs.edges:
            key = (edge, state.as_of)
            if key not in self.times:
                self.times[key] = clock.concerned(edge, state.as_of, self.as_of)
            found |= self.times[key]
        if needs.endings:
            if state.looked_at not in self.ends:
                self.ends[state.looked_at] = clock.ended(state.looked_at, self.now)
            found |= self.ends[state.looked_at]
        return found

    def nothing(self, number: int, state: SegmentUpkeep) -> bool:
        """Whether nothing concerns a segment for now."""
        needs = self.rules.needs[number]
        if state.signature != self.rules.signatures[number] or state.fault:
            return False
        news = self.since(state.position)
        if self.stale(state, news) or news.of(needs.changes | {_erased(number)}) != set():
            return False
        return needs.timeless or not self.due(state)

    def concern(self, number: int, state: SegmentUpkeep) -> Concern | None:
        """Whom a segment is to be asked about; None where it is to be looked at by itself."""
        news = self.since(state.position)
        if (
            state.fault
            or state.signature != self.rules.signatures[number]
            or self.stale(state, news)
            or self.erased(state)
        ):
            return None
        needs = self.rules.needs[number]
        changed = news.of(needs.changes)
        due = not needs.timeless and self.due(state)
        timely = self.timely(needs, state) if due else set()
        if changed is None or timely is None or len(changed) + len(timely) > TOGETHER:
            return None
        return Concern(number, changed, timely - changed, due or needs.timeless)

    def stale(self, state: SegmentUpkeep, news: changes.News) -> bool:
        """Whether what happened since can no longer be told."""
        return news.lost or self.as_of < state.as_of or self.now - state.looked_at > _FORGOTTEN

    def due(self, state: SegmentUpkeep) -> bool:
        """Whether so much time went by that it is looked at."""
        return self.now - state.looked_at >= PACE or self.as_of - state.as_of >= PACE

    def erased(self, state: SegmentUpkeep) -> set[int] | None:
        """Whom an erasure took out of the segment since."""
        return self.since(state.position).of({_erased(state.segment_id)})


def _erased(number: int) -> tuple[str, str]:
    """How it is noted that an erasure took somebody out of a segment."""
    return changes.ERASED, str(number)


def people_about() -> int:
    """About how many people there are."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT reltuples::bigint FROM pg_class WHERE oid = 'ingestion_customer'::regclass"
        )
        known = int(cursor.fetchone()[0])
    return known if known > 0 else Customer.objects.count()

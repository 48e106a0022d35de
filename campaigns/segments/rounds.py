"""What one refresh of stored membership found out, asked once for many segments."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple

from django.db import connection

from campaigns.models import SegmentUpkeep
from campaigns.segments import clock
from campaigns.segments.needs import Edge, Needs
from campaigns.segments.rulebook import Rules
from ingestion import changes
from ingestion.models import Customer

# How long time may go by before somebody is looked for whose answer it made another one.
PACE = timedelta(seconds=20)
# So few people may be asked about many segments at once, as long as answers are not too many.
TOGETHER = 20_000
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


class Level(NamedTuple):
    """How far segments were brought, many of them equally; see `SegmentLevel`."""

    position: str
    as_of: datetime
    looked_at: datetime
    fault: str = ""

    @property
    def moments(self) -> tuple[str, datetime, datetime]:
        """What its rows say."""
        return self[:3]


def level_of(state: SegmentUpkeep) -> Level:
    """How far one segment was brought."""
    level = state.level
    return Level(level.position, level.as_of, level.looked_at, state.fault)


class State(NamedTuple):
    """How far one segment was brought, and by which rule."""

    level: Level
    signature: str


class Concern(NamedTuple):
    """Who is to be asked about one segment: whoever changed, and whom only time may have moved.

    With `clock` the moment that its days count back from moves on, too.
    """

    number: int
    level: Level
    changed: set[int]
    timely: set[int]
    clock: bool

    @property
    def people(self) -> set[int]:
        return self.changed | self.timely if self.timely else self.changed


@dataclass(slots=True)
class View:
    """What a level comes to: what was told since, and whether time is to be looked at."""

    news: changes.News
    stale: bool
    due: bool
    erased: set[str]
    told: dict[frozenset[tuple[str, str]], set[int] | None] = field(default_factory=dict)

    def changed(self, kinds: frozenset[tuple[str, str]]) -> set[int] | None:
        """Whoever changed in one of these ways; not to be changed."""
        if kinds not in self.told:
            self.told[kinds] = self.news.of(kinds)
        return self.told[kinds]

    def has_erased(self, number: int) -> bool:
        """Whether an erasure took somebody out of the segment."""
        return bool(self.erased) and not self.erased.isdisjoint((str(number), ""))


@dataclass
class Round:
    """What one refresh has found out, so that many segments ask once."""

    now: datetime
    as_of: datetime
    rules: Rules
    news: dict[str, changes.News] = field(default_factory=dict)
    times: dict[tuple[Edge, datetime], set[int]] = field(default_factory=dict)
    ends: dict[datetime, set[int]] = field(default_factory=dict)
    views: dict[Level, View] = field(default_factory=dict)

    @cached_property
    def everyone(self) -> int:
        """About how many people there are."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT reltuples::bigint FROM pg_class WHERE oid = 'ingestion_customer'::regclass"
            )
            known = int(cursor.fetchone()[0])
        return known if known > 0 else Customer.objects.count()

    def since(self, position: str) -> changes.News:
        if position not in self.news:
            self.news[position] = changes.since(position)
        return self.news[position]

    def view(self, level: Level) -> View:
        found = self.views.get(level)
        if found is None:
            news = self.since(level.position)
            erased = {what for kind, what in news.people if kind == changes.ERASED}
            stale, due = self.stale(level, news), self.due(level)
            found = self.views[level] = View(news, stale, due, erased)
        return found

    def timely(self, needs: Needs, state: Level) -> set[int] | None:
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

    def nothing(self, number: int, state: State, view: View) -> bool:
        """Whether nothing concerns a segment for now."""
        rules = self.rules
        if state.signature != rules.signatures[number] or state.level.fault or view.stale:
            return False
        if view.changed(rules.kinds[number]) != set() or view.has_erased(number):
            return False
        return not view.due or rules.needs[number].timeless

    def concern(self, number: int, state: State, view: View) -> Concern | None:
        """Whom a segment is to be asked about; None where it is to be looked at by itself."""
        rules, level = self.rules, state.level
        if (
            level.fault
            or state.signature != rules.signatures[number]
            or view.stale
            or view.has_erased(number)
        ):
            return None
        needs = rules.needs[number]
        timeless = needs.timeless
        changed = view.changed(rules.kinds[number])
        timely = self.timely(needs, level) if view.due and not timeless else set()
        if changed is None or timely is None or len(changed) + len(timely) > TOGETHER:
            return None
        return Concern(number, level, changed, timely - changed, view.due or timeless)

    def stale(self, state: Level, news: changes.News) -> bool:
        """Whether what happened since can no longer be told."""
        return news.lost or self.as_of < state.as_of or self.now - state.looked_at > _FORGOTTEN

    def due(self, state: Level) -> bool:
        """Whether so much time went by that it is looked at."""
        return self.now - state.looked_at >= PACE or self.as_of - state.as_of >= PACE

    def erased(self, state: SegmentUpkeep) -> set[int] | None:
        """Whom an erasure took out of the segment since."""
        return self.since(state.level.position).of({_erased(state.segment_id)})


def _erased(number: int) -> tuple[str, str]:
    """How it is noted that an erasure took somebody out of a segment."""
    return changes.ERASED, str(number)


def states() -> Mapping[int, State]:
    """How far each segment was brought."""
    with connection.cursor() as cursor:
        # Together, since most were brought equally far: a moment is read once for hundreds.
        cursor.execute(
            "SELECT l.position, l.as_of, l.looked_at, u.fault, array_agg(u.segment_id),"
            " array_agg(u.signature::text) FROM campaigns_segmentupkeep u"
            " JOIN campaigns_segmentlevel l ON l.id = u.level_id GROUP BY l.id, u.fault"
        )
        rows = cursor.fetchall()
    found: dict[int, State] = {}
    for *far, numbers, signatures in rows:
        level = Level(*far)
        for number, signature in zip(numbers, signatures, strict=True):
            found[number] = State(level, signature)
    return found

"""Journeys walked in memory along a line of time: for one person, or for everybody of some weeks.

The same `walk` as when a journey is live, with facts told in the order in which they came. Nothing
is written. People are alone with their own facts, so each is brought up to a fact of theirs, and
everybody else once a tick, all together.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from campaigns.journeys import matching
from campaigns.journeys.graph import Graph, Node, Question, Sign, held_out
from campaigns.journeys.walking import Line, Walker, walk

TICK = timedelta(minutes=1)
Ask = Callable[[Node, Question, Sequence[int], datetime], Mapping[int, Any]]
May = Callable[[Sequence[int], datetime], set[int]]


@dataclass(frozen=True, slots=True)
class Fact:
    """An event of a person, or a move of theirs in a segment, when we learned of it."""

    customer_id: int
    at: datetime
    type: str = ""
    properties: Mapping[str, Any] = field(default_factory=dict)
    segment: int | None = None
    entered: bool = True
    brings: str = ""  # set for what brings people in by the calendar: the cause


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that a step did for somebody."""

    customer_id: int
    stay: int
    node: str
    kind: str
    at: datetime


def is_sign(sign: Sign, fact: Fact) -> bool:
    """Whether a fact is what a sign waits for."""
    if sign.event:
        return fact.type == sign.event and matching.passes(sign.where, fact.properties)
    return fact.segment == sign.segment and fact.entered == sign.entered


def _begins(graph: Graph) -> Sign | None:
    """What brings people in; None where the calendar or somebody else does."""
    said = graph.trigger.settings
    match graph.trigger.kind:
        case "event":
            return Sign(event=said["event"], where=said["where"])
        case "segment_enter" | "segment_leave" as kind:
            return Sign(segment=said["segment"], entered=kind == "segment_enter")
    return None


class Timeline:
    """Stays in a journey along a line of time. `ask` answers questions as of a moment; `may` says
    of whom the rule of entry holds.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        key: str,
        ask: Ask,
        may: May | None = None,
        zone_of: Callable[[int], ZoneInfo],
        day_of: Callable[[datetime], Any] = datetime.date,
    ) -> None:
        self.graph, self.key, self.ask, self.may = graph, key, ask, may
        self.zone_of, self.day_of = zone_of, day_of
        self._begins = _begins(graph)
        self.lines: list[Line] = []
        self.deeds: list[Deed] = []
        self.stays: dict[int, Walker] = {}
        self.entered_at: dict[int, datetime] = {}
        self.turned_away: Counter[str] = Counter()
        self.entered: Counter[Any] = Counter()
        self.held: Counter[Any] = Counter()
        self.capped_days: set[Any] = set()
        self._slots: dict[int, str] = {}
        self._open: dict[int, list[Walker]] = defaultdict(list)
        self._last: dict[tuple[int, str], datetime] = {}
        self._due: list[tuple[datetime, int]] = []

    def run(self, facts: Iterable[Fact], *, begins: datetime, until: datetime) -> None:
        """Tell the facts, which come in order, and walk everybody on up to `until`."""
        now = begins
        some: list[Fact] = []
        for fact in facts:
            if fact.at > until:
                break
            while fact.at >= now + TICK:
                now = self._tick(some, now, fact.at)
                some = []
            some.append(fact)
        while now <= until:
            now = self._tick(some, now, until + TICK)
            some = []
        self._walk_due(until)

    def _tick(self, facts: Sequence[Fact], now: datetime, following: datetime) -> datetime:
        """One tick; the moment of the next in which anything can happen."""
        end = now + TICK
        if facts:
            allowed = self._allowed(facts, end)
            for fact in facts:
                self._tell(fact, allowed)
        self._walk_due(end - timedelta(microseconds=1))
        ahead = min(self._due[0][0], following) if self._due else following
        skipped = max(0, (ahead - end) // TICK)
        return end + skipped * TICK

    def asked_of(
        self, facts: Iterable[Fact], *, begins: datetime
    ) -> Iterator[tuple[int, datetime]]:
        """Of whom, and as of when, `may` will be asked when these facts are told."""
        for fact in facts:
            if self.brings(fact):
                yield fact.customer_id, begins + ((fact.at - begins) // TICK + 1) * TICK

    def _allowed(self, facts: Sequence[Fact], now: datetime) -> set[int] | None:
        if self.may is None:
            return None
        asked = sorted({fact.customer_id for fact in facts if self.brings(fact)})
        return self.may(asked, now) if asked else set()

    def brings(self, fact: Fact) -> bool:
        """Whether somebody may come in by a fact."""
        return bool(fact.brings) if self._begins is None else is_sign(self._begins, fact)

    def _slot(self, fact: Fact) -> str:
        said = fact.properties.get(self.graph.entry.key) if self.graph.entry.key else None
        return "" if said is None else matching.as_text(said)[:200]

    def _tell(self, fact: Fact, allowed: set[int] | None) -> None:
        """First those inside: whose wait is over, who reached the goal, who leaves; then entry."""
        mine, brings = self._open[fact.customer_id], self.brings(fact)
        if not mine and not brings:
            return
        due = [w for w in mine if w.wake_at and w.wake_at <= fact.at]
        if due:
            self._walk(due, fact.at)
        slot = self._slot(fact)
        for walker in list(mine):
            if slot and self._slots[walker.id] not in ("", slot):
                continue
            self._tell_stay(walker, fact)
        if brings:
            self._enter(fact, slot, allowed)

    def _tell_stay(self, walker: Walker, fact: Fact) -> None:
        graph = self.graph
        node = graph.nodes[walker.node]
        if node.kind == "wait_event" and fact.at > walker.arrived_at and walker.heard_at is None:
            sign = Sign(event=node.settings["event"], where=node.settings["where"])
            if is_sign(sign, fact):
                walker.heard_at = walker.wake_at = fact.at
                walker.waited = fact.properties
                heapq.heappush(self._due, (fact.at, walker.id))
        if fact.at <= self.entered_at[walker.id]:
            return
        if graph.goal is not None and is_sign(graph.goal, fact):
            walker.goal_at = walker.goal_at or fact.at
            if graph.goal_ends:
                self._end(walker, "goal", fact.at)
                return
        if any(is_sign(sign, fact) for sign in graph.exits):
            self._end(walker, "exit", fact.at)

    def _end(self, walker: Walker, what: str, at: datetime) -> None:
        self.lines.append(Line(walker.id, walker.n, walker.node, "", what, at))
        walker.n += 1
        walker.outcome, walker.ended_at, walker.wake_at = what, at, None
        self._open[walker.customer_id].remove(walker)

    def _enter(self, fact: Fact, slot: str, allowed: set[int] | None) -> None:
        graph, person = self.graph, fact.customer_id
        last = self._last.get((person, slot))
        entry = graph.entry
        if any(self._slots[walker.id] == slot for walker in self._open[person]):
            self.turned_away["inside"] += 1
        elif last is not None and (
            entry.again == "never"
            or (entry.again == "after" and last > fact.at - timedelta(days=entry.days))
        ):
            self.turned_away["again"] += 1
        elif allowed is not None and person not in allowed:
            self.turned_away["rule"] += 1
        elif graph.per_day is not None and self._came(self.day_of(fact.at)) >= graph.per_day:
            self.turned_away["capped"] += 1
            self.capped_days.add(self.day_of(fact.at))
        elif held_out(graph, key=self.key, unit=person):
            self.turned_away["held"] += 1
            self._last[person, slot] = fact.at
            self.held[self.day_of(fact.at)] += 1
        else:
            self.begin(person, fact.at, slot, fact.properties)

    def _came(self, day: Any) -> int:
        return self.entered[day] + self.held[day]

    def begin(
        self, person: int, at: datetime, slot: str = "", context: Mapping[str, Any] | None = None
    ) -> Walker:
        """Let somebody in."""
        walker = Walker(
            id=len(self.stays) + 1,
            customer_id=person,
            node=self.graph.start,
            arrived_at=at,
            heard_at=None,
            zone=self.zone_of(person),
            n=0,
            wake_at=at,
            context=context or {},
        )
        self.stays[walker.id] = walker
        self.entered_at[walker.id] = at
        self._slots[walker.id] = slot
        self._open[person].append(walker)
        self._last[person, slot] = at
        self.entered[self.day_of(at)] += 1
        heapq.heappush(self._due, (at, walker.id))
        return walker

    def _walk_due(self, now: datetime) -> None:
        """Walk on everybody whose moment has come, those of one tick together."""
        while self._due and self._due[0][0] <= now:
            upto = min(now, self._due[0][0] + TICK)
            some: list[Walker] = []
            while self._due and self._due[0][0] <= upto:
                at, id_ = heapq.heappop(self._due)
                walker = self.stays[id_]
                if walker.wake_at == at and walker.ended_at is None and walker not in some[-1:]:
                    some.append(walker)
            self._walk(some, upto)

    def _walk(self, people: Sequence[Walker], now: datetime) -> None:
        if not people:
            return

        def act(node: Node, walkers: Sequence[Walker]) -> None:
            self.deeds += [
                Deed(w.customer_id, w.id, node.id, node.kind, w.arrived_at) for w in walkers
            ]

        for walker in people:
            walker.steps = 0
        self.lines += walk(
            graph=self.graph,
            key=self.key,
            people=people,
            now=now,
            ask=lambda node, question, ids: self.ask(node, question, ids, now),
            act=act,
        )
        for walker in people:
            if walker.ended_at is not None:
                self._open[walker.customer_id].remove(walker)
            elif walker.wake_at is not None:
                heapq.heappush(self._due, (walker.wake_at, walker.id))

"""A journey as it was drawn: read from JSON with every fault named, and walked step by step.

`step` is pure. It is given where somebody is, the moment, and what was asked about them; it says
what happens: go on, wait, ask, act, or be done. The runner, the simulator and the time machine all
walk by it, so a draft that was tried behaves the same when it is live.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from campaigns.experiments import assignment
from campaigns.journeys import clock, matching
from campaigns.journeys.kinds import KINDS, SPLIT, TRIGGER, WAIT, Kind
from campaigns.segments.nodes import Where

MOST_STEPS = 50


@dataclass(frozen=True, slots=True)
class Branch:
    """One way out of a split. `settings` are those of the kind's `branch_fields`."""

    key: str
    label: str
    next: str | None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Node:
    """One step, with its settings as read (spans in seconds, hours as times, days as dates)."""

    id: str
    kind: str
    label: str
    settings: Mapping[str, Any]
    next: str | None = None
    branches: tuple[Branch, ...] = ()

    @property
    def spec(self) -> Kind:
        return KINDS[self.kind]

    @property
    def group(self) -> str:
        return self.spec.group

    def leads(self) -> tuple[str, ...]:
        """The nodes that may come next."""
        ways = [branch.next for branch in self.branches] or [self.next]
        return tuple(dict.fromkeys(way for way in ways if way is not None))


@dataclass(frozen=True, slots=True)
class Sign:
    """Something that ends a journey or is its goal: an event, or entering or leaving a segment."""

    event: str = ""
    where: tuple[Where, ...] = ()
    segment: int | None = None
    entered: bool = True


@dataclass(frozen=True, slots=True)
class Entry:
    """Who may come in again: "never", "after" so many `days`, or "always".

    One open stay at a time; with `key`, a property of the event, one for each of its values.
    `rule` must hold of whoever enters.
    """

    again: str = "never"
    days: int = 0
    key: str = ""
    rule: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Graph:
    nodes: Mapping[str, Node]
    start: str
    goal: Sign | None = None
    goal_ends: bool = True
    exits: tuple[Sign, ...] = ()
    entry: Entry = Entry()
    per_day: int | None = None
    # So many of a hundred who would come in are kept out, to tell what the journey causes.
    holdout: float = 0.0

    @property
    def trigger(self) -> Node:
        return self.nodes[self.start]

    def listens(self) -> set[str]:
        """The types of events that this journey must hear of."""
        signs = [*self.exits, *([self.goal] if self.goal else [])]
        heard = {sign.event for sign in signs if sign.event}
        waits = {n.settings["event"] for n in self.nodes.values() if "event" in n.settings}
        return heard | waits

    @property
    def remembers(self) -> bool:
        """Whether steps ask what happened, or pass it on."""
        return any(
            node.kind == "start_journey" or any(tests_of(node)) for node in self.nodes.values()
        )

    def watches(self) -> set[int]:
        """The segments whose moves it must hear of."""
        signs = [*self.exits, *([self.goal] if self.goal else [])]
        found = {sign.segment for sign in signs if sign.segment is not None}
        if self.trigger.kind in ("segment_enter", "segment_leave"):
            found.add(self.trigger.settings["segment"])
        return found


# What may be asked about somebody before they go on.
@dataclass(frozen=True, slots=True)
class OfRules:
    """Which of these rules holds first; the answer is its place, or None.

    With `each`, the places of all that hold: what happened decides between them.
    """

    rules: tuple[Mapping[str, Any], ...]
    each: bool = False


@dataclass(frozen=True, slots=True)
class OfScore:
    """The value of a prediction; None where there is none."""

    prediction: str


@dataclass(frozen=True, slots=True)
class OfDay:
    """A day that is kept of the person, as an attribute or as a predicted date; or None."""

    attribute: str = ""
    prediction: str = ""


@dataclass(frozen=True, slots=True)
class OfBandit:
    """Which way to try; the answer is the key of a branch."""

    node: str


Question: TypeAlias = OfRules | OfScore | OfDay | OfBandit


# What happens.
@dataclass(frozen=True, slots=True)
class Go:
    """On to the next node, by this branch; `at` is the moment at which they are there."""

    next: str
    at: datetime
    branch: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    until: datetime


@dataclass(frozen=True, slots=True)
class Ask:
    question: Question


@dataclass(frozen=True, slots=True)
class Act:
    """Do what the node says, then go on; with no `next` that was the last step."""

    next: str | None


@dataclass(frozen=True, slots=True)
class Done:
    """The end: "goal", "exit" or "finished"."""

    outcome: str
    branch: str = ""


Outcome: TypeAlias = Go | Wait | Ask | Act | Done


class _NotAsked:
    pass


NOT_ASKED = _NotAsked()


@dataclass(frozen=True, slots=True)
class Position:
    """Where somebody is. `unit` and `key` decide on which side of a split by share they are;
    `heard_at` is when what they wait for happened; `event` and `waited` are the properties of what
    brought them in and of what they waited for last.
    """

    node: str
    arrived_at: datetime
    zone: ZoneInfo
    unit: int
    key: str = ""
    heard_at: datetime | None = None
    event: Mapping[str, Any] = field(default_factory=dict)
    waited: Mapping[str, Any] = field(default_factory=dict)


# Whoever is looked at later than this goes on from that moment, and not from when the wait was
# over: after a pause of days two mails a day apart stay a day apart.
LATE = timedelta(minutes=15)


def question(node: Node) -> Question | None:
    """What must be known about people before they leave this node."""
    said = node.settings
    match node.kind:
        case "split_rule":
            return OfRules((said["rule"],)) if said["rule"] else None
        case "split_many":
            rules = tuple(b.settings["rule"] for b in node.branches if b.settings.get("rule"))
            return OfRules(rules, any(tests_of(node))) if rules else None
        case "split_score":
            return OfScore(said["prediction"])
        case "split_bandit":
            return OfBandit(node.id)
        case "wait_until" if not said["date"]:
            return OfDay(said["attribute"] or "", said["prediction"] or "")
    return None


def step(graph: Graph, at: Position, now: datetime, answer: Any = NOT_ASKED) -> Outcome:
    """What happens to somebody at a node now."""
    node = graph.nodes[at.node]
    if answer is NOT_ASKED and (asked := question(node)) is not None:
        return Ask(asked)
    group = node.group
    if group == WAIT:
        return _wait(node, at, now, answer)
    if group == SPLIT:
        return _by(choose(node, at, answer), at.arrived_at)
    match node.kind:
        case "exit":
            return Done("exit")
        case "goal":
            return Go(node.next, at.arrived_at) if node.next else Done("goal")
    if group == TRIGGER:
        return Go(node.next, at.arrived_at) if node.next else Done("finished")
    return Act(node.next)


def _by(branch: Branch, at: datetime) -> Outcome:
    return Go(branch.next, at, branch.key) if branch.next else Done("finished", branch.key)


def _wait(node: Node, at: Position, now: datetime, answer: Any) -> Outcome:
    if node.kind == "wait_event":
        happened, timeout = node.branches
        over = at.arrived_at + timedelta(seconds=node.settings["for"])
        if at.heard_at is not None and at.heard_at <= over:
            return _by(happened, at.heard_at if now - at.heard_at <= LATE else now)
        return Wait(over) if now < over else _by(timeout, _since(over, now))
    over = until(node, at, answer)
    if now < over:
        return Wait(over)
    return Go(node.next, _since(over, now)) if node.next else Done("finished")


def _since(over: datetime, now: datetime) -> datetime:
    return over if now - over <= LATE else now


def until(node: Node, at: Position, answer: Any = None) -> datetime:
    """When a wait is over: the moment of arrival where its day is not known or has passed."""
    said = node.settings
    if node.kind == "wait_for":
        return at.arrived_at + timedelta(seconds=said["for"])
    if node.kind == "wait_local":
        return clock.next_hour(at.arrived_at, said["at"], at.zone, said["weekdays"])
    day: date | None = said["date"] or answer
    if day is None:
        return at.arrived_at
    if said["every"] == "year":
        return clock.next_anniversary(at.arrived_at, day, said["at"], at.zone, said["days"])
    moment = clock.at(day + timedelta(days=said["days"]), said["at"], at.zone)
    return max(moment, at.arrived_at)


def choose(node: Node, at: Position, answer: Any) -> Branch:
    """The way that somebody takes at a split."""
    ways = {branch.key: branch for branch in node.branches}
    match node.kind:
        case "split_rule":
            holds = not node.settings["rule"] or answer is not None
            return ways["yes" if holds and _told(node.settings["where"], at) else "no"]
        case "split_many":
            return _first(node, at, answer)
        case "split_score":
            if answer is None:
                return ways.get("unknown", ways["below"])
            return ways["above" if answer >= node.settings["at_least"] else "below"]
        case "split_bandit":
            return ways.get(answer) or by_share(node.branches, at, [1.0] * len(node.branches))
    return by_share(node.branches, at, [branch.settings["percent"] for branch in node.branches])


def asks(branch: Branch) -> bool:
    """Whether a way of `split_many` has a condition; the one without is for everybody else."""
    return bool(branch.settings.get("rule") or branch.settings.get("where"))


def tests_of(node: Node) -> Iterator[Where]:
    """What a split asks of what happened, in all of its ways."""
    if node.kind == "split_rule":
        yield from node.settings["where"]
    elif node.kind == "split_many":
        for branch in node.branches:
            yield from branch.settings.get("where", ())


def _first(node: Node, at: Position, answer: Any) -> Branch:
    """The first way whose rule and whose tests hold; without either it is for everybody else."""
    held = answer if isinstance(answer, tuple) else (answer,)
    other, place = node.branches[-1], -1
    for branch in node.branches:
        if not asks(branch):
            other = branch
            continue
        place += bool(branch.settings.get("rule"))
        holds = not branch.settings.get("rule") or place in held
        if holds and _told(branch.settings["where"], at):
            return branch
    return other


def _told(tests: tuple[Where, ...], at: Position) -> bool:
    """Whether what happened passes tests; "waited.total" is of the last wait."""
    if not tests:
        return True
    waited = {f"waited.{name}": value for name, value in at.waited.items()}
    return matching.passes(tests, {**at.event, **waited})


def held_out(graph: Graph, *, key: str, unit: int) -> bool:
    """Whether somebody is kept out of a journey to measure it. Whoever is stays so."""
    return graph.holdout > 0 and assignment.held_out(
        key=f"{key}:held", unit=unit, percent=graph.holdout
    )


def by_share(ways: Sequence[Branch], at: Position, shares: Sequence[float]) -> Branch:
    """A stable part of everybody takes each way: whoever comes again takes the same."""
    place = assignment.side(
        key=f"{at.key}:{at.node}", unit=at.unit, ceilings=assignment.edges(shares)
    )
    return ways[place]

"""A batch of people walked on together: all at one node at a time, asked and acted for at once.

What became of them is kept here in memory; the runner writes all of it in one transaction.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from campaigns.journeys.graph import (
    MOST_STEPS,
    NOT_ASKED,
    Act,
    Done,
    Go,
    Graph,
    Node,
    Position,
    Question,
    Wait,
    question,
    step,
)


@dataclass(slots=True)
class Walker:
    """Somebody on their way through a batch. `lines` are what is new in their log."""

    id: int
    customer_id: int
    node: str
    arrived_at: datetime
    heard_at: datetime | None
    zone: ZoneInfo
    n: int
    wake_at: datetime | None = None
    goal_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)
    waited: Mapping[str, Any] = field(default_factory=dict)
    steps: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the log."""

    enrollment_id: int
    n: int
    node: str
    branch: str
    what: str
    at: datetime


Ask = Callable[[Node, Question, Sequence[int]], Mapping[int, Any]]
Do = Callable[[Node, Sequence[Walker]], None]


def walk(
    *, graph: Graph, key: str, people: Sequence[Walker], now: datetime, ask: Ask, act: Do
) -> list[Line]:
    """Walk everybody on until they wait or are done; the lines of the log, in order.

    Whoever takes too many steps at once is stopped, so that nobody goes in circles for ever.
    """
    lines: list[Line] = []
    active = list(people)
    while active:
        groups: dict[str, list[Walker]] = defaultdict(list)
        for walker in active:
            groups[walker.node].append(walker)
        active = []
        for id_, group in groups.items():
            node = graph.nodes.get(id_)
            if node is None:  # its version was made by hand; nobody may be lost in it
                for walker in group:
                    _end(walker, lines, "stuck", "", walker.arrived_at)
                continue
            asked = question(node)
            answers = {} if asked is None else ask(node, asked, [w.customer_id for w in group])
            acting = []
            for walker in group:
                answer = NOT_ASKED if asked is None else answers.get(walker.customer_id)
                at = Position(
                    id_,
                    walker.arrived_at,
                    walker.zone,
                    walker.customer_id,
                    key,
                    walker.heard_at,
                    walker.context,
                    walker.waited,
                )
                outcome = step(graph, at, now, answer)
                if isinstance(outcome, Wait):
                    walker.wake_at = outcome.until
                    continue
                if isinstance(outcome, Act):
                    acting.append(walker)
                if node.kind == "goal" and walker.goal_at is None:
                    walker.goal_at = walker.arrived_at
                if _on(walker, outcome, lines, now):
                    active.append(walker)
            if acting:
                act(node, acting)
    return lines


def _on(walker: Walker, outcome: Any, lines: list[Line], now: datetime) -> bool:
    """Take one step; whether there is another to take."""
    walker.steps += 1
    match outcome:
        case Done(what, branch):
            _end(walker, lines, what, branch, walker.arrived_at)
            return False
        case Act(None):
            _end(walker, lines, "finished", "", walker.arrived_at)
            return False
        case Act(following):
            _line(walker, lines, "", "", walker.arrived_at)
            walker.node = str(following)
        case Go(following, at, branch):
            _line(walker, lines, branch, "", at)
            walker.node, walker.arrived_at = following, at
    walker.heard_at = None
    if walker.steps >= MOST_STEPS:
        _end(walker, lines, "stuck", "", walker.arrived_at)
        return False
    return True


def _line(walker: Walker, lines: list[Line], branch: str, what: str, at: datetime) -> None:
    lines.append(Line(walker.id, walker.n, walker.node, branch, what, at))
    walker.n += 1


def _end(walker: Walker, lines: list[Line], what: str, branch: str, at: datetime) -> None:
    _line(walker, lines, branch, what, at)
    walker.outcome, walker.ended_at, walker.wake_at = what, at, None

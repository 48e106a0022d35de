"""What may make a rule's answer about a person another one: changes of facts, and time going by.

A rule that names segments needs what those need. What is told here may be too much, never too
little: whoever follows it looks at the facts again.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from campaigns.segments import fields, moments, nodes, rules
from campaigns.segments.nodes import (
    Ago,
    All,
    Any,
    Attribute,
    Bought,
    Bucket,
    Calendar,
    Cluster,
    Compare,
    Consented,
    Did,
    InList,
    InSegment,
    Last,
    Lifecycle,
    Message,
    Node,
    Not,
    Ordered,
    Reach,
    Rfm,
    Score,
    Sequence,
    When,
)
from campaigns.segments.terms import RuleFault, gettext_noop
from ingestion import changes

EVENT, ORDER, MESSAGE, SCORE = "event", "order", "message", "score"
_COLUMN = {"opened": "opened_at", "clicked": "clicked_at", "sent": "sent_at"}
_BY_CALENDAR = ("during", "not_during", "anniversary_within")
_NO_TIME = timedelta(0)


@dataclass(frozen=True)
class Edge:
    """The answer may change `offset` after a row's moment: of an event of a type, an order, a
    message's column, a column of a person, a predicted date.
    """

    source: str
    what: str
    offset: timedelta


@dataclass
class Needs:
    """`changes` as `ingestion.changes` tells them and `edges` in time; `midnights` when the days of
    somebody's calendar count, `endings` when answers that run out do.
    """

    changes: set[tuple[str, str]] = field(default_factory=lambda: {(changes.PEOPLE, "")})
    edges: set[Edge] = field(default_factory=set)
    midnights: bool = False
    endings: bool = False

    @property
    def timeless(self) -> bool:
        """Nothing but a change of facts makes the answer another one."""
        return not (self.edges or self.midnights or self.endings)


def expand(node: Node, load: Callable[[int], Node | None], within: tuple[int, ...] = ()) -> Node:
    """The same rule with the rules of the segments it names in their place."""
    match node:
        case All(parts):
            return All(tuple(expand(part, load, within) for part in parts))
        case Any(parts):
            return Any(tuple(expand(part, load, within) for part in parts))
        case Not(inner):
            return Not(expand(inner, load, within))
        case InSegment(number):
            named = None if number in within else load(number)
            if named is None:
                raise RuleFault(
                    "in_segment",
                    gettext_noop("There is no segment number %(id)s.")
                    if number not in within
                    else gettext_noop("Segment %(id)s would be part of itself."),
                    id=number,
                )
            return expand(named, load, (*within, number))
    return node


def of(node: Node) -> Needs:
    """What an expanded rule needs."""
    found = Needs()
    for leaf in nodes.walk(node):
        _leaf(leaf, found)
    return found


def _leaf(leaf: Node, found: Needs) -> None:
    told = found.changes
    match leaf:
        case Compare():
            _compare(leaf, found)
        case Attribute():
            told.add((changes.PERSON, ""))
            found.midnights |= leaf.kind == rules.DATE and leaf.op not in (
                "before",
                "after",
                "known",
                "unknown",
            )
        case Did():
            told.add((changes.EVENT, leaf.event))
            _time(EVENT, leaf.event, leaf.days, leaf.when, found)
        case Sequence():
            told.update((changes.EVENT, step.event) for step in leaf.steps)
            _time(EVENT, leaf.steps[0].event, leaf.days, leaf.when, found)
            found.edges.update(_gaps(leaf))
        case Bought() | Ordered():
            told.add((changes.ORDERS, ""))
            if isinstance(leaf, Ordered) or leaf.by == "category":
                told.add((changes.PRODUCT, ""))
            _time(ORDER, "", leaf.days, leaf.when, found)
        case Message():
            told.add((changes.MESSAGE, ""))
            _time(MESSAGE, _COLUMN.get(leaf.act, "queued_at"), leaf.days, leaf.when, found)
        case Reach():
            told.update({(changes.CONSENT, ""), (changes.PERSON, "")})
            if leaf.channel == "push":  # a device is met by what is done on it
                told.add((changes.EVENT, ""))
            found.endings = True
        case Consented():
            told.add((changes.CONSENT, ""))
            found.endings = True
        case Score():
            told.update({(changes.SCORE, leaf.prediction), (changes.CONSENT, "")})
            if leaf.op == "in_days" and isinstance(leaf.value, tuple):
                found.edges.update(
                    Edge(SCORE, leaf.prediction, -timedelta(days=float(days)))
                    for days in leaf.value
                )
        case Rfm() | Lifecycle():
            told.add((changes.TRAITS, ""))
        case Cluster():
            told.update({(changes.SCORE, f"clusters:{leaf.clustering}"), (changes.CONSENT, "")})
        case InList():
            told.add((changes.LIST, str(leaf.id)))
        case All() | Any() | Not() | Bucket():
            pass
        case _:
            raise AssertionError(leaf)


def _compare(leaf: Compare, found: Needs) -> None:
    f = fields.FIELDS[leaf.field]
    table, _, name = leaf.field.partition(".")
    if f.group == fields.CONSENT:
        found.changes.update({(changes.CONSENT, ""), (changes.PERSON, "")})
        found.endings = True
    elif table == "rollup":
        found.changes.add((changes.ORDERS, ""))
    elif table == "traits":
        found.changes.add((changes.TRAITS, ""))
        if f.group == fields.PREDICTED:
            found.changes.add((changes.CONSENT, ""))
    else:
        found.changes.add((changes.PERSON, ""))
    if f.kind != rules.DATE:
        return
    if leaf.op in _BY_CALENDAR:
        found.midnights = True
        found.changes.add((changes.PERSON, ""))
    if leaf.op in ("within_days", "not_within_days"):
        found.edges.add(Edge(table, name, timedelta(days=int(leaf.value))))  # type: ignore[arg-type]
    if leaf.op == "in_next_days":
        ahead = timedelta(days=int(leaf.value))  # type: ignore[arg-type]
        found.edges.update({Edge(table, name, _NO_TIME), Edge(table, name, -ahead)})


def _time(source: str, what: str, days: int | None, when: When, found: Needs) -> None:
    offsets: list[timedelta] = [] if days is None else [timedelta(days=days)]
    match when:
        case Last(span):
            offsets.append(moments.delta(span))
        case Ago(start, end):
            offsets += [timedelta(days=start), timedelta(days=end)]
        case Calendar():  # whose days begin where the person lives
            found.midnights = True
            found.changes.add((changes.PERSON, ""))
    found.edges.update(Edge(source, what, offset) for offset in offsets)


def _gaps(leaf: Sequence) -> Iterator[Edge]:
    """Something that did not happen within a time is known when the time is over."""
    last = ""
    for step in leaf.steps:
        if not step.absent:
            last = step.event
    trailing = []
    for step in reversed(leaf.steps):
        if not step.absent:
            break
        trailing.append(step)
    for step in trailing:
        if step.within is not None:
            yield Edge(EVENT, last, moments.delta(step.within))

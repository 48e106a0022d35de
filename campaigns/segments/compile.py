"""A rule node → one Q over Customer.

Every leaf asks about one customer: own columns and one-to-one rows are joined, anything with many
rows becomes a correlated EXISTS (… OFFSET n-1), which costs the same for one person as its index
look-up and stays sane under `not`. A value that is not known meets no comparison; `unknown` asks
for it. `not` is pushed down to the leaves, so that the answer to `not` is exactly everyone else,
nulls included.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any as Anything

from django.db.models import Q

from campaigns.models import Segment
from campaigns.segments import acts, comparing, fields, marks, once, purchases, rules
from campaigns.segments.logic import always
from campaigns.segments.marks import Names
from campaigns.segments.nodes import (
    All,
    Any,
    Attribute,
    Bought,
    Bucket,
    Cluster,
    Compare,
    Consented,
    Did,
    InList,
    InSegment,
    Lifecycle,
    Message,
    Node,
    Not,
    Ordered,
    Reach,
    Rfm,
    Score,
    Sequence,
)
from campaigns.segments.terms import RuleFault, gettext_noop
from models_ml import queries

MOST_PARTS = 2000


def read(rule: object) -> Node:
    """The node of a stored or posted rule; RuleFault with the path when it cannot be read."""
    return rules.parse(rule, fields.kinds())


def to_q(
    node: Node,
    *,
    as_of: datetime | None = None,
    within: tuple[int, ...] = (),
    names: Names | None = None,
) -> Q:
    """The rule as a condition on Customer.

    `as_of` is the moment that days count back from; `within` are ids of segments the rule is part
    of, which it may therefore not name. `names` spares many rules from looking up the same names.
    """
    names = names or once.keep("names", Names)
    compiler = _Compiler(as_of or queries.as_of(), rule_of, names)
    return compiler.q(node, True, "", within)


def rule_of(segment_id: int) -> object | None:
    """The rule of a segment as it is stored; None when there is no such segment."""
    stored = Segment.objects.filter(pk=segment_id).values_list("rule", flat=True)
    return once.keep(("rule", segment_id), stored.first)


def nested(rules_of: Iterable[object]) -> dict[int, Anything]:
    """The rules of all segments that these rules name, and those that those name, by their ids."""
    found: dict[int, Anything] = {}
    wanted = _named(rules_of)
    while wanted:
        unread = [pk for pk in wanted if not once.has(("rule", pk))]
        stored = Segment.objects.filter(pk__in=unread).values_list("pk", "rule")
        rows = dict(stored) if unread else {}
        once.put({("rule", pk): rows.get(pk) for pk in unread})
        rows |= {pk: rule_of(pk) for pk in wanted if pk not in unread}
        found |= {pk: rule for pk, rule in rows.items() if rule is not None}
        wanted = _named(rows.values()) - rows.keys() - found.keys()
    return found


def _named(rules_of: Iterable[object]) -> set[int]:
    named: set[int] = set()
    for rule in rules_of:
        with suppress(RuleFault):
            named |= rules.segments_in(read(rule)) if rule else set()
    return named


@dataclass
class _Compiler:
    as_of: datetime
    load: Callable[[int], object | None]
    names: Names
    known: dict[int, Node] = field(default_factory=dict)
    parts: int = 0

    def q(self, node: Node, want: bool, path: str, stack: tuple[int, ...]) -> Q:
        """The people of whom the node is `want`."""
        self.parts += 1
        if self.parts > MOST_PARTS:
            raise RuleFault(
                path,
                gettext_noop(
                    "With the segments it names, this rule has more than %(limit)s parts."
                ),
                limit=MOST_PARTS,
            )
        match node:
            case All(nodes):
                return self.join(nodes, want, want, path, "all", stack)
            case Any(nodes):
                return self.join(nodes, not want, want, path, "any", stack)
            case Not(inner):
                return self.q(inner, not want, rules.join(path, "not"), stack)
            case InSegment(id):
                return self.segment(id, want, rules.join(path, "in_segment"), stack)
        return self.leaf(node, want, path)

    def leaf(self, node: Node, want: bool, path: str) -> Q:
        """A question that names no other segment."""
        match node:
            case Compare():
                return comparing.compare(node, want, self.as_of)
            case Attribute():
                return comparing.attribute(node, want, self.as_of)
            case Did():
                return acts.did(node, self.as_of, want)
            case Sequence():
                return acts.sequence(node, self.as_of, want)
            case Message():
                return acts.message(node, self.as_of, want)
            case Bought():
                return purchases.bought(node, self.as_of, want)
            case Ordered():
                return purchases.ordered(node, self.as_of, want)
            case Reach():
                return marks.reach(node, want, path)
            case Consented():
                return marks.consented(node, want, path)
            case Score():
                return marks.score(node, self.as_of, self.names, want, path)
            case Rfm():
                return marks.rfm(node, want)
            case Lifecycle():
                return marks.stage(node, want, path)
            case Cluster():
                return marks.cluster(node, self.names, want, path)
            case Bucket():
                return marks.bucket(node, want)
            case InList():
                return marks.in_list(node, self.names, want, path)
        raise AssertionError(node)

    def join(
        self,
        nodes: tuple[Node, ...],
        conjunction: bool,
        want: bool,
        path: str,
        key: str,
        stack: tuple[int, ...],
    ) -> Q:
        here = rules.join(path, key)
        parts = [self.q(n, want, f"{here}[{i}]", stack) for i, n in enumerate(nodes)]
        out = parts[0] if parts else always(conjunction)
        for part in parts[1:]:
            out = out & part if conjunction else out | part
        return out

    def segment(self, id: int, want: bool, path: str, stack: tuple[int, ...]) -> Q:
        if id in stack:
            raise RuleFault(path, gettext_noop("Segment %(id)s would be part of itself."), id=id)
        if id not in self.known:
            rule = self.load(id)
            if rule is None:
                raise RuleFault(path, gettext_noop("There is no segment number %(id)s."), id=id)
            self.known[id] = read(rule)
        return self.q(self.known[id], want, path, (*stack, id))

"""What is shown of a rule while it is edited: how many it means, what each part of it does, who of
them can be reached, some of them, and how far other segments hold the same people.

Everything gives up in time. What took too long is counted on one person in 32 and says so. What is
asked in a `turn` stops what was asked before in the same turn (see `turns.py`).
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any as Anything

from django.db.models import (
    Aggregate,
    BooleanField,
    Case,
    Count,
    F,
    Q,
    QuerySet,
    Sum,
    Value,
    When,
)

from campaigns.models import Segment, SegmentMember, SegmentUpkeep
from campaigns.segments import clock, fields, membership
from campaigns.segments import compile as compiler
from campaigns.segments.membership import PATIENCE_MS, SHARE, Size
from campaigns.segments.nodes import All, Any, Node, Not
from campaigns.segments.questions import CHANNELS
from campaigns.segments.rules import RuleFault
from campaigns.segments.turns import OutOfTime, patiently
from ingestion.models import Customer

PARTS_MS = 1500
MAX_PARTS = 40
MAX_OTHERS = 12
_EVERYBODY = 2**62


@dataclass(frozen=True, slots=True)
class Look:
    """A rule seen part by part.

    `left` people are left after each part of the outermost group, out of `start` in all; `alone`
    says by path how many meet a part by itself. Both are estimates unless `parts_exact`.
    `reachable` says by channel how many may get marketing; `orders` are expected of them within 90
    days and worth `money`, None where nobody has been scored.
    """

    size: Size
    reachable: dict[str, int]
    orders: float | None
    money: float | None
    start: int | None
    left: list[int]
    alone: dict[str, int]
    parts_exact: bool


@dataclass(frozen=True, slots=True)
class Overlap:
    """How many people another segment shares with the rule; `share` is of the rule's people."""

    segment: Segment
    people: int
    share: float


def look(
    node: Node,
    *,
    as_of: datetime | None = None,
    within: tuple[int, ...] = (),
    patience_ms: int = PATIENCE_MS,
    turn: str = "",
) -> Look:
    """Count a rule in all, by channel and part by part; RuleFault with the place of a fault."""
    as_of = as_of or clock.moment()
    began = time.monotonic()
    meant = membership.members(node, as_of=as_of, within=within)
    wanted: dict[str, Aggregate] = {
        "size": Count("pk"),
        "orders": Sum("traits__repeat_90d"),
        "money": Sum(F("traits__repeat_90d") * F("traits__avg_order_value")),
    }
    reaches = {
        f"by_{channel}": _column(fields.reachable(channel=channel, purpose="marketing"))
        for channel in CHANNELS
    }
    wanted |= {key: Count("pk", filter=Q(**{f"by_{key}": True})) for key in CHANNELS}
    # As columns made once: of many people the consents are then read in one sweep.
    found, exact = _asked(meant.annotate(**reaches), wanted, patience_ms, turn, fence=True)
    found = found or {}
    size = Size(found.get("size"), exact, time.monotonic() - began)
    parts, parts_exact = _parts(node, as_of, within, patience_ms, turn)
    return Look(
        size=size,
        reachable={channel: found[channel] for channel in CHANNELS if channel in found},
        orders=found.get("orders"),
        money=found.get("money"),
        start=parts.pop("start", None),
        left=[parts.pop(f"left{i}") for i in range(_outermost(node)) if f"left{i}" in parts],
        alone=parts,
        parts_exact=parts_exact,
    )


def _column(holds: Q) -> Case:
    return Case(When(holds, then=Value(True)), default=Value(False), output_field=BooleanField())


def _outermost(node: Node) -> int:
    return len(node.nodes) if isinstance(node, All | Any) else 1


def _parts(
    node: Node, as_of: datetime, within: tuple[int, ...], patience_ms: int, turn: str
) -> tuple[dict[str, int], bool]:
    """Everybody once, with a column for each question; the groups are made of the columns."""
    questions: dict[str, Node] = {}
    holds: dict[str, Q] = {}
    _place(node, "", questions, holds)
    if len(questions) > MAX_PARTS:
        return {}, True
    columns = {
        name: _column(compiler.to_q(asked, as_of=as_of, within=within))
        for name, asked in questions.items()
    }
    wanted: dict[str, Aggregate] = {"start": Count("pk")}
    both = not isinstance(node, Any)
    so_far = None
    heads = _heads(node)
    for i, path in enumerate(heads):
        part = holds[path]
        so_far = part if so_far is None else (so_far & part if both else so_far | part)
        wanted[f"left{i}"] = Count("pk", filter=so_far)
    names = {path: f"alone{i}" for i, path in enumerate(holds) if path}
    wanted |= {name: Count("pk", filter=holds[path]) for path, name in names.items()}
    patience = min(PARTS_MS, patience_ms)
    found, exact = _asked(Customer.objects.annotate(**columns), wanted, patience, turn, fence=True)
    if found is None:
        return {}, exact
    back = {name: path for path, name in names.items()}
    return {back.get(name, name): number for name, number in found.items()}, exact


def _heads(node: Node) -> list[str]:
    """The paths of the outermost parts, as a builder names them."""
    match node:
        case All(nodes) | Any(nodes):
            key = "all" if isinstance(node, All) else "any"
            return [_below(part, f"{key}[{i}]") for i, part in enumerate(nodes)]
    return [_below(node, "")]


def _below(node: Node, path: str) -> str:
    return _below(node.node, f"{path}.not" if path else "not") if isinstance(node, Not) else path


def _place(node: Node, path: str, questions: dict[str, Node], holds: dict[str, Q]) -> Q:
    """Name each question's column, and say of each path which columns make it true."""
    match node:
        case Not(inner):
            deeper = f"{path}.not" if path else "not"
            held = ~_place(inner, deeper, questions, holds)
            holds[_below(inner, deeper)] = held
            return held
        case All(nodes) | Any(nodes):
            both = isinstance(node, All)
            head = f"{path}.{'all' if both else 'any'}" if path else ("all" if both else "any")
            held = Q(pk__isnull=not both)  # of nothing: everyone, or nobody
            for i, part in enumerate(nodes):
                one = _place(part, f"{head}[{i}]", questions, holds)
                held = one if not i else held & one if both else held | one
        case _:
            name = f"q{len(questions)}"
            questions[name] = node
            held = Q(**{name: True})
    holds[path] = held
    return held


def overlaps(
    node: Node,
    *,
    others: Sequence[Segment],
    as_of: datetime | None = None,
    within: tuple[int, ...] = (),
    patience_ms: int = PATIENCE_MS,
    turn: str = "",
) -> tuple[list[Overlap], bool]:
    """How many of the rule's people are in each of the others, most first; and whether exactly.

    Stored membership answers where it is kept; of the rest a few are asked by their rules.
    """
    as_of = as_of or clock.moment()
    kept = set(SegmentUpkeep.objects.filter(fault="").values_list("pk", flat=True))
    wanted: dict[str, Aggregate] = {"size": Count("pk")}
    for other in [one for one in others if one.pk not in kept][:MAX_OTHERS]:
        try:
            theirs = compiler.to_q(compiler.read(other.rule), as_of=as_of, within=(other.pk,))
        except RuleFault:
            continue
        wanted[f"in{other.pk}"] = Count("pk", filter=theirs)
    meant = membership.members(node, as_of=as_of, within=within)
    found, exact = _asked(meant, wanted, patience_ms, turn)
    if not found or not found["size"]:
        return [], exact
    stored = [one.pk for one in others if one.pk in kept]
    shared, sure = _stored(meant, stored, patience_ms, turn)
    rows = [
        Overlap(one, people, people / found["size"])
        for one in others
        if (people := shared.get(one.pk, 0) or found.get(f"in{one.pk}", 0))
    ]
    return sorted(rows, key=lambda r: (-r.people, r.segment.name)), exact and sure


def _stored(
    meant: QuerySet[Customer], others: list[int], patience_ms: int, turn: str
) -> tuple[dict[int, int], bool]:
    for some in (False, True):
        asked = meant.filter(membership.every_nth()) if some else meant
        shared = SegmentMember.objects.filter(segment__in=others, customer__in=asked.values("pk"))
        try:
            with patiently(patience_ms, turn):
                found = shared.order_by().values_list("segment").annotate(n=Count("customer"))
                return {pk: n * (SHARE if some else 1) for pk, n in found}, not some
        except OutOfTime:
            continue
    return {}, False


def _asked(
    people: QuerySet[Customer],
    wanted: Mapping[str, Aggregate],
    patience_ms: int,
    turn: str,
    *,
    fence: bool = False,
) -> tuple[dict[str, Anything] | None, bool]:
    """The aggregates, exactly or as estimates from one person in 32; None when both took long.

    With `fence` the columns of `people` are made first and once, whatever the aggregates ask.
    """
    for some in (False, True):
        asked = people.filter(membership.every_nth()) if some else people
        try:
            with patiently(patience_ms, turn):
                rows = asked.order_by()[:_EVERYBODY] if fence else asked
                found = rows.aggregate(**wanted)
                return (_scaled(found.items()) if some else found), not some
        except OutOfTime:
            continue
    return None, False


def _scaled(found: Iterable[tuple[str, Anything]]) -> dict[str, Anything]:
    return {name: None if n is None else n * SHARE for name, n in found}

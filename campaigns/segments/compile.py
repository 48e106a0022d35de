"""A rule node → one Q over Customer.

Every leaf asks about one customer: own columns and one-to-one rows are joined, anything with many
rows becomes a correlated EXISTS (… OFFSET n-1), which costs the same for one person as its index
look-up and stays sane under `not`. A value that is not known meets no comparison; `unknown` asks
for it. `not` is pushed down to the leaves, so that the answer to `not` is exactly everyone else,
nulls included.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any as Anything

from django.db.models import (
    BooleanField,
    Case,
    Exists,
    F,
    FloatField,
    Func,
    Lookup,
    OuterRef,
    Q,
    TextField,
    Value,
    When,
)
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.db.models.functions import Cast
from django.db.models.lookups import (
    Exact,
    GreaterThan,
    GreaterThanOrEqual,
    IContains,
    IsNull,
    LessThan,
    LessThanOrEqual,
)
from django.utils import timezone

from campaigns.models import Segment
from campaigns.segments import fields, rules
from campaigns.segments.rules import (
    All,
    Any,
    Bought,
    Compare,
    Did,
    InSegment,
    Node,
    Not,
    RuleFault,
    Where,
    gettext_noop,
)
from ingestion.models import Event, OrderLine
from models_ml import queries

MOST_PARTS = 2000

_LOOKUP = {"<": "lt", "<=": "lte", ">=": "gte", ">": "gt"}
_OPPOSITE = {"<": "gte", "<=": "gt", ">=": "lt", ">": "lte"}


def read(rule: object) -> Node:
    """The node of a stored or posted rule; RuleFault with the path when it cannot be read."""
    return rules.parse(rule, fields.kinds())


def to_q(node: Node, *, as_of: datetime | None = None, within: tuple[int, ...] = ()) -> Q:
    """The rule as a condition on Customer.

    `as_of` is the moment that days count back from; `within` are ids of segments the rule is part
    of, which it may therefore not name.
    """
    compiler = _Compiler(as_of or queries.as_of(), _load_rule)
    return compiler.q(node, True, "", within)


def _load_rule(segment_id: int) -> object | None:
    rule: object | None = (
        Segment.objects.filter(pk=segment_id).values_list("rule", flat=True).first()
    )
    return rule


def _always(truth: bool) -> Q:
    return Q(Value(truth, output_field=BooleanField()))


@dataclass
class _Compiler:
    as_of: datetime
    load: Callable[[int], object | None]
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
            case Compare():
                return compare(node, want, self.as_of)
            case Did():
                return _exists(self.did(node), want)
            case Bought():
                return _exists(self.bought(node), want)

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
        out = parts[0] if parts else _always(conjunction)
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

    def since(self, days: int | None) -> datetime | None:
        return None if days is None else self.as_of - timedelta(days=days)

    def did(self, node: Did) -> Exists:
        events = Event.objects.filter(customer=OuterRef("pk"), type=node.event)
        if since := self.since(node.days):
            events = events.filter(at__gte=since)
        for test in node.where:
            events = events.filter(where(test))
        return Exists(events[node.at_least - 1 :] if node.at_least > 1 else events)

    def bought(self, node: Bought) -> Exists:
        lines = OrderLine.objects.filter(customer=OuterRef("pk"), kind=OrderLine.Kind.PRODUCT)
        if since := self.since(node.days):
            lines = lines.filter(placed_at__gte=since)
        if node.by == "sku":
            lines = lines.filter(sku=node.value)
        elif node.by == "category":
            lines = lines.filter(product__category=node.value)
        if node.at_least == 1:
            return Exists(lines)
        return Exists(lines.values("order_id").distinct()[node.at_least - 1 :])


def _exists(leaf: Exists, want: bool) -> Q:
    return Q(leaf) if want else Q(~leaf)


def compare(node: Compare, want: bool, as_of: datetime) -> Q:
    """A comparison of one field, or exactly the rest of the people."""
    f = fields.FIELDS[node.field]
    if f.kind == rules.FLAG:
        return flag(f, bool(node.value) == want)
    if node.op in rules.NO_VALUE:
        return _known(f, (node.op == "known") == want)
    if f.kind == rules.NUMBER:
        return number(f, node, want)
    if f.kind == rules.DATE:
        op, moment = _moment(node, as_of)
        return _ordered(f, op, moment, want)
    return text(f, node, want)


def _known(f: fields.Field, want: bool) -> Q:
    if f.kind in (rules.TEXT, rules.CHOICE):
        return ~_blank(f) if want else _blank(f)
    return Q(**{f"{f.column}__isnull": not want})


def _blank(f: fields.Field) -> Q:
    return Q(**{f.column: ""}) | Q(**{f"{f.column}__isnull": True})


def _ordered(f: fields.Field, op: str, value: Anything, want: bool) -> Q:
    if want:
        return Q(**{f"{f.column}__{_LOOKUP[op]}": value})
    return Q(**{f"{f.column}__{_OPPOSITE[op]}": value}) | _known(f, False)


def number(f: fields.Field, node: Compare, want: bool) -> Q:
    """Numbers may stand in joined rows, so nothing here is negated by ~: each question has its
    opposite.
    """
    c = f.column
    if node.op == "between" and isinstance(node.value, tuple):
        low, high = (_exact(float(v)) for v in node.value)
        if want:
            return Q(**{f"{c}__gte": low, f"{c}__lte": high})
        return Q(**{f"{c}__lt": low}) | Q(**{f"{c}__gt": high}) | _known(f, False)
    value = _exact(node.value)  # type: ignore[arg-type]
    if node.op in _OPPOSITE:
        return _ordered(f, node.op, value, want)
    same = Q(**{f"{c}__gte": value, f"{c}__lte": value})
    different = Q(**{f"{c}__lt": value}) | Q(**{f"{c}__gt": value})
    if node.op == "=":
        return same if want else different | _known(f, False)
    return different if want else same | _known(f, False)


def _exact(value: int | float) -> Value:
    """A double, whatever the column is: Django would cut 2.5 down to 2 for a column of whole
    numbers.
    """
    return Value(float(value), output_field=FloatField())


def _moment(node: Compare, as_of: datetime) -> tuple[str, datetime]:
    if node.op in ("within_days", "not_within_days"):
        since = as_of - timedelta(days=int(node.value))  # type: ignore[arg-type]
        return (">=" if node.op == "within_days" else "<"), since
    day = datetime.combine(
        date.fromisoformat(str(node.value)), time(), timezone.get_default_timezone()
    )
    return ("<" if node.op == "before" else ">="), day


def text(f: fields.Field, node: Compare, want: bool) -> Q:
    """Text stands in the customer's own row. Free text ignores case; a choice is what it says."""
    lookup = {
        "in": "in",
        "not_in": "in",
        "contains": "icontains",
        "starts_with": "istartswith",
    }.get(node.op, "exact")
    if f.kind == rules.TEXT and lookup == "exact":
        lookup = "iexact"
    value = list(node.value) if isinstance(node.value, tuple) else node.value
    same = Q(**{f"{f.column}__{lookup}": value}) & _known(f, True)
    if node.op in ("!=", "not_in"):
        return _known(f, True) & ~same if want else same | _known(f, False)
    return same if want else ~same | _known(f, False)


def flag(f: fields.Field, want: bool) -> Q:
    if f.name == "can_email":
        return fields.can_email() if want else ~fields.can_email()
    return Q(**{f.column: want})


class _JsonType(Func):
    function = "jsonb_typeof"
    output_field = TextField()


_ORDER: dict[str, type[Lookup]] = {
    "<": LessThan,
    "<=": LessThanOrEqual,
    ">=": GreaterThanOrEqual,
    ">": GreaterThan,
    "=": Exact,
    "!=": Exact,
}


def where(test: Where) -> Q:
    """A test on one property of an event. Text compares as text; a number only with a number."""
    said = KeyTextTransform(test.property, F("properties"))
    known = Q(IsNull(said, False))
    if test.op == "known":
        return known
    if isinstance(test.value, int | float) and not isinstance(test.value, bool):
        # The cast stands inside a CASE, so a property that is no number is never cast.
        is_number = Exact(_JsonType(KeyTransform(test.property, F("properties"))), Value("number"))
        amount = Case(
            When(Q(is_number), then=Cast(said, FloatField())),
            default=None,
            output_field=FloatField(),
        )
        holds = Q(_ORDER[test.op](amount, _exact(test.value)))
        if test.op == "!=":
            return known & (Q(IsNull(amount, True)) | ~holds)
        return holds
    value = ("true" if test.value else "false") if isinstance(test.value, bool) else str(test.value)
    if test.op == "contains":
        return Q(IContains(said, Value(value)))
    same = Q(Exact(said, Value(value)))
    return known & ~same if test.op == "!=" else same

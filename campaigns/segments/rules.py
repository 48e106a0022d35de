"""A segment rule as frozen nodes: read from JSON, written back to JSON, said as a sentence.

The grammar is small on purpose; everything a rule may name comes in as `kinds`, so this module
knows no table:

    {"all": [rule, …]}   {"any": [rule, …]}   {"not": rule}
    {"field": "traits.orders", "op": ">=", "value": 3}
    {"did": "page_view", "at_least": 2, "days": 30,
     "where": [{"property": "url", "op": "=", "value": "/"}]}
    {"bought": {"sku": "85123A"}, "at_least": 1, "days": 90}      sku | category | any: true
    {"in_segment": 7}

`parse` refuses with the path of the fault (`all[1].value`), so that a builder can mark the right
box.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

from marketing.core.errors import Invalid

MAX_DEPTH = 20
MAX_NODES = 500
MAX_VALUES = 200
MAX_TEXT = 500
MAX_NUMBER = 10**15
MAX_DAYS = 36_500
MAX_TIMES = 100_000
MAX_ID = 2**63 - 1

Value: TypeAlias = bool | int | float | str | tuple[int | float | str, ...] | None

NUMBER, TEXT, CHOICE, FLAG, DATE = "number", "text", "choice", "flag", "date"
OPS: dict[str, tuple[str, ...]] = {
    NUMBER: ("<", "<=", "=", "!=", ">=", ">", "between", "known", "unknown"),
    TEXT: ("=", "!=", "in", "contains", "starts_with", "known", "unknown"),
    CHOICE: ("=", "!=", "in", "not_in", "known", "unknown"),
    FLAG: ("=",),
    DATE: ("before", "after", "within_days", "not_within_days", "known", "unknown"),
}
PROPERTY_OPS = ("=", "!=", "<", "<=", ">=", ">", "contains", "known")
NO_VALUE = ("known", "unknown")
BOUGHT_BY = ("sku", "category", "any")
_PROPERTY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\- ]{0,99}")


def gettext_noop(message: str) -> str:
    """Mark a message for translation; whoever shows it translates it."""
    return message


class RuleFault(Invalid):
    """A rule that cannot be read. `path` is the place, `template` and `params` the message to
    translate.
    """

    def __init__(self, path: str, template: str, **params: object) -> None:
        self.path = path
        self.template = template
        self.params = params
        message = template % params if params else template
        super().__init__(message, code="bad_rule", field=path or "rule")


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds; with no parts, everyone."""

    nodes: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Any:
    """At least one part holds; with no parts, nobody."""

    nodes: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Not:
    node: "Node"


@dataclass(frozen=True, slots=True)
class Compare:
    field: str
    op: str
    value: Value = None


@dataclass(frozen=True, slots=True)
class Where:
    """A test on one property of an event."""

    property: str
    op: str
    value: Value = None


@dataclass(frozen=True, slots=True)
class Did:
    event: str
    at_least: int = 1
    days: int | None = None
    where: tuple[Where, ...] = ()


@dataclass(frozen=True, slots=True)
class Bought:
    by: str
    value: str | None = None
    at_least: int = 1
    days: int | None = None


@dataclass(frozen=True, slots=True)
class InSegment:
    id: int


Node: TypeAlias = All | Any | Not | Compare | Did | Bought | InSegment


def parse_text(text: str | bytes, kinds: Mapping[str, str]) -> Node:
    """Read a rule from JSON text. NaN, Infinity and nesting too deep for the reader are refused."""

    def refuse(constant: str) -> object:
        raise RuleFault(
            "", gettext_noop("%(constant)s is not a number a rule can hold."), constant=constant
        )

    try:
        data = json.loads(text, parse_constant=refuse)
    except RecursionError:
        raise too_deep("") from None
    except ValueError:
        raise RuleFault("", gettext_noop("The rule is not valid JSON.")) from None
    return parse(data, kinds)


def parse(data: object, kinds: Mapping[str, str]) -> Node:
    """Read a rule from JSON data; `kinds` gives the kind of each field a rule may name."""
    return _Reader(kinds).node(data, "", 1)


def too_deep(path: str) -> RuleFault:
    return RuleFault(
        path,
        gettext_noop(
            "The rule is nested more than %(limit)s deep. Split it into several segments."
        ),
        limit=MAX_DEPTH,
    )


class _Reader:
    def __init__(self, kinds: Mapping[str, str]) -> None:
        self.kinds = kinds
        self.count = 0

    def node(self, data: object, path: str, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise too_deep(path)
        self.count += 1
        if self.count > MAX_NODES:
            raise RuleFault(
                path,
                gettext_noop(
                    "The rule has more than %(limit)s parts. Split it into several segments."
                ),
                limit=MAX_NODES,
            )
        if not isinstance(data, dict):
            raise RuleFault(path, gettext_noop("A rule is an object such as {“field”: …}."))
        heads = [
            key
            for key in ("all", "any", "not", "field", "did", "bought", "in_segment")
            if key in data
        ]
        if len(heads) != 1:
            raise RuleFault(
                path,
                gettext_noop(
                    "A rule has exactly one of all, any, not, field, did, bought and in_segment."
                ),
            )
        return getattr(self, "read_" + heads[0])(data, path, depth)

    def read_all(self, data: dict[str, object], path: str, depth: int) -> Node:
        return All(self.parts(data, "all", path, depth))

    def read_any(self, data: dict[str, object], path: str, depth: int) -> Node:
        return Any(self.parts(data, "any", path, depth))

    def parts(self, data: dict[str, object], key: str, path: str, depth: int) -> tuple[Node, ...]:
        allow(data, (key,), path)
        parts = data[key]
        here = join(path, key)
        if not isinstance(parts, list):
            raise RuleFault(here, gettext_noop("This needs a list of rules."))
        return tuple(self.node(part, f"{here}[{i}]", depth + 1) for i, part in enumerate(parts))

    def read_not(self, data: dict[str, object], path: str, depth: int) -> Node:
        allow(data, ("not",), path)
        return Not(self.node(data["not"], join(path, "not"), depth + 1))

    def read_field(self, data: dict[str, object], path: str, depth: int) -> Node:
        allow(data, ("field", "op", "value"), path)
        name = text_of(data["field"], join(path, "field"))
        kind = self.kinds.get(name)
        if kind is None:
            raise RuleFault(
                join(path, "field"),
                gettext_noop("There is no field called “%(name)s”."),
                name=name[:80],
            )
        op = text_of(data.get("op"), join(path, "op"))
        if op not in OPS[kind]:
            raise RuleFault(
                join(path, "op"),
                gettext_noop("“%(op)s” cannot be asked of %(name)s. Use one of: %(ops)s."),
                op=op[:40],
                name=name,
                ops=", ".join(OPS[kind]),
            )
        return Compare(name, op, value_of(data, op, kind, path))

    def read_did(self, data: dict[str, object], path: str, depth: int) -> Node:
        allow(data, ("did", "at_least", "days", "where"), path)
        event = text_of(data["did"], join(path, "did"))
        where = data.get("where", [])
        if not isinstance(where, list) or len(where) > 10:
            raise RuleFault(
                join(path, "where"), gettext_noop("This needs a list of at most 10 tests.")
            )
        tests = tuple(where_of(test, f"{join(path, 'where')}[{i}]") for i, test in enumerate(where))
        return Did(event, times_of(data, path), days_of(data, path), tests)

    def read_bought(self, data: dict[str, object], path: str, depth: int) -> Node:
        inner = data["bought"]
        here = join(path, "bought")
        if not isinstance(inner, dict):
            raise RuleFault(
                here,
                gettext_noop("Say what was bought: {“sku”: …}, {“category”: …} or {“any”: true}."),
            )
        allow(data, ("bought", "at_least", "days"), path)
        allow(inner, (*BOUGHT_BY, "at_least", "days"), here)
        by = [key for key in BOUGHT_BY if key in inner]
        if len(by) != 1:
            raise RuleFault(
                here,
                gettext_noop("Say what was bought: {“sku”: …}, {“category”: …} or {“any”: true}."),
            )
        if by[0] == "any":
            if inner["any"] is not True:
                raise RuleFault(join(here, "any"), gettext_noop("This can only be true."))
            what = None
        else:
            what = text_of(inner[by[0]], join(here, by[0]))
        counts = {
            key: data.get(key, inner.get(key))
            for key in ("at_least", "days")
            if key in data or key in inner
        }
        return Bought(by[0], what, times_of(counts, path), days_of(counts, path))

    def read_in_segment(self, data: dict[str, object], path: str, depth: int) -> Node:
        allow(data, ("in_segment",), path)
        return InSegment(whole(data["in_segment"], join(path, "in_segment"), 1, MAX_ID))


def join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def allow(data: dict[str, object], keys: tuple[str, ...], path: str) -> None:
    for key in data:
        if key not in keys:
            raise RuleFault(
                join(path, str(key)[:80]),
                gettext_noop("A rule has no part called “%(key)s”."),
                key=str(key)[:80],
            )


def text_of(value: object, path: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise RuleFault(path, gettext_noop("This needs some text."))
    if len(value) > MAX_TEXT:
        raise RuleFault(
            path, gettext_noop("This text is longer than %(limit)s characters."), limit=MAX_TEXT
        )
    if "\x00" in value or any("\ud800" <= ch <= "\udfff" for ch in value):
        raise RuleFault(path, gettext_noop("This text holds a character that cannot be stored."))
    return value


def number_of(value: object, path: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RuleFault(path, gettext_noop("This needs a number."))
    if isinstance(value, float) and not math.isfinite(value):
        raise RuleFault(path, gettext_noop("This needs a number."))
    if abs(value) > MAX_NUMBER:
        raise RuleFault(path, gettext_noop("This number is too large."))
    return value


def whole(value: object, path: str, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise RuleFault(
            path,
            gettext_noop("This needs a whole number from %(low)s to %(high)s."),
            low=low,
            high=high,
        )
    return value


def times_of(data: Mapping[str, object], path: str) -> int:
    return whole(data.get("at_least", 1), join(path, "at_least"), 1, MAX_TIMES)


def days_of(data: Mapping[str, object], path: str) -> int | None:
    if data.get("days") is None:
        return None
    return whole(data["days"], join(path, "days"), 1, MAX_DAYS)


def value_of(data: dict[str, object], op: str, kind: str, path: str) -> Value:
    here = join(path, "value")
    if op in NO_VALUE:
        if data.get("value") is not None:
            raise RuleFault(here, gettext_noop("This question takes no value."))
        return None
    value = data.get("value")
    if op == "between":
        if not isinstance(value, list) or len(value) != 2:
            raise RuleFault(here, gettext_noop("This needs two numbers: from and to."))
        low, high = number_of(value[0], here + "[0]"), number_of(value[1], here + "[1]")
        if low > high:
            raise RuleFault(
                here, gettext_noop("The first number must not be larger than the second.")
            )
        return (low, high)
    if op in ("in", "not_in"):
        if not isinstance(value, list) or not 1 <= len(value) <= MAX_VALUES:
            raise RuleFault(
                here, gettext_noop("This needs a list of 1 to %(limit)s values."), limit=MAX_VALUES
            )
        return tuple(text_of(v, f"{here}[{i}]") for i, v in enumerate(value))
    if op in ("within_days", "not_within_days"):
        return whole(value, here, 1, MAX_DAYS)
    if kind == FLAG:
        if not isinstance(value, bool):
            raise RuleFault(here, gettext_noop("This is either true or false."))
        return value
    if kind == NUMBER:
        return number_of(value, here)
    if kind == DATE:
        return day_of(value, here)
    return text_of(value, here)


def day_of(value: object, path: str) -> str:
    fault = RuleFault(path, gettext_noop("This needs a day such as 2026-03-31."))
    if not isinstance(value, str) or len(value) != 10:
        raise fault
    try:
        date.fromisoformat(value)
    except ValueError:
        raise fault from None
    return value


def where_of(data: object, path: str) -> Where:
    if not isinstance(data, dict):
        raise RuleFault(
            path, gettext_noop("A test on an event names a property, a question and a value.")
        )
    allow(data, ("property", "op", "value"), path)
    name = text_of(data.get("property"), join(path, "property"))
    if not _PROPERTY.fullmatch(name):
        raise RuleFault(
            join(path, "property"),
            gettext_noop("A property is named by letters, digits, dots and dashes."),
        )
    op = text_of(data.get("op"), join(path, "op"))
    if op not in PROPERTY_OPS:
        raise RuleFault(
            join(path, "op"), gettext_noop("Use one of: %(ops)s."), ops=", ".join(PROPERTY_OPS)
        )
    here = join(path, "value")
    if op == "known":
        return Where(name, op, value_of(data, op, TEXT, path))
    value = data.get("value")
    if op in ("<", "<=", ">=", ">"):
        return Where(name, op, number_of(value, here))
    if op == "contains":
        return Where(name, op, text_of(value, here))
    if isinstance(value, bool):
        return Where(name, op, value)
    return Where(
        name, op, text_of(value, here) if isinstance(value, str) else number_of(value, here)
    )


def to_json(node: Node) -> dict[str, object]:
    """The rule as JSON data; `parse(to_json(node))` is the same node."""
    match node:
        case All(nodes):
            return {"all": [to_json(n) for n in nodes]}
        case Any(nodes):
            return {"any": [to_json(n) for n in nodes]}
        case Not(inner):
            return {"not": to_json(inner)}
        case Compare(field, op, value):
            return {"field": field, "op": op} | _value(op, value)
        case Did(event, at_least, days, where):
            out: dict[str, object] = {"did": event, "at_least": at_least, "days": days}
            if where:
                out["where"] = [
                    {"property": w.property, "op": w.op} | _value(w.op, w.value) for w in where
                ]
            return out
        case Bought(by, what, at_least, days):
            return {
                "bought": {by: True if by == "any" else what},
                "at_least": at_least,
                "days": days,
            }
        case InSegment(id):
            return {"in_segment": id}


def _value(op: str, value: Value) -> dict[str, object]:
    if op in NO_VALUE:
        return {}
    return {"value": list(value) if isinstance(value, tuple) else value}


def walk(node: Node) -> Iterator[Node]:
    """Every node of the rule, the rule itself first."""
    yield node
    match node:
        case All(nodes) | Any(nodes):
            for n in nodes:
                yield from walk(n)
        case Not(inner):
            yield from walk(inner)


def segments_in(node: Node) -> set[int]:
    """Ids of the segments that the rule names."""
    return {n.id for n in walk(node) if isinstance(n, InSegment)}

"""A second, slow reading of rules: one person at a time, in plain Python."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from campaigns.segments.rules import All, Bought, Compare, Did, InSegment, Node, Not
from campaigns.segments.rules import Any as AnyOf


@dataclass
class Person:
    """What the rules of these tests can ask about; None or '' is not known."""

    values: dict[str, Any]
    events: list[tuple[str, datetime, dict[str, Any]]] = field(default_factory=list)
    lines: list[tuple[int, datetime, str, str]] = field(default_factory=list)


def holds(node: Node, person: Person, as_of: datetime, segments: dict[int, Node]) -> bool:
    def ask(n: Node) -> bool:
        return holds(n, person, as_of, segments)

    def recent(at: datetime, days: int | None) -> bool:
        return days is None or at >= as_of - timedelta(days=days)

    match node:
        case All(nodes):
            return all(ask(n) for n in nodes)
        case AnyOf(nodes):
            return any(ask(n) for n in nodes)
        case Not(inner):
            return not ask(inner)
        case InSegment(number):
            return ask(segments[number])
        case Compare(name, op, value):
            return compare(person.values[name], op, value)
        case Did(event, at_least, days, where):
            found = [
                1
                for kind, at, said in person.events
                if kind == event
                and recent(at, days)
                and all(matches(said, test.property, test.op, test.value) for test in where)
            ]
            return len(found) >= at_least
        case Bought(by, what, at_least, days):
            orders = {
                order
                for order, at, sku, category in person.lines
                if recent(at, days) and {"any": True, "sku": sku == what}.get(by, category == what)
            }
            return len(orders) >= at_least
    raise AssertionError(node)


def compare(have: Any, op: str, value: Any) -> bool:
    known = have is not None and have != ""
    if op in ("known", "unknown"):
        return known == (op == "known")
    if not known:
        return False
    return {
        "<": lambda: have < value, "<=": lambda: have <= value, "=": lambda: have == value,
        "!=": lambda: have != value, ">=": lambda: have >= value, ">": lambda: have > value,
        "between": lambda: value[0] <= have <= value[1],
        "in": lambda: have in value, "not_in": lambda: have not in value,
        "contains": lambda: value.lower() in have.lower(),
        "starts_with": lambda: have.lower().startswith(value.lower()),
    }[op]()  # fmt: skip


def matches(said: dict[str, Any], name: str, op: str, value: Any) -> bool:
    if name not in said:
        return False
    if op == "known":
        return True
    have = said[name]
    number = isinstance(have, int | float) and not isinstance(have, bool)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return compare(have, op, value) if number else op == "!="
    text = have if isinstance(have, str) else str(have).lower()
    want = value if isinstance(value, str) else str(value).lower()
    return {"=": text == want, "!=": text != want, "contains": want.lower() in text.lower()}[op]

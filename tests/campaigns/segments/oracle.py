"""A second, slow reading of rules: one person at a time, in plain Python."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from campaigns import experiments
from campaigns.segments import nodes
from campaigns.segments.nodes import All, Bought, Compare, Did, InSegment, Node, Not
from campaigns.segments.nodes import Any as AnyOf

PREDICTED = {"traits.repeat_90d"}
LENGTHS = {"minutes": 60, "hours": 3600, "days": 86400, "weeks": 7 * 86400}


@dataclass
class Line:
    """An order line. A return is a line of the kind “return”."""

    order: int
    at: datetime
    sku: str
    category: str
    values: dict[str, Any] = field(default_factory=dict)
    kind: str = "product"
    attributes: dict[str, Any] = field(default_factory=dict)

    def of(self, name: str) -> Any:
        return {"sku": self.sku, "category": self.category}.get(name, self.values.get(name))


@dataclass
class Mail:
    """A message: when each act happened, if it did."""

    campaign: int
    channel: str
    acts: dict[str, datetime]


@dataclass
class Person:
    """What the rules of these tests can ask about; None or '' is not known."""

    values: dict[str, Any]
    events: list[tuple[str, datetime, dict[str, Any]]] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    id: int = 0
    zone: str = "UTC"
    attributes: dict[str, Any] = field(default_factory=dict)
    mails: list[Mail] = field(default_factory=list)
    scores: dict[str, tuple[float, int]] = field(default_factory=dict)
    consents: dict[tuple[str, str], str] = field(default_factory=dict)
    reach: set[tuple[str, str]] = field(default_factory=set)
    lists: set[int] = field(default_factory=set)
    groups: dict[str, int] = field(default_factory=dict)
    no_profiling: bool = False  # said no to predictions


def holds(node: Node, person: Person, as_of: datetime, segments: dict[int, Node]) -> bool:
    def ask(n: Node) -> bool:
        return holds(n, person, as_of, segments)

    match node:
        case All(inner):
            return all(ask(n) for n in inner)
        case AnyOf(inner):
            return any(ask(n) for n in inner)
        case Not(inner):
            return not ask(inner)
        case InSegment(number):
            return ask(segments[number])
    return answer(node, person, as_of)


def answer(node: Node, person: Person, as_of: datetime) -> bool:
    inside = in_time(getattr(node, "days", None), getattr(node, "when", None), person, as_of)
    match node:
        case Compare(name, op, value):
            have = None if name in PREDICTED and person.no_profiling else person.values[name]
            return compare_moment(person, have, op, value, as_of)
        case nodes.Attribute(name, kind, op, value):
            return attribute(person, person.attributes.get(name), kind, op, value, as_of)
        case Did():
            done = [e[1] for e in person.events if is_event(e, node.event, node.where)]
            return enough(sum(inside(at) for at in done), node)
        case nodes.Sequence(steps):
            first = [
                at
                for kind, at, said in person.events
                if is_event((kind, at, said), steps[0].event, steps[0].where) and inside(at)
            ]
            return any(followed(person, at, list(steps[1:]), as_of) for at in first)
        case Bought(by, what):
            orders = {
                line.order
                for line in person.lines
                if line.kind == "product" and inside(line.at)
                and {"any": True, "sku": line.sku == what}.get(by, line.category == what)
            }  # fmt: skip
            return enough(len(orders), node)
        case nodes.Ordered(measure, op, value, where):
            lines = [x for x in person.lines if inside(x.at) and all(tested(x, t) for t in where)]
            return compare(measured(measure, lines), op, value)
        case nodes.Message(act, campaign, channel):
            times = [
                mail.acts[act]
                for mail in person.mails
                if act in mail.acts
                and campaign in (None, mail.campaign)
                and channel in (None, mail.channel)
            ]
            return enough(sum(inside(at) for at in times), node)
        case nodes.Reach(channel, purpose):
            return (channel, purpose) in person.reach
        case nodes.Consented(channel, purpose, said):
            return person.consents.get((channel, purpose), "never_asked") == said
        case nodes.Score(key, op, value):
            said = None if person.no_profiling else person.scores.get(key)
            return scored(said, op, value, as_of)
        case nodes.Rfm(r, f, m):
            asked = {"traits.r_score": r, "traits.f_score": f, "traits.m_score": m}
            return all(not of or person.values[name] in of for name, of in asked.items())
        case nodes.Lifecycle(stages):
            return stage(person.values) in stages
        case nodes.Cluster(key, numbers):
            return not person.no_profiling and person.groups.get(key) in numbers
        case nodes.Bucket(salt, start, end):
            place = int(experiments.bucket(key=f"bucket:{salt}", unit=person.id), 16) / 2**32
            return start / 100 <= place < end / 100
        case nodes.InList(number):
            return number in person.lists
    raise AssertionError(node)


def enough(count: int, node: Any) -> bool:
    return count >= node.at_least and (node.at_most is None or count <= node.at_most)


def is_event(event: tuple[str, datetime, dict[str, Any]], kind: str, where: Any) -> bool:
    return event[0] == kind and all(matches(event[2], t.property, t.op, t.value) for t in where)


def followed(person: Person, at: datetime, steps: list[Any], as_of: datetime) -> bool:
    """Whether the steps follow what happened `at`, by trying every event for every step."""
    gaps = []
    while steps and steps[0].absent:
        gaps.append(steps.pop(0))

    def missing(gap: Any, until: datetime) -> bool:
        limit = at + length(gap.within) if gap.within else None
        return not any(
            is_event(e, gap.event, gap.where)
            and at < e[1] < until
            and (limit is None or e[1] <= limit)
            for e in person.events
        )

    if not steps:
        return all(
            (gap.within is None or at + length(gap.within) <= as_of)
            and missing(gap, datetime.max.replace(tzinfo=UTC))
            for gap in gaps
        )
    step = steps[0]
    return any(
        is_event(e, step.event, step.where)
        and e[1] > at
        and (step.within is None or e[1] <= at + length(step.within))
        and all(missing(gap, e[1]) for gap in gaps)
        and followed(person, e[1], list(steps[1:]), as_of)
        for e in person.events
    )


def length(span: nodes.Span) -> timedelta:
    return timedelta(seconds=span.number * LENGTHS[span.unit])


def in_time(
    days: int | None, when: nodes.When, person: Person, as_of: datetime
) -> Callable[[datetime], bool]:
    if days is not None:
        return lambda at: at >= as_of - timedelta(days=days)
    match when:
        case nodes.Last(span):
            return lambda at: at >= as_of - length(span)
        case nodes.Ago(start, end):
            return lambda at: as_of - timedelta(days=start) <= at < as_of - timedelta(days=end)
        case nodes.Dates(since, until):
            return lambda at: (
                (since is None or at.date() >= date.fromisoformat(since))
                and (until is None or at.date() <= date.fromisoformat(until))
            )
        case nodes.Calendar(name):
            first, after = stretch(name, local_day(as_of, person))
            return lambda at: first <= local_day(at, person) < after
    return lambda at: True


def local_day(at: datetime, person: Person) -> date:
    return at.astimezone(ZoneInfo(person.zone)).date()


def stretch(name: str, today: date) -> tuple[date, date]:
    """The first day of a stretch, and the first day after it."""
    which, _underscore, unit = name.partition("_")
    if not unit:
        first = today - timedelta(days=which == "yesterday")
        return first, first + timedelta(days=1)
    if unit == "week":
        first = today - timedelta(days=today.weekday() + 7 * (which == "last"))
        return first, first + timedelta(days=7)
    if unit == "year":
        year = today.year - (which == "last")
        return date(year, 1, 1), date(year + 1, 1, 1)
    this = today.replace(day=1)
    before = (this - timedelta(days=1)).replace(day=1)
    after = (this + timedelta(days=31)).replace(day=1)
    return (this, after) if which == "this" else (before, this)


def compare_moment(person: Person, have: Any, op: str, value: Any, as_of: datetime) -> bool:
    if not isinstance(have, datetime) or op in ("known", "unknown"):
        return compare(have, op, value)
    match op:
        case "before" | "after":
            edge = datetime.combine(date.fromisoformat(value), time(), UTC)
            return (have < edge) == (op == "before")
        case "within_days" | "not_within_days":
            return (have >= as_of - timedelta(days=value)) == (op == "within_days")
        case "in_next_days":
            return as_of <= have < as_of + timedelta(days=value)
    return compare_day(local_day(have, person), op, value, local_day(as_of, person))


def compare_day(day: date, op: str, value: Any, today: date) -> bool:
    match op:
        case "before":
            return day < date.fromisoformat(value)
        case "after":
            return day >= date.fromisoformat(value)
        case "within_days" | "not_within_days":
            return (today - timedelta(days=value) <= day <= today) == (op == "within_days")
        case "in_next_days":
            return today <= day <= today + timedelta(days=value)
        case "during" | "not_during":
            first, after = stretch(value, today)
            return (first <= day < after) == (op == "during")
        case "anniversary_within":
            return any(falls_on(day, today + timedelta(days=n)) for n in range(value + 1))
    raise AssertionError(op)


def falls_on(day: date, other: date) -> bool:
    """Whether a yearly day falls on another; the 29th of February on the 28th in short years."""
    if (day.month, day.day) == (2, 29) and (other.month, other.day) == (2, 28):
        return (other + timedelta(days=1)).month == 3
    return (day.month, day.day) == (other.month, other.day)


def attribute(person: Person, said: Any, kind: str, op: str, value: Any, as_of: datetime) -> bool:
    text = said if isinstance(said, str) else "" if said is None else str(said)
    text = text.lower() if isinstance(said, bool) else text
    if kind == "flag":
        return text == str(value).lower()
    if kind == "number":
        fits = re.fullmatch(r"-?[0-9]{1,30}(\.[0-9]{1,30})?", text)
        return compare(float(text) if fits else None, op, value)
    if kind == "date":
        day = day_in(text)
        if day is None or op in ("known", "unknown"):
            return compare(day, op, value) if op in ("known", "unknown") else False
        return compare_day(day, op, value, local_day(as_of, person))
    if isinstance(value, str) and op in ("=", "!="):
        return compare(text.lower(), op, value.lower())
    return compare(text, op, value)


def day_in(text: str) -> date | None:
    if not re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ]|$)", text):
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None


def tested(line: Line, test: nodes.Where) -> bool:
    if test.property.startswith("product."):
        return matches(line.attributes, test.property[8:], test.op, test.value)
    have = line.of(test.property)
    return compare(have, test.op, test.value)


def measured(measure: str, lines: list[Line]) -> float | None:
    goods = [line for line in lines if line.kind == "product"]
    orders = len({line.order for line in goods})
    total = float(sum(line.values["total"] for line in goods))
    match measure:
        case "orders":
            return orders
        case "lines":
            return len(goods)
        case "units":
            return sum(line.values["quantity"] for line in goods)
        case "money":
            return float(sum(line.values["total"] for line in lines))
        case "products":
            return len({line.sku for line in goods})
    return total / orders if orders else None


def scored(said: tuple[float, int] | None, op: str, value: Any, as_of: datetime) -> bool:
    if said is None or op in ("known", "unknown"):
        return (said is not None) == (op == "known") if op in ("known", "unknown") else False
    if op in ("top", "bottom"):
        return said[1] > 100 - value if op == "top" else said[1] <= value
    if op == "in_days":
        today = (as_of - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() / 86400
        return today + value[0] <= said[0] <= today + value[1]
    return compare(said[0], op, value)


def stage(values: dict[str, Any]) -> str:
    if not values["traits.orders"]:
        return "never_ordered"
    recency, tenure = values["traits.recency_days"], values["traits.tenure_days"]
    if tenure is not None and tenure <= 30:
        return "new"
    if recency is not None and recency > 365:
        return "lapsed"
    if recency is not None and recency > 90:
        return "at_risk"
    return "loyal" if values["traits.orders"] >= 4 else "active"


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

"""The language of segments: a rule as JSON, read into frozen nodes and written back.

Everything a rule may name comes in as `kinds` or is looked up when the rule is compiled, so this
module knows no table. A rule is a tree of

    {"all": [rule, …]}   {"any": [rule, …]}   {"not": rule}

over questions about one person:

    {"field": "traits.orders", "op": ">=", "value": 3}
        a field of `fields.FIELDS`; questions by kind are in `terms.OPS`
    {"attribute": "birthday", "as": "date", "op": "anniversary_within", "value": 7}
        what the shop keeps of people, as text (if not said), number, flag or date
    {"reach": "email", "purpose": "marketing"}
        can be written to on email, sms or push: address, consent, not suppressed
    {"consent": "email", "purpose": "profiling", "answer": "yes"}       yes | no | never_asked
    {"did": "page_view", "at_least": 2, "at_most": 5, TIME,
     "where": [{"property": "url", "op": "=", "value": "/"}]}
    {"sequence": [{"did": "cart", "where": […]},
                  {"did": "checkout", "within": {"hours": 2}},
                  {"did_not": "purchase", "within": {"days": 3}}], TIME}
        each step after the last one that was done, no later than `within` after it; what was not
        done at the end is sure only once its time is over. TIME is of the first step.
    {"bought": {"sku": "85123A"}, "at_least": 1, "at_most": 2, TIME}    sku | category | any: true
    {"ordered": "money", "op": ">=", "value": 200, TIME,
     "where": [{"property": "category", "op": "=", "value": "mugs"}]}
        orders | lines | units | money | products | average (money an order), of order lines that
        pass every test: sku, category, name, price, quantity, total, order_total, currency,
        country, or product.<attribute>; money and average take off what was returned
    {"message": "opened", "campaign": 12, "channel": "email", "at_least": 2, "at_most": 9, TIME}
        sent | opened | clicked | failed | held_out; any campaign and channel if not said
    {"score": "churn", "op": "top", "value": 10}
        a prediction by its key: a comparison of its value, known, unknown, top or bottom (so many
        per cent of everybody scored), or in_days [from, to] of a predicted date
    {"rfm": {"r": [4, 5], "f": [5], "m": [3, 4, 5]}}    scores; what is left out may be any
    {"lifecycle": ["active", "loyal"]}                  stages of `models_ml.insights.lifecycle`
    {"cluster": "by-buying", "in": [1, 3]}              groups of a way of sorting people
    {"bucket": "summer test", "from": 0, "to": 12.5}    a stable random part, in per cent
    {"in_list": 3}   {"in_segment": 7}

TIME is left out for all the time, or one of

    "days": 30                                          the last 30 × 24 hours
    "when": {"last": {"hours": 6}}                      minutes | hours | days | weeks
    "when": {"days_ago": [60, 30]}                      from 60 days ago until 30 days ago
    "when": {"calendar": "last_month"}                  `terms.CALENDAR`, in the person's time zone
    "when": {"since": "2026-01-01", "until": "2026-03-31"}      days of the shop, both included

`at_least` is 1 if neither it nor `at_most` is said, and 0 beside an `at_most`.

`parse` refuses with the path of the fault (`all[1].value`), so that a builder can mark the right
box.
"""

import json
from collections.abc import Mapping

from campaigns.segments.nodes import (
    All,
    Any,
    Bought,
    Compare,
    Did,
    InSegment,
    Node,
    Not,
    Where,
    campaigns_in,
    lists_in,
    predictions_in,
    segments_in,
    walk,
)
from campaigns.segments.questions import READERS
from campaigns.segments.terms import (
    CHOICE,
    DATE,
    FLAG,
    MAX_DEPTH,
    MAX_NODES,
    NO_VALUE,
    NUMBER,
    OPS,
    PROPERTY_OPS,
    TEXT,
    RuleFault,
    allow,
    gettext_noop,
    join,
)
from campaigns.segments.writing import to_json

__all__ = [
    "CHOICE",
    "DATE",
    "FLAG",
    "HEADS",
    "NO_VALUE",
    "NUMBER",
    "OPS",
    "PROPERTY_OPS",
    "TEXT",
    "All",
    "Any",
    "Bought",
    "Compare",
    "Did",
    "InSegment",
    "Node",
    "Not",
    "RuleFault",
    "Where",
    "campaigns_in",
    "gettext_noop",
    "join",
    "lists_in",
    "parse",
    "parse_text",
    "predictions_in",
    "segments_in",
    "to_json",
    "walk",
]

HEADS = ("all", "any", "not", *READERS)


def parse_text(text: str | bytes, kinds: Mapping[str, str]) -> Node:
    """Read a rule from JSON text. NaN, Infinity and nesting too deep for the reader are refused."""

    def refuse(constant: str) -> object:
        raise RuleFault(
            "", gettext_noop("%(constant)s is not a number a rule can hold."), constant=constant
        )

    try:
        data = json.loads(text, parse_constant=refuse)
    except RecursionError:
        raise _too_deep("") from None
    except ValueError:
        raise RuleFault("", gettext_noop("The rule is not valid JSON.")) from None
    return parse(data, kinds)


def parse(data: object, kinds: Mapping[str, str]) -> Node:
    """Read a rule from JSON data; `kinds` gives the kind of each field a rule may name."""
    return _Reader(kinds).node(data, "", 1)


def _too_deep(path: str) -> RuleFault:
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
            raise _too_deep(path)
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
        heads = [key for key in HEADS if key in data]
        if len(heads) != 1:
            raise RuleFault(
                path,
                gettext_noop("A rule has exactly one of these parts: %(heads)s."),
                heads=", ".join(HEADS),
            )
        match heads[0]:
            case "all":
                return All(self.parts(data, "all", path, depth))
            case "any":
                return Any(self.parts(data, "any", path, depth))
            case "not":
                allow(data, ("not",), path)
                return Not(self.node(data["not"], join(path, "not"), depth + 1))
        return READERS[heads[0]](data, path, self.kinds)

    def parts(self, data: dict[str, object], key: str, path: str, depth: int) -> tuple[Node, ...]:
        allow(data, (key,), path)
        parts = data[key]
        here = join(path, key)
        if not isinstance(parts, list):
            raise RuleFault(here, gettext_noop("This needs a list of rules."))
        return tuple(self.node(part, f"{here}[{i}]", depth + 1) for i, part in enumerate(parts))

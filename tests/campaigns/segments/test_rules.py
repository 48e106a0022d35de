"""Reading a rule: what is taken, what is refused, and where the fault is."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.segments import rules
from campaigns.segments.rules import (
    All,
    Bought,
    Compare,
    Did,
    InSegment,
    Not,
    RuleFault,
    Where,
    parse,
    parse_text,
    to_json,
)

KINDS = {"n": "number", "t": "text", "c": "choice", "f": "flag", "d": "date"}


def fault(rule: object) -> RuleFault:
    with pytest.raises(RuleFault) as caught:
        parse(rule, KINDS)
    return caught.value


def test_a_rule_of_every_kind_becomes_nodes() -> None:
    rule = {
        "all": [
            {"field": "n", "op": ">=", "value": 3},
            {"any": [{"field": "c", "op": "in", "value": ["GB", "FR"]}]},
            {"not": {"in_segment": 7}},
            {"did": "page_view", "days": 30, "where": [{"property": "u", "op": "=", "value": "/"}]},
            {"bought": {"sku": "85123A"}, "at_least": 2, "days": 90},
            {"bought": {"any": True}},
        ]
    }
    assert parse(rule, KINDS) == All(
        (
            Compare("n", ">=", 3),
            rules.Any((Compare("c", "in", ("GB", "FR")),)),
            Not(InSegment(7)),
            Did("page_view", 1, 30, (Where("u", "=", "/"),)),
            Bought("sku", "85123A", 2, 90),
            Bought("any", None, 1, None),
        )
    )


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ([], ""),
        ({}, ""),
        ({"all": [], "any": []}, ""),
        ({"all": {}}, "all"),
        ({"all": [{"field": "n", "op": "=", "value": 1}, {"any": [3]}]}, "all[1].any[0]"),
        ({"not": {"field": "nope", "op": "=", "value": 1}}, "not.field"),
        ({"field": "n", "op": "contains", "value": "x"}, "op"),
        ({"field": "n", "op": "=", "value": "3"}, "value"),
        ({"field": "n", "op": "=", "value": True}, "value"),
        ({"field": "n", "op": "=", "value": float("nan")}, "value"),
        ({"field": "n", "op": "=", "value": float("inf")}, "value"),
        ({"field": "n", "op": "=", "value": 10**16}, "value"),
        ({"field": "n", "op": "between", "value": [3, 1]}, "value"),
        ({"field": "n", "op": "between", "value": [1]}, "value"),
        ({"field": "n", "op": "known", "value": 1}, "value"),
        ({"field": "n", "op": "=", "value": 1, "x": 2}, "x"),
        ({"field": "f", "op": "=", "value": 1}, "value"),
        ({"field": "c", "op": "in", "value": []}, "value"),
        ({"field": "c", "op": "in", "value": ["a", 3]}, "value[1]"),
        ({"field": "c", "op": "in", "value": ["a"] * 201}, "value"),
        ({"field": "t", "op": "=", "value": "a\x00b"}, "value"),
        ({"field": "t", "op": "=", "value": "\ud800"}, "value"),
        ({"field": "t", "op": "=", "value": "x" * 501}, "value"),
        ({"field": "d", "op": "before", "value": "2026-02-30"}, "value"),
        ({"field": "d", "op": "within_days", "value": 0}, "value"),
        ({"did": "", "at_least": 1}, "did"),
        ({"did": "x", "at_least": 0}, "at_least"),
        ({"did": "x", "days": 1.5}, "days"),
        ({"did": "x", "where": [{"property": "a'b", "op": "=", "value": 1}]}, "where[0].property"),
        ({"did": "x", "where": [{"property": "a", "op": "<", "value": "1"}]}, "where[0].value"),
        ({"bought": {"sku": "a", "any": True}}, "bought"),
        ({"bought": {"any": False}}, "bought.any"),
        ({"bought": "a"}, "bought"),
        ({"in_segment": "7"}, "in_segment"),
        ({"in_segment": 2**63}, "in_segment"),
        ({"in_list": 0}, "in_list"),
        ({"did": "x", "at_least": 3, "at_most": 2}, "at_least"),
        ({"did": "x", "days": 3, "when": {"last": {"days": 3}}}, "when"),
        ({"did": "x", "when": {}}, "when"),
        ({"did": "x", "when": {"last": {"years": 3}}}, "when.last"),
        ({"did": "x", "when": {"last": {"hours": 0}}}, "when.last.hours"),
        ({"did": "x", "when": {"calendar": "someday"}}, "when.calendar"),
        ({"did": "x", "when": {"days_ago": [3, 3]}}, "when.days_ago[1]"),
        ({"did": "x", "when": {"since": "2026-02-01", "until": "2026-01-01"}}, "when.until"),
        ({"did": "x", "when": {"since": None}}, "when.since"),
        ({"sequence": [{"did": "x"}]}, "sequence"),
        ({"sequence": [{"did": "x"}] * 6}, "sequence"),
        ({"sequence": [{"did_not": "x"}, {"did": "y"}]}, "sequence[0].did_not"),
        ({"sequence": [{"did": "x", "within": {"days": 1}}, {"did": "y"}]}, "sequence[0].within"),
        ({"sequence": [{"did": "x"}, {"did": "y", "did_not": "y"}]}, "sequence[1]"),
        ({"sequence": [{"did": "x"}, {"did": "y", "where": [1]}]}, "sequence[1].where[0]"),
        ({"ordered": "joy", "op": ">", "value": 1}, "ordered"),
        ({"ordered": "money", "op": "contains", "value": 1}, "op"),
        ({"ordered": "money", "op": ">", "value": "1"}, "value"),
        (
            {"ordered": "money", "op": ">", "value": 1, "where": [{"property": "mood", "op": "="}]},
            "where[0].property",
        ),
        (
            {
                "ordered": "lines",
                "op": ">",
                "value": 1,
                "where": [{"property": "price", "op": "contains", "value": "1"}],
            },
            "where[0].op",
        ),
        ({"message": "eaten"}, "message"),
        ({"message": "sent", "campaign": "1"}, "campaign"),
        ({"reach": "pigeon"}, "reach"),
        ({"consent": "email", "answer": "perhaps"}, "answer"),
        ({"score": "churn", "op": "top", "value": 0}, "value"),
        ({"score": "churn", "op": "top", "value": 101}, "value"),
        ({"score": "churn", "op": "in_days", "value": 3}, "value"),
        ({"rfm": {}}, "rfm"),
        ({"rfm": {"r": []}}, "rfm.r"),
        ({"rfm": {"r": [11]}}, "rfm.r[0]"),
        ({"lifecycle": []}, "lifecycle"),
        ({"cluster": "kinds"}, "in"),
        ({"cluster": "kinds", "in": [0]}, "in[0]"),
        ({"cluster": "", "in": [1]}, "cluster"),
        ({"bucket": "x", "from": 10, "to": 10}, "to"),
        ({"bucket": "x", "from": 0, "to": 101}, "to"),
        ({"attribute": "a'b", "op": "known"}, "attribute"),
        ({"attribute": "a", "as": "colour", "op": "known"}, "as"),
        ({"attribute": "a", "as": "number", "op": "=", "value": "1"}, "value"),
        ({"field": "d", "op": "during", "value": "2026"}, "value"),
        ({"field": "d", "op": "anniversary_within", "value": 365}, "value"),
    ],
)
def test_a_faulty_rule_is_refused_with_the_path_of_the_fault(rule: Any, path: str) -> None:
    refusal = fault(rule)
    assert refusal.path == path
    assert refusal.status == 422
    assert refusal.code == "bad_rule"


def nested(depth: int) -> dict[str, Any]:
    rule: dict[str, Any] = {"all": []}
    for _ in range(depth - 1):
        rule = {"not": rule}
    return rule


def test_twenty_levels_are_read_and_twenty_one_refused() -> None:
    assert to_json(parse(nested(20), KINDS)) == nested(20)
    assert "more than 20 deep" in str(fault(nested(21)))


@pytest.mark.parametrize("depth", [500, 100_000])
def test_a_rule_nested_very_deep_is_refused_without_breaking_the_reader(depth: int) -> None:
    text = '{"not":' * depth + '{"all":[]}' + "}" * depth
    with pytest.raises(RuleFault, match="more than 20 deep"):
        parse_text(text, KINDS)


def test_five_hundred_parts_are_read_and_one_more_is_refused() -> None:
    leaf = {"field": "n", "op": "=", "value": 1}
    assert len(list(rules.walk(parse({"all": [leaf] * 499}, KINDS)))) == 500
    assert "more than 500 parts" in str(fault({"all": [leaf] * 500}))


@pytest.mark.parametrize("text", ["NaN", "Infinity", '{"field":"n","op":"=","value":NaN}', "{", ""])
def test_text_that_is_not_strict_json_is_refused(text: str) -> None:
    with pytest.raises(RuleFault):
        parse_text(text, KINDS)


WORDS = [
    *rules.HEADS, "op", "value", "sku", "days", "when", "where", "at_least", "at_most", "as",
    "purpose", "answer", "within", "did_not", "property", "last", "hours", "calendar", "since",
    "days_ago", "from", "to", "r", "f", "campaign", "channel",
]  # fmt: skip
SAID = ["n", "t", "=", ">=", "in", "top", "today", "email", "yes", "money", "opened", "price",
        "2026-01-01", "marketing"]  # fmt: skip
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(SAID),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4)
    ),
    max_leaves=12,
)


QUESTIONS: list[dict[str, Any]] = [
    {"attribute": "tier", "as": "text", "op": "not_in", "value": ["gold"]},
    {"attribute": "born", "as": "date", "op": "anniversary_within", "value": 0},
    {"field": "d", "op": "during", "value": "last_month"},
    {"reach": "sms", "purpose": "marketing"},
    {"consent": "email", "purpose": "profiling", "answer": "never_asked"},
    {"did": "x", "at_least": 0, "at_most": 2, "when": {"calendar": "today"}},
    {"did": "x", "at_least": 1, "when": {"last": {"hours": 6}}},
    {"bought": {"any": True}, "at_least": 0, "at_most": 0, "when": {"days_ago": [60, 30]}},
    {
        "sequence": [
            {"did": "cart", "where": [{"property": "n", "op": ">", "value": 1}]},
            {"did_not": "purchase", "within": {"days": 3}},
        ],
        "days": 30,
    },
    {
        "ordered": "money",
        "op": "between",
        "value": [10, 20.5],
        "when": {"since": "2026-01-01", "until": "2026-03-31"},
        "where": [
            {"property": "category", "op": "in", "value": ["mugs"]},
            {"property": "product.color", "op": "=", "value": "red"},
        ],
    },
    {"message": "opened", "campaign": 3, "channel": "email", "at_least": 2, "days": None},
    {"score": "churn", "op": "top", "value": 10},
    {"score": "next", "op": "in_days", "value": [0, 14]},
    {"score": "churn", "op": "unknown"},
    {"rfm": {"r": [4, 5], "m": [1]}},
    {"lifecycle": ["new", "at_risk"]},
    {"cluster": "kinds", "in": [1, 3]},
    {"bucket": "summer", "from": 0, "to": 12.5},
    {"in_list": 3},
]


@pytest.mark.parametrize("rule", QUESTIONS, ids=lambda rule: next(iter(rule)))
def test_every_question_is_written_back_as_it_was_read(rule: dict[str, Any]) -> None:
    assert to_json(parse(rule, KINDS)) == rule


@given(anything)
def test_any_json_at_all_is_either_read_or_refused_and_survives_the_way_back(data: Any) -> None:
    try:
        node = parse(data, KINDS)
    except RuleFault:
        return
    assert parse(json.loads(json.dumps(to_json(node))), KINDS) == node


def test_the_segments_a_rule_names_are_found_at_any_depth() -> None:
    rule = {"all": [{"not": {"in_segment": 3}}, {"any": [{"in_segment": 9}, {"all": []}]}]}
    assert rules.segments_in(parse(rule, KINDS)) == {3, 9}


@pytest.mark.parametrize("name", ["country", "customer.contry"])
def test_a_field_that_is_nearly_one_is_named(name) -> None:
    with pytest.raises(RuleFault) as caught:
        parse({"field": name, "op": "=", "value": "GB"}, {"customer.country": "choice", **KINDS})
    assert "Did you mean “customer.country”?" in str(caught.value)

"""What is suggested for a group, and that the reason is its own figures."""

from typing import Any

import pytest

from campaigns.segments import leaves, strategy
from models_ml.algorithms import classify

EVERYONE = {"value": 20.0, "low": 18.0, "high": 22.0}


def leaf(yes: int, people: int, worth: float | None = None) -> dict[str, Any]:
    return {
        "rate": classify.wilson(yes, people).as_json(),
        "lift": classify.lift(yes, people, 300, 1000).as_json(),
        "worth": None if worth is None else {"value": worth, "low": worth - 5, "high": worth + 5},
    }


@pytest.mark.parametrize(
    ("target", "yes", "worth", "action"),
    [
        ("order", 120, 40.0, "keep"),
        ("order", 80, 20.0, "nudge"),
        ("order", 60, 20.0, "nudge"),
        ("order", 20, 60.0, "win_back"),
        ("order", 20, 20.0, "rest"),
        ("no_order", 120, 60.0, "win_back"),
        ("no_order", 120, 10.0, "nudge"),
        ("no_order", 20, 60.0, "keep"),
        ("no_order", 60, 20.0, "watch"),
        ("answer", 120, None, "keep"),
        ("answer", 20, None, "rest"),
        ("segment", 120, None, "look_alike"),
        ("attribute", 60, None, "watch"),
        ("segment", 198, None, "watch"),
    ],
)
def test_the_action_follows_the_rate_the_worth_and_what_is_wished_for(
    target: str, yes: int, worth: float | None, action: str
) -> None:
    told = strategy.of(leaf(yes, 200, worth), people=50, target={"type": target}, everyone=EVERYONE)
    assert told.action == action
    assert str(round(100 * yes / 200)) in told.why


def test_the_expected_money_is_a_persons_times_the_people_with_its_interval() -> None:
    told = strategy.of(leaf(60, 200, 20.0), people=50, target={"type": "order"}, everyone=EVERYONE)
    assert told.expected == (1000.0, 750.0, 1250.0)


def test_without_orders_nothing_is_said_of_money() -> None:
    assert strategy.of(
        leaf(60, 200), people=50, target={"type": "order"}, everyone=None
    ).expected is None  # fmt: skip


def rule(spec: dict[str, Any], *conditions: dict[str, Any]) -> list[dict[str, Any]]:
    found = leaves.rule_of(
        {"conditions": [{"feature": "x", "missing": False, **c} for c in conditions]},
        specs=[{"name": "x", **spec}],
        population=False,
    )
    return list(found["all"])


def test_counts_in_a_window_are_said_as_at_least_and_at_most() -> None:
    spec = {"of": "event", "event": "page", "days": 30}
    low, high = {"op": ">", "threshold": 1.5}, {"op": "<=", "threshold": 4.0}
    assert rule(spec, low, high) == [{"did": "page", "days": 30, "at_least": 2, "at_most": 4}]
    none = {"op": "<=", "threshold": 0.0}
    assert rule({"of": "orders", "days": 90}, none) == [
        {"bought": {"any": True}, "days": 90, "at_least": 0, "at_most": 0}
    ]


def test_categories_are_said_on_the_side_that_can_be_listed_and_unknown_follows_the_tree() -> None:
    spec = {"of": "attribute", "attribute": "plan", "kind": "category"}
    head = {"attribute": "plan", "as": "text"}
    named = {**head, "op": "in", "value": ["gold"]}
    said = {"op": "in", "threshold": 0.0, "levels": ["gold"]}
    assert rule(spec, said) == [named]
    assert rule(spec, {**said, "missing": True}) == [{"any": [named, {**head, "op": "unknown"}]}]
    assert rule(spec, {**said, "op": "not_in"}) == [{**named, "op": "not_in"}]
    assert rule(spec, {**said, "op": "not_in", "missing": True}) == [{"not": named}]
    empty = {**said, "levels": []}
    assert rule(spec, {**empty, "missing": True}) == [{**head, "op": "unknown"}]
    assert rule(spec, {**empty, "op": "not_in"}) == [{**head, "op": "known"}]


def test_the_columns_that_define_a_segment_are_found_wherever_the_rule_names_them() -> None:
    found = leaves.defining(
        {
            "all": [
                {"field": "traits.revenue", "op": ">", "value": 5},
                {"not": {"attribute": "plan", "op": "=", "value": "gold"}},
                {
                    "any": [
                        {"did": "page", "at_least": 1},
                        {"field": "customer.country", "op": "known"},
                    ]
                },
            ]
        }
    )
    money = ("money_30d", "money_365d", "money_90d", "revenue")
    assert found == ("attribute:plan", "country", "event:page:30", "event:page:90", *money)

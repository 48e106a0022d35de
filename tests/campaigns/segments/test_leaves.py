"""A leaf becomes an ordinary rule."""

from typing import Any

import pytest

from campaigns.models import Segment
from campaigns.segments import leaves, membership
from marketing.core.errors import NotFound
from tests import factories


def leaf(*conditions: tuple[str, str, float, bool]) -> dict[str, Any]:
    names = ("feature", "op", "threshold", "missing")
    return {"conditions": [dict(zip(names, c, strict=True)) for c in conditions]}


def test_whole_numbers_are_said_as_at_least_and_the_rest_as_over() -> None:
    rule = leaves.rule_of(leaf(("orders", ">", 3.0, False), ("revenue", ">", 99.5, False)))
    assert rule == {
        "all": [
            {"field": "traits.orders", "op": ">=", "value": 4},
            {"field": "traits.revenue", "op": ">", "value": 99.5},
        ]
    }


def test_the_rule_keeps_to_people_who_have_ordered() -> None:
    rule = leaves.rule_of(leaf(("orders", "<=", 2.0, False)))
    assert rule["all"][0] == {"field": "traits.orders", "op": ">=", "value": 1}
    assert len(leaves.rule_of(leaf(("orders", "<=", 2.0, False)), population=False)["all"]) == 1


def test_unknown_values_go_where_the_tree_sends_them() -> None:
    rule = leaves.rule_of(
        leaf(("interval_days_mean", ">", 20.0, True), ("interval_days_mean", "<=", 80.0, True))
    )
    field = "traits.interval_days_mean"
    assert rule["all"][1] == {
        "any": [
            {
                "all": [
                    {"field": field, "op": ">", "value": 20.0},
                    {"field": field, "op": "<=", "value": 80.0},
                ]
            },
            {"field": field, "op": "unknown"},
        ]
    }


@pytest.mark.django_db
def test_one_press_keeps_a_leaf_as_a_live_segment_and_a_second_press_finds_it() -> None:
    factories.cast()
    version, maya = factories.tree_version(), factories.user()
    segment = leaves.save(version=version, leaf_id=3, actor=maya)
    assert membership.people(segment.rule).count() == 1
    assert segment.name == "Order again within 90 days: 12 in 100"
    assert (segment.origin["version_id"], segment.origin["leaf"]) == (version.pk, 3)
    assert leaves.save(version=version, leaf_id=3, actor=maya) == segment
    assert Segment.objects.count() == 1


@pytest.mark.django_db
def test_a_leaf_the_tree_does_not_have_is_refused() -> None:
    with pytest.raises(NotFound):
        leaves.save(version=factories.tree_version(), leaf_id=2, actor=None)
    assert not Segment.objects.exists()


@pytest.mark.django_db
def test_the_best_leaf_is_the_one_that_is_surely_best() -> None:
    assert leaves.best(factories.tree_version()) == 1

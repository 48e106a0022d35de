"""A plan is agreed on, or adopted from what was seen; what cannot be asked is no rule."""

from typing import Any

import pytest

from ingestion import registry
from ingestion.models import EventPlan
from ingestion.registry import discovery, plans
from marketing.core.errors import Invalid, NotFound
from tests.ingestion.registry.orders import NOW, agree, event, judge

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "rule",
    [
        {"type": "colour"},
        {"min": 3, "max": 2},
        {"min": "x"},
        {"max": "nan"},
        {"values": ["v"] * 501},
    ],
)
def test_a_rule_that_cannot_be_asked_is_refused_and_nothing_is_saved(rule: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refusal:
        agree(properties={"a": rule})
    assert refusal.value.field == "a"
    assert not EventPlan.objects.exists()


@pytest.mark.parametrize("name", ["", "x" * 101, "a\0b"])
def test_a_plan_needs_a_name_that_an_event_can_have(name: str) -> None:
    with pytest.raises(Invalid):
        agree(name=name)


def test_what_was_seen_can_be_adopted_and_then_fits_what_was_seen() -> None:
    batch = [event(total=i / 2, sku="A", mixed=i if i % 2 else "x") for i in range(200)]
    batch += [event(total=1.5)]
    registry.observe(batch=batch, source="web", now=NOW)
    discovery.fold(now=NOW)
    plan = plans.adopt(name="order", user=None, now=NOW)
    assert plan.properties == {
        "total": {"type": "number", "required": True},
        "sku": {"type": "string", "required": False},
        "mixed": {"type": "", "required": False},
    }
    assert judge(*batch) == {}
    with pytest.raises(NotFound):
        plans.adopt(name="never seen", user=None, now=NOW)

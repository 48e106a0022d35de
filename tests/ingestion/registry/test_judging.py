"""What was agreed about an event holds for each of them, and everything else is let through."""

from typing import Any

import pytest

from ingestion import registry
from ingestion.models import EventPlan, EventType, PlanBreach
from ingestion.registry import discovery, judging, plans
from marketing.core.errors import NotFound
from tests.ingestion.registry.orders import NOW, ORDER, agree, event, judge

pytestmark = pytest.mark.django_db


def test_without_a_plan_everything_is_taken() -> None:
    assert judge(event(), event("anything", x=1)) == {}


def test_an_event_that_keeps_to_the_plan_is_taken() -> None:
    agree()
    assert judge(event(total=3, currency="EUR", on="2026-01-01", items=[], count=2)) == {}
    assert judge(event(total=3, currency=None, count=2.0)) == {}
    assert judge(event(total=3, unplanned="x")) == {}


@pytest.mark.parametrize(
    ("properties", "code", "field"),
    [
        ({}, "plan_missing", "total"),
        ({"total": None}, "plan_missing", "total"),
        ({"total": "3"}, "plan_type", "total"),
        ({"total": True}, "plan_type", "total"),
        ({"total": -1}, "plan_range", "total"),
        ({"total": 10_001}, "plan_range", "total"),
        ({"total": 1, "currency": "USD"}, "plan_value", "currency"),
        ({"total": 1, "on": "tomorrow"}, "plan_type", "on"),
        ({"total": 1, "items": {}}, "plan_type", "items"),
        ({"total": 1, "count": 1.5}, "plan_type", "count"),
    ],
)
def test_an_event_that_breaks_the_plan_is_named_with_its_property(
    properties: dict[str, Any], code: str, field: str
) -> None:
    agree("refuse")
    assert judge(event(total=5), event(**properties)) == {1: ("refuse", code, field)}


def test_the_message_says_what_is_wrong_and_what_to_do() -> None:
    agree()
    verdict = registry.judge(batch=[event(total="3")], source="web", now=NOW)[0]
    assert verdict.message == "“total” should be number and is string."
    assert verdict.remedy == "Send it as the plan says, or change the type in the plan."


def test_a_closed_plan_names_what_it_does_not_know() -> None:
    agree(closed=True)
    assert judge(event(total=5, surprise=1)) == {0: ("quarantine", "plan_unexpected", "surprise")}


def test_a_plan_that_allows_says_nothing() -> None:
    agree("allow")
    assert judge(event()) == {}


def test_unknown_events_follow_their_own_rule() -> None:
    agree()
    plans.choose_unknown(policy="refuse", user=None, now=NOW)
    assert judge(event("typo")) == {0: ("refuse", "plan_unknown_type", "type")}
    plans.choose_unknown(policy="allow", user=None, now=NOW)
    assert judge(event("typo")) == {}


def test_a_changed_plan_counts_at_once_in_the_process_that_changed_it() -> None:
    agree()
    assert 0 in judge(event())
    agree(properties={})
    assert judge(event()) == {}
    assert EventPlan.objects.get().version == 2
    plans.remove(name="order", user=None, now=NOW)
    with pytest.raises(NotFound):
        plans.remove(name="order", user=None, now=NOW)


def test_broken_rules_are_counted_by_event_property_and_day() -> None:
    agree("warn")
    batch = [event(), event(total="x"), event(total=1)]
    verdicts = registry.judge(batch=batch, source="web", now=NOW)
    registry.observe(batch=batch, source="web", now=NOW, verdicts=verdicts)
    refused = [event(total=-1), event(total=-2)]
    discovery.observe_refused(
        batch=refused,
        source="web",
        now=NOW,
        verdicts=registry.judge(batch=refused, source="web", now=NOW),
    )
    discovery.fold(now=NOW)
    found = PlanBreach.objects.order_by("code").values_list("property", "code", "action", "count")
    assert list(found) == [
        ("total", "plan_missing", "warn", 1),
        ("total", "plan_range", "warn", 2),
        ("total", "plan_type", "warn", 1),
    ]
    assert (EventType.objects.get().count, EventType.objects.get().broken) == (3, 4)


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("turn", [1, -1])
def test_a_whole_number_may_be_written_with_a_point(closed: bool, turn: int) -> None:
    agree(properties={"count": {"type": "integer"}}, closed=closed)
    batch = [event(count=value) for value in (2.0, 2.5, "2", 3, True)]
    found = judge(*batch[::turn])
    assert sorted(found) == ([1, 2, 4] if turn == 1 else [0, 2, 3])
    assert set(found.values()) == {("quarantine", "plan_type", "count")}


def test_a_long_plan_judges_as_a_short_one_does() -> None:
    many = {f"p{i}": {"type": "number"} for i in range(judging.SHORT)}
    agree(properties=ORDER | many)
    batch = [
        event(total=1),
        event(),
        event(total="x"),
        event(total=1, p3="x"),
        event(total=1, p3=2),
    ]
    found = judge(*batch)
    assert {i: found[i][2] for i in found} == {1: "total", 2: "total", 3: "p3"}

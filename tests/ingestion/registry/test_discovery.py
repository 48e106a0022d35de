"""What arrives is listed as it is: kinds of values, counts, times, examples; and never too much."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from ingestion import registry
from ingestion.events import Incoming
from ingestion.models import (
    Drift,
    EventProperty,
    EventPropertyDay,
    EventType,
    EventVolume,
    Observation,
    PlanRules,
)
from ingestion.registry import discovery, shapes, tally

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def event(name: str = "view", at: datetime = NOW, **properties: Any) -> Incoming:
    return Incoming(type=name, at=at, properties=properties)


def see(*batch: Incoming, source: str = "web", now: datetime = NOW) -> None:
    registry.observe(batch=batch, source=source, now=now)
    discovery.fold(now=now)


def kinds(name: str) -> dict[str, int]:
    return EventProperty.objects.get(name=name).kinds


@pytest.mark.django_db
def test_each_property_is_listed_with_its_kinds_and_how_often_it_was_there() -> None:
    see(
        event(sku="A1", price=9.5, qty=2, gift=True, on="2026-05-01", tags=[], extra={}, none=None),
        event(sku="A2", price=3.25, qty=1, gift=False, on="2026-05-02T10:00:00Z", tags=[1]),
        event(sku=""),
    )
    assert kinds("sku") == {"string": 2, "null": 1}
    assert kinds("price") == {"number": 2}
    assert kinds("qty") == {"integer": 2}
    assert kinds("gift") == {"boolean": 2}
    assert kinds("on") == {"date-time": 2}
    assert kinds("tags") == {"array": 2}
    assert kinds("extra") == {"object": 1}
    assert kinds("none") == {"null": 1}
    seen = EventProperty.objects.get(name="price")
    assert (seen.low, seen.high, seen.examples) == (3.25, 9.5, ["9.5", "3.25"])
    assert EventType.objects.get().count == 3


@pytest.mark.django_db
def test_batches_add_up_by_hour_and_source_and_old_days_are_one_row() -> None:
    earlier, long_ago = NOW - timedelta(hours=2), NOW - timedelta(days=90)
    see(event(at=earlier, a=1), event(a=1), source="web")
    see(event(a=1), event(at=long_ago, a=1), source="shop")
    see(event(a=1), source="web")
    rows = EventVolume.objects.order_by("at", "source").values_list(
        "at", "daily", "source", "count"
    )
    assert list(rows) == [
        (datetime(2026, 8, 24, tzinfo=UTC), True, "shop", 1),
        (datetime(2026, 11, 22, 7, tzinfo=UTC), False, "web", 1),
        (datetime(2026, 11, 22, 9, tzinfo=UTC), False, "shop", 1),
        (datetime(2026, 11, 22, 9, tzinfo=UTC), False, "web", 2),
    ]
    seen = EventType.objects.get()
    assert (seen.count, seen.first_seen_at, seen.last_seen_at) == (5, long_ago, NOW)
    assert EventPropertyDay.objects.get(day=date(2026, 11, 22)).filled == 4


@pytest.mark.django_db
def test_a_value_that_changes_its_kind_is_shown_and_stored_all_the_same() -> None:
    see(*[event(price=1.5) for _ in range(996)])
    see(*[event(price="free") for _ in range(4)], now=NOW + timedelta(hours=2))
    see(event(price={"amount": 3}), now=NOW + timedelta(hours=3))
    row = EventProperty.objects.get()
    assert row.kinds == {"number": 996, "string": 4, "object": 1}
    assert shapes.shares(row.kinds)[0] == ("number", pytest.approx(996 / 1001))
    changed = Drift.objects.filter(kind=Drift.Kind.TYPE_CHANGED).values_list("detail", flat=True)
    assert list(changed) == [{"was": ["number"], "new": ["string"]}]


@pytest.mark.django_db
def test_a_new_property_of_a_settled_event_is_noted_and_of_a_fresh_one_is_not() -> None:
    see(*[event(sku="A") for _ in range(200)])
    see(event(sku="A", colour="red"))
    assert not Drift.objects.filter(kind=Drift.Kind.NEW_PROPERTY).exists()
    see(event(sku="A", size="L"), now=NOW + timedelta(hours=2))
    assert Drift.objects.get(kind=Drift.Kind.NEW_PROPERTY).property == "size"


@pytest.mark.django_db
def test_a_million_names_harm_nothing() -> None:
    many = [
        event(**{f"p{i}": 1 for i in range(start, start + 400)}) for start in range(0, 4000, 400)
    ]
    see(*many)
    see(*[event("view", **{f"q{i}": 1}) for i in range(200)])
    kind = EventType.objects.get()
    assert kind.properties.count() == tally.PROPERTIES
    assert kind.other_properties == 4000 + 200 - tally.PROPERTIES
    see(*[event(f"type {i}") for i in range(3000)])
    see(*[event(f"another {i}") for i in range(500)])
    assert EventType.objects.count() == tally.TYPES
    assert PlanRules.objects.get().other_types == 3500 + 1 - tally.TYPES


STRANGE = [
    "__proto__",
    "$set",
    "id",
    "a.b",
    "a__b",
    '"; DROP TABLE x; --',
    "",
    "x" * 1000,
    "\0",
    "%s",
]


@pytest.mark.django_db
def test_strange_names_are_only_data() -> None:
    see(*[event(name or "nameless", **{name: 1}) for name in STRANGE])
    names = set(EventProperty.objects.values_list("name", flat=True))
    assert names >= {"__proto__", "$set", "id", "a.b", "a__b", '"; DROP TABLE x; --', "", "%s"}
    assert len(names) == len(STRANGE)
    assert EventType.objects.count() == len(STRANGE)


@pytest.mark.django_db
def test_two_long_names_that_begin_alike_stay_two() -> None:
    see(event(**{"x" * 999 + "a": 1, "x" * 999 + "b": 1}))
    assert EventProperty.objects.count() == 2


@pytest.mark.django_db
def test_no_example_is_about_a_person() -> None:
    see(
        event(
            email="ada@example.com",
            note="write to ada@example.com",
            phone="+44 20 7946 0958",
            ref="020 7946 0958",
            first_name="Ada",
            ip="10.0.0.1",
            user_id_number=4_420_794_609_58,
            colour="red",
        )
    )
    shown = {row.name: row.examples for row in EventProperty.objects.all() if row.examples}
    assert shown == {"colour": ["red"]}


@pytest.mark.django_db
def test_a_batch_that_is_taken_back_leaves_no_note() -> None:
    with transaction.atomic():
        registry.observe(batch=[event(a=1)], source="web", now=NOW)
        transaction.set_rollback(True)
    assert not Observation.objects.exists()


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)


@given(st.lists(st.dictionaries(st.text(max_size=5), values, max_size=5), max_size=20))
def test_every_value_is_counted_once_whatever_it_is(payloads: list[dict[str, Any]]) -> None:
    batch = [Incoming(type="t", at=NOW, properties=payload) for payload in payloads]
    seen = tally.add_up(batch, now=NOW, verdicts={})
    counted = sum(
        sum(entry["kinds"].values())
        for kind in seen.values()
        for entry in kind["properties"].values()
    )
    assert counted == sum(len(payload) for payload in payloads)

"""Whatever an integrator sends in a batch is answered item by item, and never by a fault."""

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ingestion.tracking.bodies import LEAVES, VALUES

pytestmark = pytest.mark.django_db
GOOD: dict[str, dict[str, Any]] = {
    "customers": {
        "external_id": "7",
        "email": "ada@example.com",
        "phone": "+442079460958",
        "first_name": "Ada",
        "country": "GB",
        "language": "en",
        "timezone": "Europe/London",
        "attributes": {"vip": True},
        "consent": {"email": {"granted": True, "at": "2026-11-01T10:00:00Z", "proof": {"a": 1}}},
    },
    "products": {"sku": "T1", "name": "Teapot", "price": "12.50", "currency": "GBP", "stock": 3},
    "orders": {
        "external_id": "A-1",
        "placed_at": "2026-11-01T10:00:00Z",
        "currency": "GBP",
        "customer": {"external_id": "7"},
        "lines": [{"sku": "t1", "quantity": 2, "unit_price": "12.50", "description": "Teapot"}],
    },
    "consents": {
        "external_id": "7",
        "channel": "email",
        "granted": True,
        "at": "2026-11-01T10:00:00Z",
        "method": "form",
        "text_version": 1,
        "proof": {"page": "/join"},
    },
}


@st.composite
def batches(draw: Any, noun: str) -> list[Any]:
    """Good items, good items with a field changed, and anything at all."""
    good = GOOD[noun]
    found = []
    for _ in range(draw(st.integers(1, 4))):
        item: Any = copy.deepcopy(good)
        way = draw(st.integers(0, 4))
        if way == 0:
            item = draw(VALUES)
        elif way > 1:
            place = item
            if noun == "orders" and draw(st.booleans()):
                place = item["lines"][0]
            place[draw(st.sampled_from(sorted(place)))] = draw(st.one_of(LEAVES, VALUES))
        found.append(item)
    return found


@pytest.mark.parametrize("noun", sorted(GOOD))
def test_a_batch_is_answered_item_by_item_whatever_is_in_it(api, noun: str) -> None:
    @settings(max_examples=60, suppress_health_check=list(HealthCheck))
    @given(batches(noun))
    def send(items: list[Any]) -> None:
        answer = api.post(f"/api/v1/{noun}/", items, format="json")
        assert answer.status_code in (200, 400, 413, 422), answer.content
        if answer.status_code == 200:
            body = answer.json()
            assert [result["index"] for result in body["results"]] == list(range(len(items)))
            assert sum(body["counts"].values()) == body["received"] == len(items)
            for result in body["results"]:
                assert ("error" in result) == (result["status"] in ("invalid", "conflict"))

    send()

"""Deliveries of any shape, by a mapping: into the same rows as a file, by the same recipe."""

from decimal import Decimal

import pytest

from ingestion import events
from ingestion.models import Customer, CustomerRollup, Event, Order
from ingestion.recipes import versions
from ingestion.registry import plans
from ingestion.webhooks import endpoints, processing, trying
from marketing.core.errors import Invalid
from tests.ingestion.conftest import NOW

ORDERS = {
    "list": "data.items",
    "fields": {
        "order_id": "$.data.number",
        "placed_at": "$.created",
        "sku": "code",
        "quantity": "qty",
        "unit_price": "price",
        "email": "$.data.buyer.email",
        "currency": "=EUR",
    },
}
DELIVERY = {
    "created": "2026-11-01T10:00:00+01:00",
    "data": {
        "number": 77,
        "buyer": {"email": " ANN@shop.org"},
        "items": [{"code": "a-1", "qty": 2, "price": 10.10}, {"code": "b-1", "qty": 1, "price": 3}],
    },
}


def test_orders_come_in_by_a_mapping_and_only_once(shop):
    sender = shop(kind="orders")
    endpoints.choose(endpoint=sender.endpoint, kind="orders", mapping=ORDERS, user=None)
    receipt = sender.deliver(DELIVERY)
    assert receipt.result == {
        "received": 2,
        "stored": 2,
        "duplicate": 0,
        "quarantined": 0,
        "left_out": 0,
    }
    order = Order.objects.get()
    assert (order.external_id, order.total, order.currency) == ("77", Decimal("23.20"), "EUR")
    assert order.placed_at.isoformat() == "2026-11-01T09:00:00+00:00"
    assert CustomerRollup.objects.get().revenue == Decimal("23.20")
    assert receipt.names == ["ann@shop.org"]
    assert sender.deliver(DELIVERY).state == "duplicate"


def test_one_bad_row_is_told_and_the_good_ones_are_stored(shop):
    sender = shop(kind="orders")
    endpoints.choose(endpoint=sender.endpoint, kind="orders", mapping=ORDERS, user=None)
    bad = {
        **DELIVERY,
        "data": DELIVERY["data"] | {"items": [*DELIVERY["data"]["items"], {"code": "x"}]},
    }
    receipt = sender.deliver(bad)
    assert (receipt.state, receipt.code) == ("quarantined", "missing")
    assert receipt.result["stored"] == 2
    assert receipt.message == "Quantity is empty."


def test_the_recipe_of_the_source_cleans_deliveries_too(shop):
    sender = shop(kind="customers")
    fields = {"email": "email", "first_name": "name", "phone": "tel"}
    mapping = {"list": "", "fields": fields}
    endpoints.choose(endpoint=sender.endpoint, kind="customers", mapping=mapping, user=None)
    rules = [
        {"id": "t", "rule": "phone", "columns": ["phone"], "country": "GB"},
        {"id": "d", "rule": "drop_rows", "where": 'ends(email, "@test.org")'},
    ]
    versions.save(
        source=sender.endpoint.source, kind="customers", body={"rules": rules}, user=None, now=NOW
    )
    receipt = sender.deliver(
        [
            {"email": "ann@shop.org", "name": "Ann", "tel": "020 7946 0958"},
            {"email": "x@test.org", "name": "X"},
        ]
    )
    assert (receipt.state, receipt.result["left_out"]) == ("done", 1)
    assert Customer.objects.get().phone == "+442079460958"


@pytest.mark.django_db(transaction=True)
def test_events_without_a_number_are_known_by_their_delivery(shop):
    events.ensure_months([NOW])
    sender = shop(kind="events")
    mapping = {
        "list": "events",
        "fields": {"type": "name", "email": "$.who", "properties": "@"},
    }
    endpoints.choose(endpoint=sender.endpoint, kind="events", mapping=mapping, user=None)
    body = {"who": "ann@shop.org", "events": [{"name": "Seen", "n": 1}, {"name": "Seen", "n": 2}]}
    sender.deliver(body, number="d1")
    sender.deliver(body, number="d2")
    assert sorted(Event.objects.values_list("message_id", flat=True)) == [
        "d1:1",
        "d1:2",
        "d2:1",
        "d2:2",
    ]
    assert Event.objects.get(message_id="d1:2").properties == {"name": "Seen", "n": 2}
    Event.objects.all().delete()


@pytest.mark.parametrize(
    ("kind", "mapping", "field"),
    [
        ("orders", {"list": "", "fields": {}}, "order_id"),
        ("customers", {"list": "", "fields": {"first_name": "a"}}, "customer_id"),
        ("customers", {"list": "a..b", "fields": {"email": "x"}}, "list"),
        ("customers", {"list": "", "fields": {"email": "a[b"}}, "email"),
        ("customers", {"list": "", "fields": {"email": "a" * 400}}, "email"),
        ("customers", {"list": "", "fields": {"mail": "a"}}, "mail"),
        ("customers", {"list": "", "fields": {"email": 5}}, "email"),
    ],
)
def test_a_mapping_that_cannot_be_used_is_refused(shop, kind, mapping, field):
    sender = shop()
    with pytest.raises(Invalid) as caught:
        endpoints.choose(endpoint=sender.endpoint, kind=kind, mapping=mapping, user=None)
    assert caught.value.field == field
    sender.endpoint.refresh_from_db()
    assert sender.endpoint.mapping == {}


def test_words_for_every_reason(shop):
    assert trying.words(ValueError("x"))[0] == "failed"


def test_a_needed_field_that_deliveries_lack_may_come_from_the_recipe(shop):
    sender = shop(kind="orders")
    lacking = {**ORDERS, "fields": {k: v for k, v in ORDERS["fields"].items() if k != "quantity"}}
    with pytest.raises(Invalid) as caught:
        endpoints.choose(endpoint=sender.endpoint, kind="orders", mapping=lacking, user=None)
    assert caught.value.field == "quantity"
    rule = {"id": "n", "rule": "derive", "column": "quantity", "expression": "3"}
    versions.save(
        source=sender.endpoint.source, kind="orders", body={"rules": [rule]}, user=None, now=NOW
    )
    endpoints.choose(endpoint=sender.endpoint, kind="orders", mapping=lacking, user=None)
    assert sender.deliver(DELIVERY).result["stored"] == 2
    assert Order.objects.get().total == Decimal("39.30")


def test_an_event_that_the_tracking_plan_refuses_waits_until_the_plan_lets_it_in(shop):
    sender = shop(kind="events")
    mapping = {"fields": {"type": "what", "email": "who", "properties": "details"}}
    endpoints.choose(endpoint=sender.endpoint, kind="events", mapping=mapping, user=None)
    needed = {"total": {"type": "number", "required": True}}
    plans.save(name="paid", policy="refuse", user=None, now=NOW, properties=needed)
    receipt = sender.deliver({"what": "paid", "who": "ann@shop.org", "details": {"total": "x"}})
    assert (receipt.state, receipt.code) == ("quarantined", "plan_type")
    assert receipt.message == "“total” should be number and is string."
    assert not Event.objects.exists()
    plans.remove(name="paid", user=None, now=NOW)
    trying.again(receipt=receipt, user=None)
    processing.process(receipt_id=receipt.pk, now=NOW)
    assert Event.objects.get().properties == {"total": "x"}

"""What shops call things: our types, and the orders and credit notes inside their events."""

from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from ingestion.identity import identify
from ingestion.models import CustomerRollup, Event, Order, OrderLine, Product, Refusal, Source
from ingestion.tracking import commerce, keys
from marketing.core.errors import Invalid

pytestmark = pytest.mark.django_db
ORDER = {
    "userId": "7",
    "event": "Order Completed",
    "messageId": "o1",
    "timestamp": "2026-11-01T10:00:00Z",
    "properties": {
        "order_id": "1001",
        "currency": "eur",
        "shipping": 4.5,
        "tax": "0",
        "discount": 2,
        "products": [
            {"product_id": "p1", "sku": "teapot-1", "name": "Teapot", "quantity": 2, "price": 10},
            {"product_id": "p2", "price": "3.25"},
        ],
    },
}


def changed(**properties: Any) -> dict[str, Any]:
    return {**ORDER, "properties": {**ORDER["properties"], **properties}}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Product Viewed", "view"),
        ("product viewed", "view"),
        ("Viewed Product", "view"),
        ("Product Added", "cart"),
        ("Cart Viewed", "cart_view"),
        ("Products Searched", "search"),
        ("Checkout Started", "checkout"),
        ("Order Completed", "order"),
        ("Newsletter Signed Up", "Newsletter Signed Up"),
    ],
)
def test_names_of_shops_become_the_types_that_rules_ask_for(name: str, kind: str) -> None:
    assert commerce.type_of(name) == kind


def test_a_completed_order_becomes_an_order_with_its_lines(post, stored) -> None:
    assert post("track", ORDER).status_code == 200
    (event,) = stored()
    assert (event.type, event.context["event"]) == ("order", "Order Completed")
    order = Order.objects.get()
    assert (order.external_id, order.source.name, order.currency, order.total) == (
        "1001",
        "shop.example.com",
        "EUR",
        Decimal("25.75"),
    )
    assert order.placed_at.isoformat() == "2026-11-01T10:00:00+00:00"
    assert list(
        OrderLine.objects.order_by("line_no").values_list("sku", "quantity", "unit_price", "kind")
    ) == [
        ("TEAPOT-1", 2, Decimal("10.0000"), "product"),
        ("P2", 1, Decimal("3.2500"), "product"),
        ("SHIPPING", 1, Decimal("4.5000"), "fee"),
        ("DISCOUNT", -1, Decimal("2.0000"), "fee"),
    ]
    assert Product.objects.get(sku="TEAPOT-1").name == "Teapot"
    assert order.customer == event.customer
    assert CustomerRollup.objects.get(customer=order.customer).revenue == Decimal("23.25")


def test_an_order_is_made_once_however_often_it_is_told(post, stored) -> None:
    for _ in range(2):
        assert post("track", ORDER).status_code == 200
    # The same order from the shop's server, under a number of its own.
    assert post("track", {**ORDER, "messageId": "o2"}).status_code == 200
    assert Order.objects.count() == 1
    assert len(stored()) == 2


def test_an_order_number_with_other_lines_changes_nothing_and_is_told(post, stored) -> None:
    post("track", ORDER)
    other = changed(products=[{"sku": "CUP", "price": 1}]) | {"messageId": "o2"}
    answer = post("track", other)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "order_conflict")
    assert Order.objects.get().total == Decimal("25.75")
    assert len(stored()) == 2
    refusal = Refusal.objects.get()
    assert (refusal.code, refusal.field) == ("order_conflict", "properties.order_id")


def test_a_refund_and_a_cancellation_are_credit_notes(post, stored) -> None:
    post("track", ORDER)
    back = {"event": "Order Refunded", "messageId": "r1", "timestamp": "2026-11-03T10:00:00Z"}
    some = {"order_id": "1001", "currency": "EUR", "products": [{"sku": "teapot-1", "price": 10}]}
    for _ in range(2):
        assert post("track", {**ORDER, **back, "properties": some}).status_code == 200
    note = Order.objects.exclude(external_id="1001").get()
    assert note.external_id.startswith("1001-refund-")
    assert (note.total, note.status) == (Decimal("-10.00"), "cancelled")
    assert CustomerRollup.objects.get().revenue == Decimal("13.25")
    assert {event.type for event in stored()} == {"order", "refund"}


@pytest.mark.parametrize(
    "properties",
    [{"order_id": "1"}, {"products": [{"sku": "A"}]}, {"order_id": "", "products": []}, {}],
)
def test_an_order_without_number_or_products_is_an_event_and_no_more(
    post, stored, properties: dict[str, Any]
) -> None:
    assert post("track", {**ORDER, "properties": properties}).status_code == 200
    assert len(stored()) == 1
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    ("properties", "field"),
    [
        ({"products": "teapot"}, "products"),
        ({"products": [5]}, "products[0]"),
        ({"products": [{"price": 1}]}, "products[0].sku"),
        ({"products": [{"sku": "x" * 61}]}, "products[0].sku"),
        ({"products": [{"sku": "A", "quantity": 0}]}, "products[0].quantity"),
        ({"products": [{"sku": "A", "quantity": 1.5}]}, "products[0].quantity"),
        ({"products": [{"sku": "A", "quantity": True}]}, "products[0].quantity"),
        ({"products": [{"sku": "A", "quantity": 10**12}]}, "products[0].quantity"),
        ({"products": [{"sku": "A", "price": "ten"}]}, "products[0].price"),
        ({"products": [{"sku": "A", "price": -1}]}, "products[0].price"),
        ({"products": [{"sku": "A", "price": "NaN"}]}, "products[0].price"),
        ({"products": [{"sku": "A", "price": [1]}]}, "products[0].price"),
        ({"products": [{"sku": "A", "price": 1}] * 1001}, "products"),
        ({"shipping": "free"}, "shipping"),
        ({"currency": "pounds"}, "currency"),
        ({"currency": 5}, "currency"),
        ({"order_id": "x" * 81}, "order_id"),
        ({"order_id": [1]}, "order_id"),
    ],
)
def test_an_order_that_cannot_be_read_is_refused_whole_and_kept(
    post, stored, properties: dict[str, Any], field: str
) -> None:
    answer = post("track", changed(**properties))
    assert answer.status_code == 400
    assert answer.json()["error"]["field"] == f"properties.{field}"
    assert (stored(), Order.objects.count(), Refusal.objects.count()) == ([], 0, 1)


def test_a_source_may_leave_orders_to_somebody_else(post, stored, shop_source: Source) -> None:
    keys.take_orders(source=shop_source, wanted=False, actor=None)
    assert post("track", ORDER).status_code == 200
    assert [event.type for event in stored()] == ["order"]
    assert not Order.objects.exists()


def test_a_new_source_makes_orders_only_where_none_come_another_way(post) -> None:
    post("track", ORDER)
    late = keys.create(name="app", actor=None, now=timezone.now())
    assert Source.objects.get(name="shop.example.com").options["orders"] is True
    assert late.options["orders"] is False


def test_the_order_of_a_guest_is_known_by_the_address_it_names(post, stored) -> None:
    call = changed(email="Grace@Example.com") | {"userId": None, "anonymousId": "a1"}
    assert post("track", call).status_code == 200
    order = Order.objects.get()
    assert order.customer is not None
    assert order.customer.email == "grace@example.com"
    stored()
    assert Event.objects.get().type == "order"


@given(
    st.dictionaries(
        st.sampled_from(["order_id", "products", "currency", "shipping", "tax", "discount"]),
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
            lambda inner: st.one_of(
                st.lists(inner, max_size=3),
                st.dictionaries(
                    st.sampled_from(["sku", "product_id", "quantity", "price", "name"]), inner
                ),
            ),
            max_leaves=12,
        ),
    ),
    st.sampled_from(["order", "refund", "order_cancel"]),
)
def test_any_properties_are_an_order_no_order_or_refused(properties, kind) -> None:
    fields: list[str] = []
    found = None
    try:
        found = commerce.order_of(
            kind=kind,
            properties=properties,
            person=identify.Person(external_id="7"),
            message_id="m",
            at=timezone.now(),
            default_currency="GBP",
        )
    except Invalid as fault:
        fields.append(str(fault.field))
    assert all(name.startswith("properties.") for name in fields)
    if found is not None:
        assert found.lines
        assert len(found.external_id) <= 100
        assert all(line.unit_price >= 0 for line in found.lines)

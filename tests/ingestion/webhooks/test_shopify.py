"""Shopify's deliveries in any order end in the same rows, with exact amounts."""

import copy
import itertools
from decimal import Decimal

import pytest

from ingestion.models import (
    Consent,
    Customer,
    CustomerRollup,
    Order,
    OrderLine,
    PrivacyRequest,
    Product,
)

D = Decimal
CUSTOMER = {
    "id": 7001,
    "email": "Ann@Shop.org",
    "first_name": "Ann",
    "last_name": "Lee",
    "phone": "+442079460958",
    "updated_at": "2026-11-01T10:00:00-05:00",
    "default_address": {"country_code": "GB"},
}
ORDER = {
    "id": 450789469,
    "name": "#1001",
    "created_at": "2026-11-01T10:00:00-05:00",
    "processed_at": "2026-11-01T10:00:00-05:00",
    "updated_at": "2026-11-01T10:00:01-05:00",
    "cancelled_at": None,
    "currency": "EUR",
    "taxes_included": False,
    "total_tax": "3.98",
    "total_price": "52.88",
    "customer": CUSTOMER,
    "shipping_address": {"country_code": "IE"},
    "line_items": [
        {
            "id": 101,
            "sku": "lamp-1",
            "title": "Lamp",
            "variant_title": "Red",
            "quantity": 3,
            "price": "9.99",
            "discount_allocations": [{"amount": "3.00"}],
        },
        {
            "id": 102,
            "sku": None,
            "variant_id": 39072856,
            "title": "Chair",
            "variant_title": None,
            "quantity": 1,
            "price": "17.03",
            "discount_allocations": [],
        },
    ],
    "shipping_lines": [{"title": "Post", "price": "5.90", "discounted_price": "4.90"}],
    "refunds": [],
}
REFUND = {
    "id": 509562969,
    "order_id": 450789469,
    "created_at": "2026-11-05T09:00:00-05:00",
    "processed_at": "2026-11-05T09:00:00-05:00",
    "refund_line_items": [
        {
            "line_item_id": 101,
            "quantity": 1,
            "subtotal": "8.99",
            "total_tax": "0.90",
            "line_item": {"id": 101},
        }
    ],
    "transactions": [{"kind": "refund", "status": "success", "amount": "12.34"}],
    "order_adjustments": [],
}


def order(**changes):
    return copy.deepcopy(ORDER) | changes


def everything():
    lines = OrderLine.objects.values_list(
        "order__external_id",
        "line_no",
        "sku",
        "description",
        "quantity",
        "unit_price",
        "total",
        "kind",
        "customer__email",
        "placed_at",
        "cancels__line_no",
        "product__sku",
    )
    orders = Order.objects.values_list(
        "external_id", "status", "total", "currency", "country", "customer__email", "placed_at"
    )
    rollups = CustomerRollup.objects.values_list("customer__email", "orders", "revenue", "returns")
    return sorted(lines, key=str), sorted(orders, key=str), sorted(rollups, key=str)


def test_an_order_is_stored_with_exact_amounts(shop):
    receipt = shop("shopify").deliver(ORDER, "orders/create")
    assert (receipt.state, receipt.message) == ("done", "Order 450789469 was stored as it is now.")
    row = Order.objects.get()
    assert (row.total, row.currency, row.country, row.status) == (D("52.88"), "EUR", "IE", "placed")
    assert row.placed_at.isoformat() == "2026-11-01T15:00:00+00:00"
    assert (row.customer.email, row.customer.external_id) == ("ann@shop.org", "7001")
    fields = ("sku", "description", "quantity", "unit_price", "total", "kind")
    assert list(row.lines.order_by("line_no").values_list(*fields)) == [
        ("LAMP-1", "Lamp – Red", 3, D("9.99"), D("26.97"), "product"),
        ("39072856", "Chair", 1, D("17.03"), D("17.03"), "product"),
        ("SHIPPING", "Post", 1, D("4.90"), D("4.90"), "fee"),
        ("TAX", "", 1, D("3.98"), D("3.98"), "fee"),
    ]
    rollup = CustomerRollup.objects.get()
    assert (rollup.orders, rollup.units, rollup.revenue) == (1, 4, D("44.00"))


def test_a_refund_takes_back_its_lines_and_the_rest_of_the_money(shop):
    sender = shop("shopify")
    sender.deliver(ORDER, "orders/create")
    sender.deliver(REFUND, "refunds/create")
    note = Order.objects.get(external_id="450789469-R509562969")
    assert note.total == D("-12.34")
    fields = ("sku", "quantity", "unit_price", "total", "kind", "cancels__sku")
    assert list(note.lines.order_by("line_no").values_list(*fields)) == [
        ("LAMP-1", -1, D("9.99"), D("-8.99"), "return", "LAMP-1"),
        ("REFUND FEE", -1, D("3.35"), D("-3.35"), "fee", None),
    ]
    assert Order.objects.get(external_id="450789469").status == "part_returned"
    rollup = CustomerRollup.objects.get()
    assert (rollup.orders, rollup.revenue, rollup.returns) == (1, D("35.01"), 1)


def test_a_refund_before_its_order_waits_for_it(shop):
    sender = shop("shopify")
    receipt = sender.deliver(REFUND, "refunds/create")
    assert receipt.state == "done"
    assert "kept until order 450789469 arrives" in receipt.message
    assert not Order.objects.exists()
    sender.deliver(ORDER, "orders/create")
    assert Order.objects.count() == 2


DELIVERIES = [
    (ORDER, "orders/create"),
    (
        order(
            updated_at="2026-11-02T10:00:00-05:00",
            line_items=[ORDER["line_items"][0] | {"quantity": 2}, ORDER["line_items"][1]],
        ),
        "orders/updated",
    ),
    (REFUND, "refunds/create"),
    (order(updated_at="2026-11-05T09:00:01-05:00", refunds=[REFUND]), "orders/updated"),
    (
        order(
            updated_at="2026-11-06T10:00:00-05:00",
            cancelled_at="2026-11-06T09:59:59-05:00",
            refunds=[REFUND],
        ),
        "orders/cancelled",
    ),
]


def test_any_order_of_arrival_ends_in_the_same_rows(shop):
    ends = set()
    for n, permutation in enumerate(itertools.permutations(DELIVERIES)):
        if n % 13:
            continue
        sender = shop("shopify")
        for body, topic in permutation:
            assert sender.deliver(body, topic).state in ("done", "duplicate")
        ends.add(repr(everything()))
        OrderLine.objects.all().delete()
        Order.objects.all().delete()
        CustomerRollup.objects.all().delete()
    assert len(ends) == 1


def test_a_cancelled_order_adds_up_to_nothing(shop):
    sender = shop("shopify")
    for body, topic in DELIVERIES:
        sender.deliver(body, topic)
    assert Order.objects.get(external_id="450789469").status == "cancelled"
    assert sum(Order.objects.values_list("total", flat=True)) == D("0.00")
    note = Order.objects.get(external_id="450789469-CANCEL")
    assert list(note.lines.order_by("line_no").values_list("sku", "quantity", "total")) == [
        ("LAMP-1", -2, D("-17.98")),
        ("39072856", -1, D("-17.03")),
        ("SHIPPING", -1, D("-4.90")),
        ("TAX", -1, D("-3.98")),
        ("REFUND FEE", 1, D("3.35")),
    ]
    assert CustomerRollup.objects.get().revenue == D("0.00")


def test_what_is_older_or_the_same_changes_nothing(shop):
    sender = shop("shopify")
    sender.deliver(DELIVERIES[1][0], "orders/updated")
    before = everything()
    late = sender.deliver(ORDER, "orders/create")
    same = sender.deliver(DELIVERIES[1][0], "orders/paid")
    assert (late.state, same.state) == ("duplicate", "duplicate")
    assert "nothing newer" in late.message
    assert everything() == before


def test_an_order_that_goes_to_another_country_is_changed(shop):
    sender = shop("shopify")
    sender.deliver(ORDER, "orders/create")
    moved = {"updated_at": "2026-12-01T12:00:00Z", "shipping_address": {"country_code": "FR"}}
    assert sender.deliver(ORDER | moved, "orders/updated").state == "done"
    assert set(Order.objects.values_list("country", flat=True)) == {"FR"}


def test_a_deleted_order_is_taken_out_and_stays_out(shop):
    sender = shop("shopify")
    sender.deliver(ORDER, "orders/create")
    sender.deliver({"id": 450789469}, "orders/delete")
    assert not Order.objects.exists()
    assert not CustomerRollup.objects.exists()
    sender.deliver(DELIVERIES[1][0], "orders/updated")
    assert not Order.objects.exists()


def test_a_person_comes_with_their_answers_and_an_older_word_does_not_undo_a_newer(shop):
    sender = shop("shopify")
    yes = {"state": "subscribed", "opt_in_level": "confirmed_opt_in"}
    no = {"state": "unsubscribed", "consent_updated_at": "2026-11-03T00:00:00Z"}
    first = CUSTOMER | {
        "email_marketing_consent": yes | {"consent_updated_at": "2026-11-01T00:00:00Z"}
    }
    later = CUSTOMER | {
        "updated_at": "2026-11-03T00:00:00Z",
        "last_name": "Park",
        "email_marketing_consent": no,
    }
    sender.deliver(later, "customers/update")
    sender.deliver(first, "customers/create")
    ann = Customer.objects.get()
    assert (ann.last_name, ann.country) == ("Park", "GB")
    assert not Consent.objects.get(customer=ann, current=True).granted


def test_a_product_is_one_row_a_variant_and_what_is_gone_is_not_on_sale(shop):
    sender = shop("shopify")
    product = {
        "id": 632910392,
        "title": "Lamp",
        "handle": "lamp",
        "product_type": "Light",
        "status": "active",
        "updated_at": "2026-11-01T00:00:00Z",
        "image": {"src": "https://cdn.shop.org/lamp.png"},
        "variants": [
            {"id": 1, "sku": "lamp-1", "title": "Red", "price": "9.99", "inventory_quantity": 4},
            {"id": 2, "sku": "", "title": "Blue", "price": "10.99", "inventory_quantity": None},
        ],
    }
    sender.deliver(product, "products/create")
    fields = ("sku", "name", "category", "price", "stock", "active")
    assert sorted(Product.objects.values_list(*fields)) == [
        ("2", "Lamp – Blue", "Light", D("10.99"), None, True),
        ("LAMP-1", "Lamp – Red", "Light", D("9.99"), 4, True),
    ]
    changed = product | {"updated_at": "2026-11-02T00:00:00Z", "variants": product["variants"][:1]}
    sender.deliver(changed, "products/update")
    assert dict(Product.objects.values_list("sku", "active")) == {"2": False, "LAMP-1": True}
    sender.deliver({"id": 632910392}, "products/delete")
    assert not Product.objects.filter(active=True).exists()
    sender.deliver(changed | {"updated_at": "2027-01-01T00:00:00Z"}, "products/update")
    assert not Product.objects.filter(active=True).exists()


def test_a_deleted_person_is_a_request_for_somebody_to_decide(shop):
    sender = shop("shopify")
    sender.deliver(CUSTOMER, "customers/create")
    receipt = sender.deliver({"id": 7001}, "customers/delete")
    assert receipt.state == "done"
    request = PrivacyRequest.objects.get()
    assert (request.kind, request.customer.email, request.state) == (
        "erasure",
        "ann@shop.org",
        "open",
    )
    assert sender.deliver({"id": 99}, "customers/delete").state == "duplicate"
    assert Customer.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "topic", "code"),
    [
        (b"{", "orders/create", "not_json"),
        (b"[]", "orders/create", "not_an_object"),
        (b'{"id": 1e999}', "orders/create", "bad_currency"),
        (b'{"id": NaN}', "orders/create", "not_json"),
        (b'{"a": "\\ud800"}', "orders/create", "not_json"),
        (b'{"a": "\\u0000"}', "orders/create", "not_json"),
        (b"[" * 5000, "orders/create", "not_json"),
        (b"{}", "orders/create", "missing"),
        (b'{"id": 1}', "carts/create", "unknown_topic"),
        (b'{"id": 1, "currency": "EUR", "line_items": 5}', "orders/create", "not_a_list"),
        (b'{"id": 1, "currency": "EUR", "updated_at": "soon"}', "orders/create", "not_a_date"),
        (
            b'{"id":1,"currency":"EUR","line_items":[{"id":1,"quantity":1,"price":"1e40"}]}',
            "orders/create",
            "not_a_number",
        ),
        (
            b'{"id":1,"currency":"EUR","line_items":[{"id":1,"quantity":0.5,"price":"1"}]}',
            "orders/create",
            "not_whole",
        ),
    ],
)
def test_what_cannot_be_read_is_set_aside_with_its_reason(shop, body, topic, code):
    receipt = shop("shopify").deliver(body, topic)
    assert (receipt.state, receipt.code) == ("quarantined", code)
    assert receipt.message
    assert receipt.remedy
    assert not Order.objects.exists()

"""WooCommerce's deliveries in any order end in the same rows, with exact amounts."""

import itertools
from datetime import timedelta
from decimal import Decimal

from ingestion.models import (
    Customer,
    CustomerRollup,
    Order,
    OrderLine,
    PrivacyRequest,
    Product,
    WebhookThing,
)
from tests.ingestion.conftest import NOW
from tests.ingestion.webhooks.test_shopify import everything

D = Decimal
ORDER = {
    "id": 4750,
    "number": "4750",
    "status": "processing",
    "currency": "GBP",
    "date_created_gmt": "2026-11-01T10:00:00",
    "date_modified_gmt": "2026-11-01T10:00:00",
    "total": "31.19",
    "total_tax": "5.20",
    "customer_id": 26,
    "billing": {
        "first_name": "Bo",
        "last_name": "Li",
        "email": "bo@shop.org",
        "phone": "020 7946 0958",
        "country": "GB",
    },
    "shipping": {"country": "IE"},
    "line_items": [
        {
            "id": 1,
            "name": "Tea",
            "product_id": 93,
            "variation_id": 0,
            "quantity": 3,
            "total": "20.00",
            "sku": "tea",
            "price": 6.666666666666667,
        }
    ],
    "shipping_lines": [{"method_title": "Post", "total": "4.99"}],
    "fee_lines": [{"name": "Gift wrap", "total": "1.00"}],
    "refunds": [],
}


def test_an_order_adds_up_to_the_shops_own_total(shop):
    shop("woocommerce").deliver(ORDER, "order.created")
    row = Order.objects.get()
    assert (row.total, row.status, row.country) == (D("31.19"), "placed", "IE")
    fields = ("sku", "quantity", "unit_price", "total", "kind")
    assert list(row.lines.order_by("line_no").values_list(*fields)) == [
        ("TEA", 3, D("6.6667"), D("20.00"), "product"),
        ("SHIPPING", 1, D("4.99"), D("4.99"), "fee"),
        ("FEE", 1, D("1.00"), D("1.00"), "fee"),
        ("TAX", 1, D("5.20"), D("5.20"), "fee"),
    ]
    assert (row.customer.external_id, row.customer.email) == ("26", "bo@shop.org")


def test_a_guest_has_no_number(shop):
    shop("woocommerce").deliver(ORDER | {"customer_id": 0}, "order.created")
    assert Customer.objects.get().external_id is None


def test_an_order_that_nobody_paid_is_no_sale_until_it_is(shop):
    sender = shop("woocommerce")
    receipt = sender.deliver(ORDER | {"status": "pending"}, "order.created")
    assert "not paid yet" in receipt.message
    assert not Order.objects.exists()
    later = ORDER | {"date_modified_gmt": "2026-11-01T10:05:00"}
    sender.deliver(later, "order.updated")
    assert Order.objects.get().total == D("31.19")


def test_refunds_and_a_full_return_in_any_order(shop):
    part = {"id": 9001, "reason": "", "total": "-5.00"}
    deliveries = [
        (ORDER, "order.created"),
        (
            ORDER | {"date_modified_gmt": "2026-11-03T10:00:00", "refunds": [part]},
            "order.updated",
        ),
        (
            ORDER
            | {
                "date_modified_gmt": "2026-11-04T10:00:00",
                "status": "refunded",
                "refunds": [part, {"id": 9002, "reason": "", "total": "-26.19"}],
            },
            "order.updated",
        ),
    ]
    ends = set()
    for permutation in itertools.permutations(deliveries):
        sender = shop("woocommerce")
        for body, topic in permutation:
            sender.deliver(body, topic)
        lines, orders, rollups = everything()
        ends.add(repr((orders, rollups)))
        assert sum(Order.objects.values_list("total", flat=True)) == D("0.00")
        assert Order.objects.get(external_id="4750").status == "returned"
        assert [line[2] for line in lines if line[7] == "return"] == ["TEA"]
        last = permutation[-1]
        if last is deliveries[2]:
            note = Order.objects.get(external_id="4750-R9001")
            assert note.total == D("-5.00")
        OrderLine.objects.all().delete()
        Order.objects.all().delete()
        CustomerRollup.objects.all().delete()
    assert len(ends) == 1


def test_a_cancelled_order_adds_up_to_nothing(shop):
    sender = shop("woocommerce")
    sender.deliver(ORDER, "order.created")
    changed = {"status": "cancelled", "date_modified_gmt": "2026-11-02T10:00:00"}
    sender.deliver(ORDER | changed, "order.updated")
    assert sum(Order.objects.values_list("total", flat=True)) == D("0.00")
    assert Order.objects.get(external_id="4750").status == "cancelled"


def test_people_and_products_come_change_and_go(shop):
    sender = shop("woocommerce")
    person = {
        "id": 26,
        "email": "bo@shop.org",
        "first_name": "Bo",
        "last_name": "Li",
        "billing": {"phone": "+442079460958", "country": "GB"},
        "date_modified_gmt": "2026-11-01T10:00:00",
    }
    sender.deliver(person, "customer.created")
    sender.deliver(
        person | {"first_name": "Bob", "date_modified_gmt": "2026-11-02T10:00:00"},
        "customer.updated",
    )
    sender.deliver(person, "customer.updated")
    assert Customer.objects.get().first_name == "Bob"
    sender.deliver({"id": 26}, "customer.deleted")
    assert PrivacyRequest.objects.get().kind == "erasure"
    product = {
        "id": 93,
        "name": "Tea",
        "sku": "tea",
        "price": "6.67",
        "status": "publish",
        "permalink": "https://shop.org/tea",
        "images": [{"src": "https://shop.org/tea.png"}],
        "categories": [{"name": "Drinks"}],
        "stock_quantity": 3,
        "date_modified_gmt": "2026-11-01T10:00:00",
    }
    sender.deliver(product, "product.created")
    tea = Product.objects.get()
    assert (tea.sku, tea.price, tea.category, tea.stock) == ("TEA", D("6.67"), "Drinks", 3)
    sender.deliver({"id": 93}, "product.deleted")
    assert not Product.objects.get().active


def test_what_was_deleted_comes_back_when_its_shop_restores_it(shop, monkeypatch):
    sender = shop("woocommerce")
    product = {"id": 93, "name": "Tea", "sku": "tea", "price": "6.67", "status": "publish"}
    changed = {"date_modified_gmt": "2026-11-01T10:00:00"}
    sender.deliver(ORDER, "order.created")
    sender.deliver(product | changed, "product.created")
    before = everything()
    sender.deliver({"id": 4750}, "order.deleted")
    sender.deliver({"id": 93}, "product.deleted")
    sender.deliver(ORDER | {"date_modified_gmt": "2026-11-02T10:00:00"}, "order.updated")
    assert not Order.objects.exists()
    assert not Product.objects.get().active
    sender.deliver(ORDER | {"date_modified_gmt": "2026-11-03T10:00:00"}, "order.restored")
    sender.deliver(product | {"date_modified_gmt": "2026-11-03T10:00:00"}, "product.restored")
    assert everything() == before
    assert Product.objects.get().active
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW + timedelta(minutes=1))
    sender.deliver({"id": 4750}, "order.deleted")
    assert not Order.objects.exists()


def test_a_restored_order_that_came_before_its_deletion_is_gone(shop):
    sender = shop("woocommerce")
    source = sender.endpoint.source
    gone = WebhookThing(source=source, kind="order", external_id="4750", gone=True)
    gone.changed_at, gone.digest = NOW + timedelta(seconds=1), ""
    gone.save()
    sender.deliver(ORDER, "order.restored")
    assert not Order.objects.exists()

"""The pages of webhooks: an address is made, its secret shown once, deliveries seen and retried."""

import json

import pytest
from django.urls import reverse

from ingestion.models import Order, Source, WebhookEndpoint, WebhookReceipt
from ingestion.webhooks import endpoints, processing
from marketing.core.auth import ANALYST, MARKETER
from tests import factories
from tests.ingestion.conftest import NOW


@pytest.fixture
def marketer(db):
    return factories.signed_in(MARKETER)


def test_an_address_is_made_and_its_secret_shown_once(marketer):
    address = reverse("ingestion:webhook-new", args=["standard"])
    assert marketer.get(address).status_code == 200
    answer = marketer.post(address, {"name": "Till", "kind": "orders"})
    endpoint = WebhookEndpoint.objects.get()
    secret = endpoints.secrets_of(endpoint, now=NOW)[0]
    first = marketer.get(answer.url).content.decode()
    again = marketer.get(answer.url).content.decode()
    assert secret in first
    assert secret not in again
    assert f"/hooks/in/{endpoint.token}/" in again
    taken = marketer.post(address, {"name": "Till", "kind": "orders"})
    assert taken.status_code == 422
    assert Source.objects.filter(name="Till").count() == 1


@pytest.mark.parametrize("scheme", ["standard", "shopify", "woocommerce"])
def test_every_page_of_every_sender_opens(marketer, shop, scheme, django_assert_max_num_queries):
    sender = shop(scheme)
    sender.deliver({"id": 5}, "orders/create")
    with django_assert_max_num_queries(20):
        page = marketer.get(reverse("ingestion:webhook", args=[sender.endpoint.source_id]))
    assert page.status_code == 200
    assert "Quarantined" in page.content.decode()
    source = marketer.get(reverse("ingestion:source-detail", args=[sender.endpoint.source_id]))
    assert "Deliveries and settings" in source.content.decode()
    for told in (source, marketer.get(reverse("ingestion:source-list"))):
        assert "in the last 40 days" in told.content.decode()


def test_a_mapping_is_suggested_tried_and_saved(marketer, shop):
    sender = shop(kind="orders")
    body = {
        "order": {"id": 9, "created_at": "2026-11-01T10:00:00Z"},
        "items": [{"sku": "a", "quantity": 2, "price": "4.50"}],
    }
    sender.deliver(body)
    source = sender.endpoint.source_id
    page = marketer.get(reverse("ingestion:webhook", args=[source])).content.decode()
    assert 'name="list" value="items"' in page
    assert 'value="$.order.created_at"' in page
    form = {
        "kind": "orders",
        "was": "orders",
        "list": "items",
        "field-order_id": "$.order.id",
        "field-placed_at": "$.order.created_at",
        "field-sku": "sku",
        "field-quantity": "quantity",
        "field-unit_price": "price",
    }
    address = reverse("ingestion:webhook-map", args=[source])
    tried = marketer.post(address, form).content.decode()
    assert "4.50" in tried
    wrong = marketer.post(address, form | {"field-sku": "", "do": "save"})
    assert wrong.status_code == 422
    marketer.post(address, form | {"do": "save"})
    receipt = WebhookReceipt.objects.get()
    marketer.post(reverse("ingestion:webhook-again", args=[source, receipt.pk]))
    processing.sweep(now=NOW + processing.AGAIN_AFTER)
    assert str(Order.objects.get().total) == "9.00"


def test_a_test_and_the_switch_work_from_the_page(marketer, shop):
    sender = shop("shopify")
    source = sender.endpoint.source_id
    marketer.post(reverse("ingestion:webhook-test", args=[source]))
    assert WebhookReceipt.objects.get().topic == "perennial.test"
    marketer.post(reverse("ingestion:webhook-switch", args=[source]))
    assert sender.post({}).status_code == 404
    marketer.post(
        reverse("ingestion:webhook-rotate", args=[source]), {"secret": "given by the shop"}
    )
    sender.endpoint.refresh_from_db()
    assert endpoints.secrets_of(sender.endpoint, now=NOW)[0] == "given by the shop"


def test_what_was_delivered_is_text_on_the_page(marketer, shop):
    sender = shop()
    sender.deliver(json.dumps({"a": "<script>alert(1)</script>{{7*7}}"}).encode())
    page = marketer.get(reverse("ingestion:webhook", args=[sender.endpoint.source_id]))
    assert "<script>alert" not in page.content.decode()


def test_an_analyst_looks_and_changes_nothing(db, shop):
    sender, analyst = shop(), factories.signed_in(ANALYST)
    source = sender.endpoint.source_id
    assert analyst.get(reverse("ingestion:webhook", args=[source])).status_code == 200
    for name in ("test", "switch", "rotate", "map"):
        answer = analyst.post(reverse(f"ingestion:webhook-{name}", args=[source]))
        assert answer.status_code == 403
    assert analyst.get(reverse("ingestion:webhook-new", args=["standard"])).status_code == 403

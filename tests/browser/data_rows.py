"""What comes in and what is agreed about it, for pages that show it; made once."""

from django.urls import reverse

from ingestion import events
from ingestion.imports import uploads
from ingestion.models import (
    EventType,
    ImportJob,
    Problem,
    Refusal,
    Source,
    WebhookEndpoint,
    WebhookReceipt,
)
from ingestion.quality import expectations, problems
from ingestion.recipes import versions
from ingestion.registry import discovery, plans
from ingestion.tracking import keys
from ingestion.webhooks import endpoints
from tests import factories


def upload() -> ImportJob:
    """An upload whose columns are not chosen yet, with a row that will be set aside."""
    content = b"Nr;SKU;Menge;Datum;Preis\n1;A;2;03.04.2026;3,50\n2;A;x;03.04.2026;3,50\n"
    return uploads.receive(chunks=[content], name="Mai.csv", user=None, now=factories.now())


def web_source() -> Source:
    return Source.objects.filter(kind=keys.KIND).first() or keys.create(
        name="shop.example.com", actor=None, now=factories.now()
    )


def recipe(imported: ImportJob) -> str:
    rules = [
        {"id": "r1", "rule": "email", "columns": ["email"]},
        {"id": "r2", "rule": "drop_rows", "where": 'starts(sku, "TEST")'},
    ]
    versions.save(
        source=imported.source,
        kind="orders",
        body={"rules": rules},
        user=None,
        now=factories.now(),
    )
    return reverse("ingestion:recipe-edit", args=[imported.source_id, "orders"])


def webhook(scheme: str) -> str:
    """An address with one delivery that was set aside."""
    name = f"Webhook {scheme}"
    endpoint = WebhookEndpoint.objects.filter(source__name=name).first()
    if endpoint is None:
        endpoint, _secret = endpoints.create(
            name=name, scheme=scheme, kind="orders", user=None, now=factories.now()
        )
        body = b'{"order": {"id": 7}, "items": [{"sku": "A", "quantity": 1, "price": "2.50"}]}'
        WebhookReceipt.objects.create(
            endpoint=endpoint,
            delivery_id="msg_1",
            digest="",
            topic="orders/create",
            body=body,
            bytes=len(body),
            state="quarantined",
            code="missing",
            message="“id” is missing.",
            remedy="Check what the sender sends.",
        )
    return reverse("ingestion:webhook", args=[endpoint.source_id])


def event_type() -> EventType:
    """An event that was seen, with its plan and one that was refused by it."""
    if found := EventType.objects.first():
        return found
    now = factories.now()
    seen = {"sku": "A1", "price": 2.5, "note": None}
    batch = [
        events.Incoming(type="Product Viewed", at=now, message_id=f"v{i}", properties=seen)
        for i in range(3)
    ]
    events.record(batch=batch, source="shop", now=now)
    discovery.fold(now=now)
    plans.adopt(name="Product Viewed", user=None, now=now)
    Refusal.objects.create(
        source="shop",
        door="api",
        type="Product Viewed",
        code="plan_missing",
        field="sku",
        message="“sku” is missing.",
        remedy="Send it.",
        raw='{"type": "Product Viewed"}',
    )
    return EventType.objects.get()


def problem() -> Problem:
    """A problem with the data that somebody uses."""
    if found := Problem.objects.first():
        return found
    now = factories.now()
    expectations.save(
        subject="customers", field="phone", kind="filled", user=None, now=now, severity="critical"
    )
    problems.measure(now=now)
    return Problem.objects.filter(expectation__isnull=False).get()

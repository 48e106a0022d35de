"""Deliveries to try an address with, and to show what a mapping does before the first one came."""

import json
from typing import Any

from ingestion.models import WebhookEndpoint

TEST_TOPIC = "perennial.test"
EVENT: dict[str, Any] = {
    "type": "order.paid",
    "created_at": "2026-01-31T09:30:00Z",
    "customer": {"id": "1001", "email": "ada@example.org"},
    "items": [{"sku": "LAMP-1", "quantity": 2, "price": "24.90"}],
}
SHOPIFY: dict[str, Any] = {"id": 1, "test": True, "line_items": []}
WOOCOMMERCE: dict[str, Any] = {"id": 1, "status": "pending", "line_items": []}


def body_of(scheme: str) -> bytes:
    """What a test delivery of this kind of sender holds."""
    return json.dumps(
        {
            WebhookEndpoint.Scheme.STANDARD: EVENT,
            WebhookEndpoint.Scheme.SHOPIFY: SHOPIFY,
            WebhookEndpoint.Scheme.WOOCOMMERCE: WOOCOMMERCE,
        }[WebhookEndpoint.Scheme(scheme)]
    ).encode()

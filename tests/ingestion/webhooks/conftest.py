"""Addresses of every scheme, and deliveries signed as their senders sign them."""

import base64
import hashlib
import hmac
import itertools
import json

import pytest
from django.core.cache import cache
from django.test import Client

from ingestion.models import WebhookReceipt
from ingestion.webhooks import endpoints, processing
from tests.ingestion.conftest import NOW

COUNTER = itertools.count()


def mac(key: bytes, content: bytes) -> str:
    return base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


class Shop:
    """An address and whoever delivers to it."""

    def __init__(self, endpoint, secret):
        self.endpoint, self.secret, self.client = endpoint, secret, Client()
        self.address = f"/hooks/in/{endpoint.token}/"

    def headers(self, body, *, topic="", number="", stamp=None):
        number = number or f"n{next(COUNTER)}"
        if self.endpoint.scheme == "shopify":
            return {
                "X-Shopify-Hmac-Sha256": mac(self.secret.encode(), body),
                "X-Shopify-Webhook-Id": number,
                "X-Shopify-Topic": topic,
            }
        if self.endpoint.scheme == "woocommerce":
            return {
                "X-WC-Webhook-Signature": mac(self.secret.encode(), body),
                "X-WC-Webhook-Delivery-ID": number,
                "X-WC-Webhook-Topic": topic,
            }
        stamp = str(int(NOW.timestamp()) if stamp is None else stamp)
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        signed = mac(key, f"{number}.{stamp}.".encode() + body)
        return {
            "webhook-id": number,
            "webhook-timestamp": stamp,
            "webhook-signature": f"v1,AAAA v1,{signed}",
        }

    def post(self, body, *, headers=None, **facts):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        return self.client.post(
            self.address,
            body,
            content_type="application/json",
            headers=self.headers(body, **facts) if headers is None else headers,
        )

    def deliver(self, body, topic="", **facts):
        """Post and let the worker store it; the receipt."""
        answer = self.post(body, topic=topic, **facts)
        assert answer.status_code == 200, answer.content
        receipt = WebhookReceipt.objects.order_by("id").last()
        processing.process(receipt_id=receipt.pk, now=NOW)
        receipt.refresh_from_db()
        return receipt


@pytest.fixture
def shop(db, monkeypatch):
    """shop("shopify") → an address that can be delivered to."""
    cache.clear()
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)

    def make(scheme="standard", kind="events", name="", **facts):
        endpoint, secret = endpoints.create(
            name=name or f"{scheme} {next(COUNTER)}",
            scheme=scheme,
            kind=kind,
            user=None,
            now=NOW,
            **facts,
        )
        return Shop(endpoint, secret)

    return make

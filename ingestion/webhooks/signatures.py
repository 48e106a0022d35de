"""Who may deliver: an HMAC-SHA256 over the body, compared in constant time."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ingestion.models import WebhookEndpoint

TOLERANCE_SECONDS = 300
Scheme = WebhookEndpoint.Scheme


@dataclass(frozen=True)
class Delivery:
    """What the headers say about a delivery whose signature is right."""

    delivery_id: str
    topic: str


def _digest(key: bytes, content: bytes) -> bytes:
    return hmac.new(key, content, hashlib.sha256).digest()


def _same(given: str, wanted: bytes) -> bool:
    try:
        return hmac.compare_digest(base64.b64decode(given, validate=True), wanted)
    except (binascii.Error, ValueError):
        return False


def key_of(secret: str) -> bytes:
    """The key of a secret as Standard Webhooks writes it: whsec_ and base64."""
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        return secret.encode()


def check(
    *,
    scheme: str,
    secrets: Sequence[str],
    headers: Mapping[str, str],
    body: bytes,
    now: datetime,
) -> Delivery | None:
    """The delivery, if one of the secrets signed it; None otherwise."""
    if scheme == Scheme.SHOPIFY:
        given = headers.get("X-Shopify-Hmac-Sha256", "")
        if not any(_same(given, _digest(s.encode(), body)) for s in secrets):
            return None
        return Delivery(headers.get("X-Shopify-Webhook-Id", ""), headers.get("X-Shopify-Topic", ""))
    if scheme == Scheme.WOOCOMMERCE:
        given = headers.get("X-WC-Webhook-Signature", "")
        if not any(_same(given, _digest(s.encode(), body)) for s in secrets):
            return None
        # The shop makes its delivery ids of the second: two bodies may share one.
        number = headers.get("X-WC-Webhook-Delivery-ID", "")
        digest = hashlib.sha256(body).hexdigest()
        topic = headers.get("X-WC-Webhook-Topic", "")
        return Delivery(f"{number}.{digest}" if number else "", topic)
    return _standard(secrets, headers, body, now)


def _standard(
    secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime
) -> Delivery | None:
    number, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not number or not stamp.isascii() or not stamp.isdigit() or len(stamp) > 12:
        return None
    if abs(now.timestamp() - int(stamp)) > TOLERANCE_SECONDS:
        return None
    content = f"{number}.{stamp}.".encode() + body
    wanted = [_digest(key_of(secret), content) for secret in secrets]
    for part in headers.get("webhook-signature", "")[:2000].split():
        version, _, given = part.partition(",")
        if version == "v1" and any(_same(given, digest) for digest in wanted):
            return Delivery(number, headers.get("webhook-topic", ""))
    return None


def sign(
    *, scheme: str, secret: str, body: bytes, delivery_id: str, topic: str, now: datetime
) -> dict[str, str]:
    """The headers with which this body would come from the sender."""
    if scheme == Scheme.SHOPIFY:
        return {
            "X-Shopify-Hmac-Sha256": base64.b64encode(_digest(secret.encode(), body)).decode(),
            "X-Shopify-Webhook-Id": delivery_id,
            "X-Shopify-Topic": topic,
        }
    if scheme == Scheme.WOOCOMMERCE:
        return {
            "X-WC-Webhook-Signature": base64.b64encode(_digest(secret.encode(), body)).decode(),
            "X-WC-Webhook-Delivery-ID": delivery_id,
            "X-WC-Webhook-Topic": topic,
        }
    stamp = str(int(now.timestamp()))
    content = f"{delivery_id}.{stamp}.".encode() + body
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": stamp,
        "webhook-topic": topic,
        "webhook-signature": "v1," + base64.b64encode(_digest(key_of(secret), content)).decode(),
    }

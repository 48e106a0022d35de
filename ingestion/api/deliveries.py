"""The webhook door in the OpenAPI document: it is no REST view, so it is described here."""

from typing import Any

_TEXT = {"type": "string"}
_HEADERS = (
    ("webhook-id", "Standard Webhooks: the id of the delivery, the same on every try."),
    ("webhook-timestamp", "Standard Webhooks: seconds since 1970, at most five minutes off."),
    ("webhook-signature", "Standard Webhooks: `v1,` and the HMAC-SHA256 of id.timestamp.body."),
    ("X-Shopify-Hmac-Sha256", "Shopify: the HMAC-SHA256 of the body."),
    ("X-Shopify-Topic", "Shopify: what the delivery is about, such as `orders/create`."),
    ("X-Shopify-Webhook-Id", "Shopify: the id of the delivery."),
    ("X-WC-Webhook-Signature", "WooCommerce: the HMAC-SHA256 of the body."),
    ("X-WC-Webhook-Topic", "WooCommerce: what the delivery is about, such as `order.updated`."),
    ("X-WC-Webhook-Delivery-ID", "WooCommerce: the id of the delivery."),
)
_REFUSALS = {
    "401": "The signature is missing, wrong or too old. Nothing was kept.",
    "404": "There is no such address, or it is switched off.",
    "413": "The body is larger than 2 MB.",
    "422": "The body is compressed or cut off, or the delivery id is too long.",
    "429": "More deliveries a minute than the address takes; see Retry-After.",
}


def _header(name: str, text: str) -> dict[str, Any]:
    return {"in": "header", "name": name, "schema": _TEXT, "description": text}


def _answer(text: str) -> dict[str, Any]:
    error = {"type": "object", "properties": {"error": {"type": "object"}}}
    return {"description": text, "content": {"application/json": {"schema": error}}}


def describe(result: dict[str, Any], **_facts: Any) -> dict[str, Any]:
    """Add the door to the document."""
    taken = {
        "type": "object",
        "properties": {"status": _TEXT, "duplicate": {"type": "boolean"}},
        "required": ["status", "duplicate"],
    }
    result["paths"]["/hooks/in/{token}/"] = {
        "post": {
            "operationId": "webhooks_deliver",
            "tags": ["hooks"],
            "summary": "Deliver to the address of a source",
            "description": (
                "Signed with the secret of the address, in the way of its sender. Stored before it"
                " is answered, once per delivery id; what becomes of it is seen on the page of the"
                " source."
            ),
            "parameters": [
                {"in": "path", "name": "token", "required": True, "schema": _TEXT},
                *(_header(name, text) for name, text in _HEADERS),
            ],
            "requestBody": {"content": {"application/json": {"schema": {}}}, "required": True},
            "security": [{}],
            "responses": {
                "200": {
                    "description": "Kept, now or by an earlier try.",
                    "content": {"application/json": {"schema": taken}},
                },
                **{code: _answer(text) for code, text in _REFUSALS.items()},
            },
        }
    }
    return result

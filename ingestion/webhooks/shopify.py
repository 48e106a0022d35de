"""Shopify's payloads → what they say. Amounts are the shop's own currency, exact."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from ingestion.webhooks.said import (
    CUSTOMER,
    ORDER,
    PRODUCT,
    REFUND,
    REQUEST,
    Reader,
    Said,
    currency,
    gone,
    inner,
    moment,
    money,
    names_of,
    number,
    objects,
    text,
    whole,
)


def _person(body: Mapping[str, Any], order: Mapping[str, Any] | None = None) -> dict[str, str]:
    order = order or {}
    address = inner(body, "default_address") or inner(order, "billing_address")
    address = address or inner(order, "shipping_address")
    return {
        "external_id": text(body.get("id"), 100),
        "email": text(body.get("email") or order.get("email"), 254),
        "phone": text(body.get("phone") or order.get("phone"), 30),
        "first_name": text(body.get("first_name") or address.get("first_name"), 100),
        "last_name": text(body.get("last_name") or address.get("last_name"), 100),
        "country": text(address.get("country_code"), 2).upper(),
    }


def _line(item: dict[str, Any]) -> dict[str, Any]:
    quantity, price = whole(item.get("quantity"), "quantity"), money(item.get("price"), "price")
    discount = sum(
        (money(part.get("amount"), "amount") for part in objects(item, "discount_allocations")),
        Decimal(0),
    )
    sku = text(item.get("sku"), 60) or text(item.get("variant_id"), 60)
    name = text(item.get("title") or item.get("name"))
    variant = text(item.get("variant_title"))
    return {
        "id": number(item, "id"),
        "sku": sku or text(item.get("product_id"), 60) or name[:60],
        "name": f"{name} – {variant}"[:300] if variant and variant != "Default Title" else name,
        "quantity": quantity,
        "price": f"{price:f}",
        "total": f"{price * quantity - discount:f}",
    }


def _fees(body: dict[str, Any]) -> list[dict[str, str]]:
    found = []
    for item in objects(body, "shipping_lines"):
        amount = money(item.get("discounted_price", item.get("price")), "shipping_lines")
        found.append({"sku": "SHIPPING", "name": text(item.get("title")), "total": f"{amount:f}"})
    if not body.get("taxes_included"):
        tax = money(body.get("total_tax"), "total_tax")
        found.append({"sku": "TAX", "name": "", "total": f"{tax:f}"})
    tip = money(body.get("total_tip_received"), "total_tip_received")
    found.append({"sku": "TIP", "name": "", "total": f"{tip:f}"})
    return [fee for fee in found if Decimal(fee["total"])]


def order(body: dict[str, Any], now: datetime) -> list[Said]:
    """An order as it stands now, with the refunds that its payload carries."""
    order_id = number(body, "id")
    placed = moment(body, "processed_at") or moment(body, "created_at") or now
    person = _person(inner(body, "customer"), body)
    cancelled = moment(body, "cancelled_at")
    attributes = {
        name: text(body.get(name), 100)
        for name in ("name", "total_price", "financial_status", "fulfillment_status", "source_name")
        if body.get(name)
    }
    said = Said(
        ORDER,
        order_id,
        moment(body, "updated_at") or placed,
        {
            "placed_at": placed.isoformat(),
            "currency": currency(body.get("currency")),
            "country": (
                text(inner(body, "shipping_address").get("country_code"), 2) or person["country"]
            ).upper(),
            "person": person,
            "lines": [_line(item) for item in objects(body, "line_items")],
            "fees": _fees(body),
            "taxed_apart": not body.get("taxes_included"),
            "cancelled_at": cancelled.isoformat() if cancelled else None,
            "attributes": attributes,
        },
        rank=1 if cancelled else 0,
        names=names_of(person),
    )
    return [said, *(found for item in objects(body, "refunds") for found in refund(item, now))]


def refund(body: dict[str, Any], now: datetime) -> list[Said]:
    """Money given back, and the lines it is for."""
    lines, goods, tax = [], Decimal(0), Decimal(0)
    for item in objects(body, "refund_line_items"):
        total = money(item.get("subtotal"), "subtotal")
        tax += money(item.get("total_tax"), "total_tax")
        goods += total
        line = text(item.get("line_item_id"), 100) or number(inner(item, "line_item"), "id")
        lines.append(
            {
                "line_id": line,
                "quantity": whole(item.get("quantity"), "quantity"),
                "total": f"{total:f}",
            }
        )
    paid = [
        money(item.get("amount"), "amount")
        for item in objects(body, "transactions")
        if item.get("kind") == "refund" and item.get("status") in ("success", None)
    ]
    adjusted = sum(
        (
            -money(item.get("amount"), "amount") - money(item.get("tax_amount"), "tax_amount")
            for item in objects(body, "order_adjustments")
            if item.get("kind") == "shipping_refund"
        ),
        Decimal(0),
    )
    at = moment(body, "processed_at") or moment(body, "created_at") or now
    return [
        Said(
            REFUND,
            number(body, "id"),
            at,
            {
                "at": at.isoformat(),
                "lines": lines,
                "tax": f"{tax:f}",
                "adjusted": f"{adjusted:f}",
                "paid": f"{sum(paid):f}" if paid else None,
            },
            parent=number(body, "order_id"),
            rank=1 if paid else 0,
        )
    ]


def customer(body: dict[str, Any], now: datetime) -> list[Said]:
    """A person and what they answered about marketing."""
    person = _person(body)
    answers = []
    for channel, name in (("email", "email_marketing_consent"), ("sms", "sms_marketing_consent")):
        given = inner(body, name)
        if given.get("state") not in ("subscribed", "unsubscribed"):
            continue
        at = moment(given, "consent_updated_at")
        answers.append(
            {
                "channel": channel,
                "granted": given["state"] == "subscribed",
                "at": at.isoformat() if at else None,
                "how": text(given.get("opt_in_level"), 50),
            }
        )
    return [
        Said(
            CUSTOMER,
            number(body, "id"),
            moment(body, "updated_at") or now,
            {"person": person, "answers": answers},
            names=names_of(person),
        )
    ]


def product(body: dict[str, Any], now: datetime) -> list[Said]:
    """A product: each of its variants is something that can be bought."""
    title, items = text(body.get("title")), []
    image = inner(body, "image") or next(iter(objects(body, "images")), {})
    for variant in objects(body, "variants"):
        name = text(variant.get("title"))
        stock = variant.get("inventory_quantity")
        items.append(
            {
                "sku": text(variant.get("sku"), 60) or number(variant, "id"),
                "name": title if name in ("", "Default Title") else f"{title} – {name}"[:300],
                "category": text(body.get("product_type"), 100),
                "price": f"{money(variant.get('price'), 'price'):f}",
                "url": f"/products/{text(body.get('handle'))}" if body.get("handle") else "",
                "image_url": text(image.get("src"), 500),
                "stock": None if stock is None else whole(stock, "inventory_quantity"),
                "active": body.get("status", "active") == "active",
            }
        )
    at = moment(body, "updated_at") or now
    return [Said(PRODUCT, number(body, "id"), at, {"items": items})]


def _request(kind: str) -> Reader:
    def read(body: dict[str, Any], now: datetime) -> list[Said]:
        person = _person(inner(body, "customer") or body)
        about = {"person": person, "request": kind}
        return [Said(REQUEST, person["external_id"], now, about, names=names_of(person))]

    return read


TOPICS: dict[str, Reader] = {
    "orders/create": order,
    "orders/updated": order,
    "orders/paid": order,
    "orders/fulfilled": order,
    "orders/partially_fulfilled": order,
    "orders/edited": order,
    "orders/cancelled": order,
    "orders/delete": gone(ORDER),
    "refunds/create": refund,
    "customers/create": customer,
    "customers/update": customer,
    "customers/enable": customer,
    "customers/disable": customer,
    "customers/delete": _request("erasure"),
    "customers/redact": _request("erasure"),
    "customers/data_request": _request("access"),
    "products/create": product,
    "products/update": product,
    "products/delete": gone(PRODUCT),
}

"""WooCommerce's payloads → what they say."""

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
    back,
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

# Orders that nobody has agreed to pay yet, or that failed, are no sales.
NOT_YET = ("checkout-draft", "auto-draft", "pending", "failed", "trash")


def _person(
    body: Mapping[str, Any], billing: Mapping[str, Any], external_id: Any
) -> dict[str, str]:
    return {
        # Number 0 is how the shop writes a guest.
        "external_id": "" if text(external_id) in ("", "0") else text(external_id, 100),
        "email": text(body.get("email") or billing.get("email"), 254),
        "phone": text(billing.get("phone"), 30),
        "first_name": text(body.get("first_name") or billing.get("first_name"), 100),
        "last_name": text(body.get("last_name") or billing.get("last_name"), 100),
        "country": text(billing.get("country"), 2).upper(),
    }


def _line(item: dict[str, Any]) -> dict[str, Any]:
    quantity, total = whole(item.get("quantity"), "quantity"), money(item.get("total"), "total")
    price = money(item.get("price"), "price")
    if quantity:
        price = total / quantity
    variation = text(item.get("variation_id"), 60)
    sku = text(item.get("sku"), 60) or ("" if variation == "0" else variation)
    return {
        "id": number(item, "id"),
        "sku": sku or text(item.get("product_id"), 60) or text(item.get("name"), 60),
        "name": text(item.get("name")),
        "quantity": quantity,
        "price": f"{price:f}",
        "total": f"{total:f}",
    }


def order(body: dict[str, Any], now: datetime) -> list[Said]:
    """An order as it stands now, with the refunds that its payload carries."""
    order_id, status = number(body, "id"), text(body.get("status"))
    placed = (
        moment(body, "date_paid_gmt", utc=True)
        if not body.get("date_created_gmt")
        else moment(body, "date_created_gmt", utc=True)
    ) or now
    changed = moment(body, "date_modified_gmt", utc=True) or placed
    billing = inner(body, "billing")
    person = _person(billing, billing, body.get("customer_id"))
    fees = []
    for name, sku in (("shipping_lines", "SHIPPING"), ("fee_lines", "FEE")):
        for item in objects(body, name):
            amount = money(item.get("total"), name)
            title = text(item.get("method_title") or item.get("name"))
            fees.append({"sku": sku, "name": title, "total": f"{amount:f}"})
    tax = money(body.get("total_tax"), "total_tax")
    fees.append({"sku": "TAX", "name": "", "total": f"{tax:f}"})
    shipping = inner(body, "shipping")
    said = Said(
        ORDER,
        order_id,
        changed,
        {
            "placed_at": placed.isoformat(),
            "currency": currency(body.get("currency")),
            "country": text(shipping.get("country"), 2).upper() or person["country"],
            "person": person,
            "lines": [_line(item) for item in objects(body, "line_items")],
            "fees": [fee for fee in fees if Decimal(fee["total"])],
            "taxed_apart": True,
            "cancelled_at": changed.isoformat() if status == "cancelled" else None,
            "returned_at": changed.isoformat() if status == "refunded" else None,
            "unpaid": status in NOT_YET,
            "attributes": {
                name: text(body.get(name), 100)
                for name in ("number", "total", "status", "created_via")
                if body.get(name)
            },
        },
        rank=1 if status in ("cancelled", "refunded") else 0,
        names=names_of(person),
    )
    refunds = [
        Said(
            REFUND,
            number(item, "id"),
            changed,
            # The order tells how much was given back, not for which lines, nor when.
            {
                "at": None,
                "lines": [],
                "tax": "0",
                "adjusted": "0",
                "paid": f"{abs(money(item.get('total'), 'refunds')):f}",
            },
            parent=order_id,
        )
        for item in objects(body, "refunds")
    ]
    return [said, *refunds]


def customer(body: dict[str, Any], now: datetime) -> list[Said]:
    """A person. The shop says nothing about marketing."""
    person = _person(body, inner(body, "billing"), body.get("id"))
    changed = moment(body, "date_modified_gmt", utc=True) or moment(
        body, "date_created_gmt", utc=True
    )
    told = {"person": person, "answers": []}
    return [Said(CUSTOMER, number(body, "id"), changed or now, told, names=names_of(person))]


def product(body: dict[str, Any], now: datetime) -> list[Said]:
    """Something that can be bought; a variation comes as a product of its own."""
    price = text(body.get("price"), 30) or text(body.get("regular_price"), 30)
    stock = body.get("stock_quantity")
    image = next(iter(objects(body, "images")), {})
    category = next(iter(objects(body, "categories")), {})
    item = {
        "sku": text(body.get("sku"), 60) or number(body, "id"),
        "name": text(body.get("name")),
        "category": text(category.get("name"), 100),
        "price": f"{money(price, 'price'):f}" if price else None,
        "url": text(body.get("permalink"), 500),
        "image_url": text(image.get("src"), 500),
        "stock": None if stock is None else whole(stock, "stock_quantity"),
        "active": body.get("status", "publish") == "publish",
    }
    changed = moment(body, "date_modified_gmt", utc=True) or now
    return [Said(PRODUCT, number(body, "id"), changed, {"items": [item]})]


def _deleted(body: dict[str, Any], now: datetime) -> list[Said]:
    person = {"external_id": number(body, "id")}
    about = {"person": person, "request": "erasure"}
    return [Said(REQUEST, person["external_id"], now, about, names=(person["external_id"],))]


TOPICS: dict[str, Reader] = {
    "order.created": order,
    "order.updated": order,
    "order.restored": back(order),
    "order.deleted": gone(ORDER),
    "customer.created": customer,
    "customer.updated": customer,
    "customer.deleted": _deleted,
    "product.created": product,
    "product.updated": product,
    "product.restored": back(product),
    "product.deleted": gone(PRODUCT),
}

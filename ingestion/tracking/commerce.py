"""What shops call things: names of the e-commerce vocabulary → our types, and orders from them."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext as _

from ingestion import orders
from ingestion.identity import identify
from ingestion.preprocess import codes, titles, values
from marketing.core.errors import Invalid

ORDER, REFUND, CANCEL = "order", "refund", "order_cancel"
# Names as clients send them, in lower case, old word order too → the types that rules ask for.
TYPES = {
    "product viewed": "view",
    "viewed product": "view",
    "product clicked": "click",
    "product list viewed": "list_view",
    "product list filtered": "list_filter",
    "product added": "cart",
    "added product": "cart",
    "product removed": "cart_remove",
    "removed product": "cart_remove",
    "cart viewed": "cart_view",
    "cart shared": "cart_share",
    "products searched": "search",
    "checkout started": "checkout",
    "checkout step viewed": "checkout_step_view",
    "checkout step completed": "checkout_step",
    "payment info entered": "payment",
    "order completed": ORDER,
    "completed order": ORDER,
    "order updated": "order_update",
    "order refunded": REFUND,
    "order cancelled": CANCEL,
    "coupon entered": "coupon_enter",
    "coupon applied": "coupon",
    "coupon denied": "coupon_deny",
    "coupon removed": "coupon_remove",
    "product added to wishlist": "wishlist",
    "product removed from wishlist": "wishlist_remove",
    "wishlist product added to cart": "wishlist_cart",
    "product shared": "share",
    "product reviewed": "review",
    "promotion viewed": "promotion_view",
    "promotion clicked": "promotion_click",
}
LINES_LIMIT = 1_000
_SCALE = Decimal("0.0001")
# Money of an order beside its goods → the stock code that says it is no goods, and its sign.
_EXTRAS = (("shipping", "SHIPPING", 1), ("tax", "TAX", 1), ("discount", "DISCOUNT", -1))


def type_of(name: str) -> str:
    """Our type of an event of this name; the name itself where it is none of a shop's."""
    return TYPES.get(name.lower(), name)


def stock_code(properties: Mapping[str, Any]) -> str:
    """The product that these properties speak of, in our spelling; empty if they name none."""
    for name in ("sku", "product_id"):
        found = properties.get(name)
        if isinstance(found, str | int) and not isinstance(found, bool):
            text = codes.unify(str(found))
            if 0 < len(text) <= 60:
                return text
    return ""


def order_of(
    *,
    kind: str,
    properties: Mapping[str, Any],
    person: identify.Person,
    message_id: str,
    at: datetime,
    default_currency: str,
) -> orders.Incoming | None:
    """The order in an `Order Completed`, or the credit note in a refund or cancellation.

    None if there is no order number or there are no products: then it is an event and no more. A
    credit note is an order of its own with negative quantities, since orders never change.
    """
    number = properties.get("order_id")
    products = properties.get("products")
    if isinstance(number, int) and not isinstance(number, bool):
        number = str(number)
    if not number or not products:
        return None
    if not isinstance(number, str) or len(number) > 80:
        raise _wrong("order_id", _("An order number is a text of up to 80 characters."))
    if not isinstance(products, list) or len(products) > LINES_LIMIT:
        raise _wrong("products", _("Give the products as a list of at most 1,000."))
    sign = 1 if kind == ORDER else -1
    lines = [_line(product, index, sign) for index, product in enumerate(products)]
    if kind == ORDER:
        for name, sku, direction in _EXTRAS:
            amount = _money(properties.get(name), name)
            if amount:
                lines.append(orders.Line(sku, direction, amount, name.title()))
    else:
        note = hashlib.blake2b(message_id.encode(), digest_size=4).hexdigest()
        number = f"{number}-{'cancelled' if kind == CANCEL else 'refund'}-{note}"
    text = properties.get("currency")
    currency, fault = values.currency(text if isinstance(text, str) else "")
    if fault or not (text is None or isinstance(text, str)):
        raise _wrong("currency", _("Use a three-letter code such as GBP."))
    return orders.Incoming(
        external_id=number,
        placed_at=at,
        lines=tuple(lines),
        person=person,
        currency=currency or default_currency,
    )


def _line(product: Any, index: int, sign: int) -> orders.Line:
    where = f"products[{index}]"
    if not isinstance(product, dict):
        raise _wrong(where, _("Send a JSON object."))
    sku = stock_code(product)
    if not sku:
        raise _wrong(f"{where}.sku", _("Give each product its sku or product_id, up to 60 signs."))
    quantity = product.get("quantity", 1)
    if isinstance(quantity, bool) or not isinstance(quantity, int | float | str):
        raise _wrong(f"{where}.quantity", _("This must be a whole number."))
    count, fault = values.integer(str(quantity)[:40])
    if fault or count <= 0:
        raise _wrong(f"{where}.quantity", _("This must be a whole number above zero."))
    price = _money(product.get("price"), f"{where}.price") or Decimal(0)
    name = product.get("name")
    line = orders.Line(
        sku, sign * count, price, titles.tidy(name[:300]) if isinstance(name, str) else ""
    )
    if abs(line.total) >= Decimal(10) ** 11:
        raise _wrong(f"{where}.quantity", _("This number is too large."))
    return line


def _money(value: Any, field: str) -> Decimal | None:
    if value is None or value == "":
        return None
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise InvalidOperation
        number = Decimal(str(value)[:40])
        if not number.is_finite() or not 0 <= number <= values.PRICE_MAX:
            raise InvalidOperation
        return number.quantize(_SCALE)
    except InvalidOperation:
        raise _wrong(field, _("This must be an amount of money, such as 12.50.")) from None


def _wrong(field: str, message: str) -> Invalid:
    return Invalid(message, code="bad_order", field=f"properties.{field}")

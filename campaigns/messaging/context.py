"""What a template may say about a batch of people: facts, numbers and picks, in three queries."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zlib import crc32

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from minijinja import safe

from campaigns.messaging import rendering
from ingestion.models import Customer
from marketing.core import brand
from models_ml import queries
from models_ml.models import Traits
from recommendations import serve
from recommendations.offers import keeping

PLACEMENT = "email"
SYMBOLS = {"GBP": "£", "EUR": "€", "USD": "$", "CNY": "¥", "JPY": "¥"}
# Soft paper tones; the initial on them stays above 7:1 in contrast.
TILES = ("#f0d9b8", "#e6c9b4", "#dee0d2", "#cfdcd9", "#e8d3d6", "#d9d6e8", "#f2e3c4", "#d3e0c8")


@dataclass(frozen=True)
class Field:
    """A value that templates may name."""

    name: str
    label: Any
    needs: str = "facts"


FIELDS = (
    Field("first_name", gettext_lazy("First name")),
    Field("last_name", gettext_lazy("Last name")),
    Field("email", gettext_lazy("E-mail address")),
    Field("country", gettext_lazy("Country, two letters")),
    Field("orders", gettext_lazy("Number of orders")),
    Field("revenue", gettext_lazy("Spent so far")),
    Field("last_order_date", gettext_lazy("Day of the last order")),
    Field("days_since_order", gettext_lazy("Days since the last order")),
    Field("products", gettext_lazy("Recommended products, a list"), "picks"),
    Field("offer.name", gettext_lazy("What the newest plan of offers has for them")),
    Field('offers["key"].name', gettext_lazy("What the plan of this key has for them")),
    Field("shop_name", gettext_lazy("Name of the shop"), "house"),
    Field("shop_url", gettext_lazy("Address of the shop"), "house"),
    Field("postal_address", gettext_lazy("Postal address of the shop, one line"), "house"),
    Field("logo_url", gettext_lazy("Address of the logo"), "house"),
    Field("brand_colour", gettext_lazy("Colour of the brand"), "house"),
    Field("unsubscribe_url", gettext_lazy("Unsubscribe link"), "house"),
)
OFFER_PARTS = ("name", "product", "price", "discount", "url", "image_url")
TRAITS = (
    "recency_days", "orders", "units", "revenue", "avg_order_value", "tenure_days",
    "interval_days_mean", "products", "return_rate", "trend", "repeat_90d",
    "r_score", "f_score", "m_score",
)  # fmt: skip
# What happened in a journey; its properties are the shop's own (`occasions`).
HAPPENED = ("event", "waited")
# Said beside the logo by the block that shows it; nobody writes them by hand.
_OF_LOGO = frozenset(["logo_width", "logo_height"])
_KNOWN = _OF_LOGO | frozenset(re.split(r"\W", field.name)[0] for field in FIELDS)
# Marks the reason sentences for translation; recommendations stores the English template.
_FALLBACK_REASON = gettext_noop("Picked for you")


def unknown(wants: Collection[str]) -> list[str]:
    """The names among `wants` that no person has, in order."""
    bad = []
    for name in sorted(wants):
        root, _dot, part = name.partition(".")
        if root == "traits":
            if part not in TRAITS:
                bad.append(name)
        elif root == "offer":
            if part and part not in OFFER_PARTS:
                bad.append(name)
        elif root == "offers":
            plan, _dot, leaf = part.partition(".")
            if not plan or (leaf and leaf not in OFFER_PARTS):
                bad.append(name)
        elif root in HAPPENED:
            if not part:
                bad.append(name)
        elif root not in _KNOWN or (part and root != "products"):
            bad.append(name)
    return bad


def plans(wants: Collection[str]) -> set[str]:
    """The keys of the plans of offers that are named among `wants`."""
    parts = (name.split(".") for name in wants)
    return {one[1] for one in parts if one[0] == "offers" and len(one) > 1}


def gone(wants: Collection[str]) -> list[str]:
    """Those of them that there are not, or are no longer. Their offers are empty for everybody."""
    named = plans(wants)
    return sorted(named - set(keeping.titles())) if named else []


def money(amount: Decimal | None, currency: str) -> str:
    """An amount as mails show it: £4.25, or 4.25 SEK without a sign for the currency."""
    if amount is None:
        return ""
    sign = SYMBOLS.get(currency)
    return f"{sign}{amount:,.2f}" if sign else f"{amount:,.2f} {currency}"


def product(pick: Any) -> dict[str, Any]:
    """A pick as templates see it."""
    name = pick.name or pick.sku
    return {
        "name": name,
        "sku": pick.sku,
        "price": money(pick.price, pick.currency),
        "reason": str(pick.reason) if pick.reason else _(_FALLBACK_REASON),
        "url": getattr(pick, "url", "") or "",
        "image_url": pick.image_url or "",
        "initial": next((c.upper() for c in name if c.isalnum()), "•"),
        "colour": TILES[crc32(pick.sku.encode()) % len(TILES)],
    }


def offer(given: keeping.Given) -> dict[str, Any]:
    """An offer as templates see it; what it has not is left out."""
    product = given.product or {}
    price = product.get("price")
    if given.discount:
        less = money(Decimal(str(given.discount)), given.currency)
    else:
        less = f"{given.discount_percent:g}%" if given.discount_percent else ""
    return {
        "name": given.name,
        "product": product.get("name", ""),
        "price": money(Decimal(price), product["currency"]) if price else "",
        "discount": less,
        "url": product.get("url", ""),
        "image_url": product.get("image_url", ""),
    }


def _facts(ids: Sequence[int], now: datetime) -> dict[int, dict[str, Any]]:
    columns = (
        "id", "first_name", "last_name", "email", "country", "language",
        "rollup__orders", "rollup__revenue", "rollup__last_order_at",
    )  # fmt: skip
    people: dict[int, dict[str, Any]] = {}
    currency = brand.now().currency
    rows = Customer.objects.filter(id__in=ids).values_list(*columns)
    for key, first, last, email, country, language, orders, revenue, last_order in rows:
        people[key] = {
            "first_name": first,
            "last_name": last,
            "email": email,
            "country": country,
            "_language": language,
            "orders": orders or 0,
            "revenue": money(revenue or Decimal(0), currency),
            "last_order_date": f"{last_order:%-d %B %Y}" if last_order else None,
            "days_since_order": max((now - last_order).days, 0) if last_order else None,
        }
    return people


def _house() -> dict[str, Any]:
    """What is the same in every mail."""
    said = brand.now()
    return {
        "shop_name": said.name,
        "shop_url": said.site_url,
        "postal_address": said.postal_line,
        "brand_colour": said.color,
        "logo_url": safe(said.logo_url),  # our own address: escaping would change its slashes only
        "logo_width": said.logo_width,
        "logo_height": said.logo_height,
    }


def build(*, customer_ids: Sequence[int], wants: Collection[str]) -> dict[int, dict[str, Any]]:
    """Values per person for the names in `wants`; ready for `Compiled.render`.

    Picks and traits are asked for only when the template names them. A person who is gone by now
    is not in the answer.
    """
    roots = {name.partition(".")[0] for name in wants}
    # Days count back from the moment the stored numbers describe, as they do in segments.
    now = queries.as_of() if "days_since_order" in roots else timezone.now()
    people = _facts(customer_ids, now)
    if "traits" in roots:
        for row in Traits.objects.filter(customer_id__in=customer_ids).values(
            "customer_id", *TRAITS
        ):
            if person := people.get(row.pop("customer_id")):
                person["traits"] = {
                    name: float(value) if isinstance(value, Decimal) else value
                    for name, value in row.items()
                }
    if "products" in roots:
        picks: Mapping[int, Any] = serve.for_customers(list(people), PLACEMENT)
        for key, person in people.items():
            person["products"] = [product(pick) for pick in picks.get(key, ())]
    named = plans(wants)
    if "offer" in roots or named:
        only = () if "offer" in roots else named
        for key, given in keeping.of_people(list(people), plans=only).items():
            people[key]["offer"] = offer(given[0])
            people[key]["offers"] = {one.plan: offer(one) for one in given if one.plan in named}
    house = _house()
    cleaned = {}
    for key, person in people.items():
        values = rendering.clean(person)
        values.update(house)
        values.setdefault("traits", {})
        values.setdefault("products", [])
        values.setdefault("offer", {})
        values["offers"] = {plan: {} for plan in named} | values.get("offers", {})
        values.update({root: {} for root in HAPPENED if root in roots})
        cleaned[key] = values
    return cleaned

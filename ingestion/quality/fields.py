"""The columns whose quality is looked at, and in SQL what is wrong with a row.

Everything here is written by us and goes into SQL as it is; what people type never does.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pycountry
from django.utils.translation import gettext_lazy as _

COMPLETE, VALID, UNIQUE = "completeness", "validity", "uniqueness"
FRESH, CONSISTENT, VOLUME = "freshness", "consistency", "volume"
DIMENSIONS: dict[str, Any] = {
    COMPLETE: _("Complete"),
    VALID: _("Valid"),
    UNIQUE: _("Unique"),
    FRESH: _("Fresh"),
    CONSISTENT: _("Consistent"),
    VOLUME: _("Usual volume"),
}
MEANINGS: dict[str, Any] = {
    COMPLETE: _("Fields that are used have a value"),
    VALID: _("Values have the form they should have"),
    UNIQUE: _("Nothing is there twice"),
    FRESH: _("Every source has sent when it usually sends"),
    CONSISTENT: _("Rows that belong together fit together"),
    VOLUME: _("As many rows a day as on the same weekday before"),
}
EVENTS = "events:"
IMPORTS = "imports"

EMAIL = r"^[^@\s]+@[^@\s]+\.[^@\s.]{2,}$"
PHONE = r"^\+[1-9][0-9]{6,14}$"
CURRENCY = r"^[A-Z]{3}$"
URL = r"^https?://[^\s/]+\.[^\s]+$"
# Not longer than what a double holds: a cast of more would be an error of the whole query.
NUMBER = r"^[+-]?([0-9]{1,100}\.?[0-9]{0,100}|\.[0-9]{1,100})([eE][+-]?[0-9]{1,2})?$"
# What a value may be asked to look like; the regular expressions are PostgreSQL's.
SHAPES: dict[str, tuple[Any, str]] = {
    "email": (_("an e-mail address"), EMAIL),
    "phone": (_("a phone number such as +442079460958"), PHONE),
    "currency": (_("a currency such as EUR"), CURRENCY),
    "url": (_("a web address"), URL),
    "number": (_("a number"), NUMBER),
    "country": (_("a country code such as GB"), ""),
}


@dataclass(frozen=True, slots=True)
class Check:
    """Something that may be wrong with a row, among the rows for which it can be asked."""

    dimension: str
    field: str
    bad: str
    applies: str = "true"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its label, whether it is empty, and its text."""

    label: Any
    empty: str
    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table as `t`, its fields and its checks. `source` is the SQL of a row's source."""

    label: Any
    table: str
    columns: dict[str, Column]
    checks: tuple[Check, ...]
    source: str = ""
    joins: str = ""
    at: str = ""
    page: str = ""


COUNTRIES = "/* codes */"


@lru_cache(maxsize=1)
def country_codes() -> str:
    """Two-letter codes of countries as a SQL list."""
    return ", ".join(sorted(f"'{country.alpha_2}'" for country in pycountry.countries))


def _text(name: str, label: Any) -> Column:
    return Column(label, f"coalesce(t.{name}, '') = ''", f"t.{name}")


def _null(name: str, label: Any) -> Column:
    return Column(label, f"t.{name} IS NULL", f"t.{name}::text")


def _complete(columns: dict[str, Column], names: str) -> tuple[Check, ...]:
    return tuple(Check(COMPLETE, name, columns[name].empty) for name in names.split())


_CUSTOMERS = {
    "email": _text("email", _("E-mail")),
    "phone": _text("phone", _("Phone")),
    "first_name": _text("first_name", _("First name")),
    "last_name": _text("last_name", _("Last name")),
    "country": _text("country", _("Country")),
    "language": _text("language", _("Language")),
    "external_id": _text("external_id", _("Customer number")),
}
_PRODUCTS = {
    "name": _text("name", _("Name")),
    "category": _text("category", _("Category")),
    "price": _null("price", _("Price")),
    "url": _text("url", _("Web address")),
    "image_url": _text("image_url", _("Picture")),
    "stock": _null("stock", _("Stock")),
    "currency": _text("currency", _("Currency")),
    "sku": _text("sku", _("Product code")),
}
_ORDERS = {
    "customer": _null("customer_id", _("Person")),
    "country": _text("country", _("Country")),
    "currency": _text("currency", _("Currency")),
    "total": _null("total", _("Total")),
    "placed_at": _null("placed_at", _("Time of the order")),
    "external_id": _text("external_id", _("Order number")),
}
_LINES = {
    "product": _null("product_id", _("Product")),
    "quantity": _null("quantity", _("Quantity")),
    "unit_price": _null("unit_price", _("Price")),
    "total": _null("total", _("Total")),
    "description": _text("description", _("Description")),
    "returns": Column(
        _("The order that is returned"), "t.cancels_id IS NULL", "t.cancels_id::text"
    ),
}

TABLES: dict[str, Table] = {
    "customers": Table(
        _("People"),
        "ingestion_customer",
        _CUSTOMERS,
        (
            *_complete(_CUSTOMERS, "email phone first_name last_name country language external_id"),
            Check(VALID, "email", f"t.email !~ '{EMAIL}'", "t.email IS NOT NULL"),
            Check(VALID, "phone", f"t.phone !~ '{PHONE}'", "t.phone <> ''"),
            Check(VALID, "country", f"t.country NOT IN ({COUNTRIES})", "t.country <> ''"),
        ),
        source="s.source",
        joins=(
            " LEFT JOIN (SELECT customer_id, min(source) AS source FROM ingestion_identity"
            " GROUP BY 1) s ON s.customer_id = t.id"
        ),
        at="t.created_at",
        page="customer",
    ),
    "products": Table(
        _("Products"),
        "ingestion_product",
        _PRODUCTS,
        (
            *_complete(_PRODUCTS, "name category price url image_url stock"),
            Check(VALID, "price", "t.price < 0", "t.price IS NOT NULL"),
            Check(VALID, "currency", f"t.currency !~ '{CURRENCY}'"),
            Check(VALID, "url", f"t.url !~ '{URL}'", "t.url <> ''"),
        ),
        at="t.created_at",
    ),
    "orders": Table(
        _("Orders"),
        "ingestion_order",
        _ORDERS,
        (
            *_complete(_ORDERS, "customer country"),
            Check(VALID, "placed_at", "t.placed_at > now() + interval '1 day'"),
            Check(VALID, "currency", f"t.currency !~ '{CURRENCY}'"),
            Check(VALID, "country", f"t.country NOT IN ({COUNTRIES})", "t.country <> ''"),
        ),
        source="s.name",
        joins=" LEFT JOIN ingestion_source s ON s.id = t.source_id",
        at="t.placed_at",
    ),
    "lines": Table(
        _("Order lines"),
        "ingestion_orderline",
        _LINES,
        (
            Check(COMPLETE, "description", _LINES["description"].empty),
            Check(VALID, "quantity", "t.quantity = 0 OR t.outlier"),
            Check(VALID, "unit_price", "t.unit_price < 0", "t.kind = 'product'"),
            Check(CONSISTENT, "product", "t.product_id IS NULL", "t.kind = 'product'"),
            Check(CONSISTENT, "returns", "t.cancels_id IS NULL", "t.kind = 'return'"),
        ),
        at="t.placed_at",
    ),
}


def subject_label(subject: str) -> str:
    """A subject in words: the table's name, or the event's."""
    if subject.startswith(EVENTS):
        return subject.removeprefix(EVENTS)
    if subject in (IMPORTS, "events"):
        return str(_("Imports") if subject == IMPORTS else _("Events"))
    return str(TABLES[subject].label) if subject in TABLES else subject


def field_label(subject: str, field: str) -> str:
    """A field in words; an event's property goes by its own name."""
    table = TABLES.get(subject)
    if table and field in table.columns:
        return str(table.columns[field].label)
    return field


def known(*, subject: str, field: str) -> bool:
    """Whether this is something that can be measured."""
    if subject.startswith(EVENTS):
        return 0 < len(subject) - len(EVENTS) <= 100
    table = TABLES.get(subject)
    return table is not None and (not field or field in table.columns)

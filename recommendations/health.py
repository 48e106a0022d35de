"""How fit the catalogue is to be recommended: what is missing, and what is never shown."""

from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

EXAMPLES = 8

_GOODS = "p.active AND p.is_goods"
_SHELF = f"{_GOODS} AND (p.stock IS NULL OR p.stock > 0)"
_SERVED = """EXISTS (SELECT FROM shown s WHERE s.product_id = p.id)"""
# key → (what is wrong, what it means, condition)
CHECKS: dict[str, tuple[str | Promise, str | Promise, str]] = {
    "picture": (
        _("No picture"),
        _("Shown as a tile with its first letters."),
        f"{_GOODS} AND p.image_url = ''",
    ),
    "price": (
        _("No price"),
        _("Rules about prices leave it out."),
        f"{_GOODS} AND p.price IS NULL",
    ),
    "category": (
        _("No category"),
        _("No cap counts it, and it is in no list of what is popular in a category."),
        f"{_GOODS} AND p.category = ''",
    ),
    "address": (
        _("No address"),
        _("Nobody can click it."),
        f"{_GOODS} AND p.url = ''",
    ),
    "links": (
        _("Goes with nothing"),
        _("Too few orders and visits have it, so its page shows what is popular."),
        f"{_SHELF} AND NOT EXISTS (SELECT FROM recommendations_productlink l"
        " WHERE l.product_id = p.id AND l.kind <> 'new')",
    ),
    "never": (
        _("Never chosen"),
        _("In no stored picks of anybody: new, rare, or kept out by rules."),
        f"{_SHELF} AND NOT {_SERVED}",
    ),
    "sold_out": (
        _("Chosen, but sold out"),
        _("Left out when shown; choose products again to fill its places."),
        f"{_GOODS} AND p.stock <= 0 AND {_SERVED}",
    ),
}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, with how many products have it and a few of them."""

    key: str
    title: str
    meaning: str
    count: int
    share: float
    examples: list[tuple[int, str, str]]


def findings() -> tuple[int, list[Finding]]:
    """Goods on sale, and everything that is wrong with them, the most common first."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM ingestion_product p WHERE {_GOODS}")
        goods = int(cursor.fetchone()[0])
        columns = ", ".join(
            f"count(*) FILTER (WHERE {condition}),"
            f" (array_agg(p.id ORDER BY p.id) FILTER (WHERE {condition}))[1:{EXAMPLES}]"
            for _title, _meaning, condition in CHECKS.values()
        )
        # Distinct products by a walk along the sets, which is as fast as the table is large.
        cursor.execute(
            "WITH shown AS MATERIALIZED (SELECT DISTINCT unnest(r.products) AS product_id"
            " FROM recommendations_picklist r"
            " JOIN recommendations_recommendationset t ON t.id = r.set_id"
            f" WHERE t.state = 'complete') SELECT {columns} FROM ingestion_product p"
        )
        row: tuple[Any, ...] = cursor.fetchone()
        ids = [key for found in row[1::2] for key in found or ()]
        cursor.execute("SELECT id, sku, name FROM ingestion_product WHERE id = ANY(%s)", [ids])
        names = {key: (key, sku, name or sku) for key, sku, name in cursor.fetchall()}
    made = [
        Finding(
            key,
            str(title),
            str(meaning),
            row[2 * n],
            row[2 * n] / goods if goods else 0.0,
            [names[one] for one in row[2 * n + 1] or () if one in names],
        )
        for n, (key, (title, meaning, _condition)) in enumerate(CHECKS.items())
    ]
    return goods, sorted(made, key=lambda one: -one.count)

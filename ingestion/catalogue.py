"""Products: what can be bought, one row per code."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from decimal import Decimal

from django.db import connection

from ingestion.preprocess import codes


@dataclass(frozen=True)
class Item:
    """A product as somebody tells it. Empty texts and None leave what is known as it is."""

    sku: str
    name: str = ""
    category: str = ""
    price: Decimal | float | None = None
    currency: str = ""
    url: str = ""
    image_url: str = ""
    stock: int | None = None
    active: bool = True


_TYPES = {"price": "numeric", "stock": "int", "active": "boolean"}


def upsert(*, items: Sequence[Item], now: datetime) -> dict[str, int]:
    """Add products or change those known by code; {sku: id} of the rows that were new or changed.

    Of several items with one code the last counts.
    """
    rows = list({item.sku: asdict(item) for item in items}.values())
    if not rows:
        return {}
    names = [field.name for field in fields(Item)]
    casts = ", ".join(f"%s::{_TYPES.get(name, 'text')}[]" for name in names)
    keeps = {
        name: f"coalesce(excluded.{name}, p.{name})"
        if name in ("price", "stock")
        else f"excluded.{name}"
        if name == "active"
        else f"coalesce(nullif(excluded.{name}, ''), p.{name})"
        for name in names[1:]
    }
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO ingestion_product AS p ({', '.join(names)}, is_goods, attributes,"
            " created_at)"
            f" SELECT *, '{{}}', %s::timestamptz FROM unnest({casts}, %s::boolean[])"
            " ORDER BY 1"
            " ON CONFLICT (sku) DO UPDATE SET "
            + ", ".join(f"{name} = {value}" for name, value in keeps.items())
            + ", is_goods = excluded.is_goods AND (p.is_goods OR excluded.name <> '') WHERE ("
            + ", ".join(f"p.{name}" for name in keeps)
            + ") IS DISTINCT FROM ("
            + ", ".join(keeps.values())
            + ") RETURNING sku, id",
            [
                now,
                *([row[name] for row in rows] for name in names),
                [codes.is_goods(row["sku"], row["name"]) for row in rows],
            ],
        )
        return dict(cursor.fetchall())


def retire(*, skus: Sequence[str]) -> int:
    """Take products off sale; how many were on sale before."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ingestion_product SET active = false WHERE sku = ANY(%s) AND active",
            [list(skus)],
        )
        return cursor.rowcount

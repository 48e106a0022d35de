"""Orders that arrive one by one or in small batches: stored whole and once each, set-based.

Files go through `imports`; this is the way in for the API and for connectors.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import orjson
from django.db import connection, transaction

from ingestion import rollups
from ingestion.identity import identify
from ingestion.identity.identify import Found
from ingestion.models import Source
from ingestion.preprocess import codes, titles

STORED, DUPLICATE, CONFLICT = "stored", "duplicate", "conflict"
_CENT = Decimal("0.01")


@dataclass(frozen=True)
class Line:
    """One line. A negative quantity is a return."""

    sku: str
    quantity: int
    unit_price: Decimal
    description: str = ""

    @property
    def total(self) -> Decimal:
        return (self.quantity * self.unit_price).quantize(_CENT, ROUND_HALF_UP)

    @property
    def kind(self) -> str:
        if not codes.is_goods(self.sku, self.description):
            return "fee"
        if self.unit_price == 0:
            return "adjustment"
        return "return" if self.quantity < 0 else "product"


@dataclass(frozen=True)
class Incoming:
    """One order as a caller gives it. Nobody named: a guest order."""

    external_id: str
    placed_at: datetime
    lines: tuple[Line, ...]
    person: identify.Person = field(default_factory=identify.Person)
    currency: str = "GBP"
    country: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)


def record(*, batch: Sequence[Incoming], source: str, now: datetime) -> list[str]:
    """Store orders, once each; an outcome per order.

    An order number that is known is a duplicate if its lines are the same, else a conflict; neither
    changes what is stored.
    """
    if not batch:
        return []
    with transaction.atomic():
        origin, _made = Source.objects.get_or_create(
            name=source, defaults={"kind": "api", "created_at": now}
        )
        first: dict[str, int] = {}
        for index, order in enumerate(batch):
            first.setdefault(order.external_id, index)
        chosen = [batch[index] for index in first.values()]
        found = identify.locate(people=[order.person for order in chosen], source=source, now=now)
        ids = [one.customer_id for one in found]
        made = _insert_orders(chosen, found, origin)
        fresh = [
            (o, made[o.external_id], i)
            for o, i in zip(chosen, ids, strict=True)
            if o.external_id in made
        ]
        if fresh:
            _insert_lines(fresh, _products([order for order, _, _ in fresh], now))
            rollups.refresh(customer_ids=sorted({i for _, _, i in fresh if i is not None}))
        known = _known_lines(
            origin, [order.external_id for order in chosen if order.external_id not in made]
        )
        outcomes = []
        for index, order in enumerate(batch):
            if order.external_id in made and first[order.external_id] == index:
                outcomes.append(STORED)
                continue
            before = known.get(order.external_id) or _lines_of(batch[first[order.external_id]])
            outcomes.append(DUPLICATE if before == _lines_of(order) else CONFLICT)
    return outcomes


def _lines_of(order: Incoming) -> list[tuple[str, int, Decimal]]:
    return [
        (line.sku, line.quantity, line.unit_price.quantize(Decimal("0.0001")))
        for line in order.lines
    ]


def _known_lines(source: Source, numbers: list[str]) -> dict[str, list[tuple[str, int, Decimal]]]:
    found: dict[str, list[tuple[str, int, Decimal]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT o.external_id, l.sku, l.quantity, l.unit_price FROM ingestion_order o"
            " JOIN ingestion_orderline l ON l.order_id = o.id"
            " WHERE o.source_id = %s AND o.external_id = ANY(%s) ORDER BY l.order_id, l.line_no",
            [source.pk, numbers],
        )
        for number, *line in cursor.fetchall():
            found.setdefault(number, []).append(tuple(line))
    return found


def _insert_orders(batch: list[Incoming], found: list[Found], source: Source) -> dict[str, int]:
    """Insert those whose number is new; {external id: our id} of these."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ingestion_order (source_id, external_id, customer_id, identity_id,"
            " placed_at, currency, total, country, status, attributes)"
            " SELECT %s, number, customer_id, identity_id, placed_at, currency, total, country,"
            " CASE WHEN returned THEN 'cancelled' ELSE 'placed' END, attributes"
            " FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::timestamptz[], %s::text[],"
            " %s::numeric[], %s::text[], %s::boolean[], %s::jsonb[])"
            " AS n (number, customer_id, identity_id, placed_at, currency, total, country,"
            " returned, attributes)"
            " ON CONFLICT (source_id, external_id) DO NOTHING RETURNING external_id, id",
            [
                source.pk,
                [order.external_id for order in batch],
                [one.customer_id for one in found],
                [one.identity_id for one in found],
                [order.placed_at for order in batch],
                [order.currency for order in batch],
                [sum((line.total for line in order.lines), Decimal(0)) for order in batch],
                [order.country for order in batch],
                [all(line.quantity < 0 for line in order.lines) for order in batch],
                [orjson.dumps(dict(order.attributes)).decode() for order in batch],
            ],
        )
        return dict(cursor.fetchall())


def _products(batch: list[Incoming], now: datetime) -> dict[str, int]:
    """The products of the lines; codes never seen become products with what the line says."""
    lines = {
        line.sku: (line, order.currency)
        for order in batch
        for line in order.lines
        if line.kind in ("product", "return")
    }
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ingestion_product (sku, name, category, price, currency, url, image_url,"
            " active, is_goods, attributes, created_at)"
            " SELECT sku, name, '', price, currency, '', '', true, true, '{}', %s"
            " FROM unnest(%s::text[], %s::text[], %s::numeric[], %s::text[])"
            " AS n (sku, name, price, currency) ON CONFLICT (sku) DO NOTHING",
            [
                now,
                list(lines),
                [titles.sentence_case(line.description) for line, _ in lines.values()],
                [line.unit_price for line, _ in lines.values()],
                [currency for _, currency in lines.values()],
            ],
        )
        cursor.execute("SELECT sku, id FROM ingestion_product WHERE sku = ANY(%s)", [list(lines)])
        return dict(cursor.fetchall())


def _insert_lines(orders: list[tuple[Incoming, int, int | None]], products: dict[str, int]) -> None:
    rows = [
        (
            order_id,
            number,
            customer,
            products.get(line.sku),
            order.placed_at,
            line.sku,
            line.description,
            line.quantity,
            line.unit_price,
            line.total,
            line.kind,
        )
        for order, order_id, customer in orders
        for number, line in enumerate(order.lines, 1)
    ]
    types = (
        "bigint",
        "int",
        "bigint",
        "bigint",
        "timestamptz",
        "text",
        "text",
        "int",
        "numeric",
        "numeric",
        "text",
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ingestion_orderline (order_id, line_no, customer_id, product_id,"
            " placed_at, sku, description, quantity, unit_price, total, kind, outlier)"
            f" SELECT *, false FROM unnest({', '.join(f'%s::{t}[]' for t in types)})",
            [list(column) for column in zip(*rows, strict=True)],
        )

"""One chunk of clean order lines → customers, products, orders and lines.

Lines of orders that this transaction has just made cannot be there yet, so they go into the table
by COPY. Lines of orders that were there before go by way of a staging table, where those already
stored are found by their content: that is what makes a second run of a file change nothing.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from ingestion.identity import identify
from ingestion.imports.outcome import Stored
from ingestion.models import ImportJob, Source
from ingestion.preprocess import orders, titles
from ingestion.preprocess.columns import Ints, escape
from ingestion.preprocess.orders import KIND_NAMES, PRODUCT, RETURN, Clean
from marketing.core.db import copy_rows

LINE_COLUMNS = (
    "order_id",
    "customer_id",
    "placed_at",
    "product_id",
    "sku",
    "description",
    "line_no",
    "quantity",
    "unit_price",
    "total",
    "kind",
    "outlier",
)
_STAGING = """
CREATE TEMP TABLE IF NOT EXISTS import_lines (
    order_id bigint, customer_id bigint, placed_at timestamptz, product_id bigint, sku text,
    description text, line_no int, quantity int, unit_price numeric(12,4), total numeric(14,2),
    kind text, outlier boolean
) ON COMMIT DELETE ROWS
"""
_FROM_STAGING = f"""
WITH fresh AS (
    INSERT INTO ingestion_orderline ({", ".join(LINE_COLUMNS)})
    SELECT n.order_id, o.customer_id, n.placed_at, n.product_id, n.sku, n.description,
           last.line_no + row_number() OVER (PARTITION BY n.order_id ORDER BY n.line_no),
           n.quantity, n.unit_price, n.total, n.kind, n.outlier
    FROM import_lines n
    JOIN ingestion_order o ON o.id = n.order_id
    CROSS JOIN LATERAL (
        SELECT coalesce(max(line_no), 0) AS line_no FROM ingestion_orderline e
        WHERE e.order_id = n.order_id
    ) last
    WHERE NOT EXISTS (
        SELECT 1 FROM ingestion_orderline e
        WHERE e.order_id = n.order_id AND e.sku = n.sku AND e.quantity = n.quantity
          AND e.unit_price = n.unit_price AND e.description = n.description
          AND e.placed_at = n.placed_at
    )
    ON CONFLICT (order_id, line_no) DO NOTHING
    RETURNING order_id, total
), added AS (SELECT order_id, sum(total) AS total, count(*) AS lines FROM fresh GROUP BY order_id)
UPDATE ingestion_order o SET total = o.total + added.total FROM added WHERE o.id = added.order_id
RETURNING added.lines
"""


clean = orders.clean


def options(chosen: Mapping[str, Any], now: datetime) -> orders.Options:
    """The reading options of an import as the pure side takes them."""
    return orders.Options(
        timezone=chosen["timezone"],
        date_style=chosen["date_style"],
        decimal=chosen["decimal"],
        currency=chosen["currency"],
        now=now,
        cancel_prefix=chosen.get("cancel_prefix", "C"),
    )


def store_chunk(*, clean: Clean, record: ImportJob, now: datetime) -> Stored:
    """Store one chunk inside the caller's transaction."""
    source = record.source
    if not len(clean):
        return Stored()
    people = [
        identify.Person(
            external_id=p.external_id,
            email=p.email,
            phone=p.phone,
            first_name=p.first_name,
            last_name=p.last_name,
            country=p.country,
        )
        for p in clean.people
    ]
    found = identify.locate(people=people, source=source.name, now=now, is_demo=source.is_demo)
    ids = [one.customer_id for one in found]
    known = [(i, person) for i, person in zip(ids, people, strict=True) if i is not None]
    identify.enrich(people=known, now=now, overwrite=False)
    customer_of_order = [ids[i] if i >= 0 else None for i in clean.person_of_order.tolist()]
    products = _products(clean, now)
    names = [found[i].identity_id if i >= 0 else None for i in clean.person_of_order.tolist()]
    order_ids, is_new = _orders(clean, source, customer_of_order, names)
    lines = _Lines(clean, order_ids, customer_of_order, products)
    new_rows = is_new[clean.order_of]
    with connection.cursor() as cursor:
        fresh = np.flatnonzero(new_rows)
        if len(fresh):
            copy_rows(cursor, "ingestion_orderline", LINE_COLUMNS, lines.text(fresh))
        old = np.flatnonzero(~new_rows)
        added = 0
        if len(old):
            cursor.execute(_STAGING)
            cursor.execute("TRUNCATE import_lines")
            copy_rows(cursor, "import_lines", LINE_COLUMNS, lines.text(old))
            cursor.execute(_FROM_STAGING)
            added = sum(row[0] for row in cursor.fetchall())
    return Stored(len(fresh) + added, len(old) - added, sorted({i for i, _ in known}))


def _products(clean: Clean, now: datetime) -> list[int | None]:
    """The product id of each code; None for fees and for codes that were never sold."""
    sold = (clean.kind == PRODUCT) | (clean.kind == RETURN)
    skus = np.unique(clean.sku_of[sold & clean.goods[clean.sku_of]]).tolist()
    names = _commonest(clean.sku_of[sold], clean.text_of[sold], clean.texts)
    prices = _commonest_price(clean.sku_of[sold], clean.price[sold])
    currency = Counter(clean.order_currency).most_common(1)[0][0]
    with connection.cursor() as cursor:
        if skus:
            cursor.execute(
                "INSERT INTO ingestion_product (sku, name, category, price, currency, url,"
                " image_url, active, is_goods, attributes, created_at)"
                " SELECT sku, name, '', price, %s, '', '', true, true, '{}', %s"
                " FROM unnest(%s::text[], %s::text[], %s::numeric[]) AS n (sku, name, price)"
                " ORDER BY sku ON CONFLICT (sku) DO NOTHING",
                [
                    currency,
                    now,
                    [clean.skus[i] for i in skus],
                    [names.get(i, "") for i in skus],
                    [prices[i] / 10_000 for i in skus],
                ],
            )
        cursor.execute(
            "SELECT sku, id FROM ingestion_product JOIN unnest(%s::text[]) AS n (sku) USING (sku)",
            [clean.skus],
        )
        found: dict[str, int] = dict(cursor.fetchall())
    return [
        found.get(sku) if goods else None
        for sku, goods in zip(clean.skus, clean.goods.tolist(), strict=True)
    ]


def _commonest(sku_of: Ints, text_of: Ints, texts: list[str]) -> dict[int, str]:
    """Per code its most frequent description that reads like a name, in sentence case."""
    if not len(sku_of):
        return {}
    pairs, counts = np.unique(sku_of * len(texts) + text_of, return_counts=True)
    best: dict[int, tuple[int, str]] = {}
    for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
        sku, text = divmod(pair, len(texts))
        if not titles.is_note(texts[text]) and count > best.get(sku, (0, ""))[0]:
            best[sku] = (count, texts[text])
    return {sku: titles.sentence_case(text) for sku, (_, text) in best.items()}


def _commonest_price(sku_of: Ints, price: Ints) -> dict[int, int]:
    """Per code its most frequent price above zero, in ten-thousandths; the lower of equals."""
    best: dict[int, tuple[int, int]] = {}
    pairs, counts = np.unique(np.stack([sku_of, price]), axis=1, return_counts=True)
    for sku, value, count in zip(*pairs.tolist(), counts.tolist(), strict=True):
        if count > best.get(sku, (0, 0))[0]:
            best[sku] = (count, value)
    return {sku: value for sku, (_, value) in best.items()}


def _orders(
    clean: Clean, source: Source, customers: list[int | None], names: list[int | None]
) -> tuple[list[int], NDArray[np.bool_]]:
    """The id of each order of the chunk, and whether this transaction made it."""
    cents = np.zeros(len(clean.orders), np.int64)
    np.add.at(cents, clean.order_of, clean.cents)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ingestion_order (source_id, external_id, customer_id, identity_id,"
            " placed_at, currency, total, status, country, attributes)"
            " SELECT %s, number, customer_id, identity_id, placed_at, currency, cents / 100.0,"
            " CASE WHEN cancelled THEN 'cancelled' ELSE 'placed' END, country, '{}'"
            " FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::timestamptz[], %s::text[],"
            " %s::bigint[], %s::boolean[], %s::text[])"
            " AS n (number, customer_id, identity_id, placed_at, currency, cents, cancelled,"
            " country)"
            " ON CONFLICT (source_id, external_id) DO NOTHING RETURNING external_id, id",
            [
                source.pk,
                clean.orders,
                customers,
                names,
                clean.order_placed,
                clean.order_currency,
                cents.tolist(),
                clean.order_cancelled.tolist(),
                clean.order_country,
            ],
        )
        made: dict[str, int] = dict(cursor.fetchall())
        missing = [number for number in clean.orders if number not in made]
        found: dict[str, int] = {}
        if missing:
            cursor.execute(
                "SELECT external_id, id FROM ingestion_order WHERE source_id = %s"
                " AND external_id = ANY(%s) ORDER BY external_id FOR UPDATE",
                [source.pk, missing],
            )
            found = dict(cursor.fetchall())
    ids = [made.get(number) or found[number] for number in clean.orders]
    return ids, np.array([number in made for number in clean.orders], bool)


class _Lines:
    """Rows of a chunk as COPY text. Each distinct thing is put into words once."""

    def __init__(
        self,
        clean: Clean,
        order_ids: list[int],
        customers: list[int | None],
        products: list[int | None],
    ) -> None:
        self.clean = clean
        self.order = _words([f"{i}\t{_null(c)}" for i, c in zip(order_ids, customers, strict=True)])
        self.placed = _words([moment.astimezone(UTC).isoformat() for moment in clean.placed])
        self.sku = _words(
            [f"{_null(p)}\t{escape(sku)}" for p, sku in zip(products, clean.skus, strict=True)]
        )
        self.text_ = _words([escape(text) for text in clean.texts])
        self.kind = _words([f"{name}\tf" for name in KIND_NAMES])
        self.number = line_numbers(clean.order_of)

    def text(self, rows: Ints) -> list[bytes]:
        """The chosen rows, ready for COPY."""
        clean = self.clean
        columns: list[list[Any]] = [
            self.order[clean.order_of[rows]].tolist(),
            self.placed[clean.placed_of[rows]].tolist(),
            self.sku[clean.sku_of[rows]].tolist(),
            self.text_[clean.text_of[rows]].tolist(),
            _spelled(self.number[rows], str),
            _spelled(clean.quantity[rows], str),
            _spelled(clean.price[rows], lambda v: f"{v // 10_000}.{v % 10_000:04d}"),
            _spelled(clean.cents[rows], cents_text),
            self.kind[clean.kind[rows]].tolist(),
        ]
        return ["\n".join(map("\t".join, zip(*columns, strict=True))).encode() + b"\n"]


def line_numbers(order_of: Ints) -> Ints:
    """Position of each row within its order, from 1, in the order of the file."""
    by_order = np.argsort(order_of, kind="stable")
    ordered = order_of[by_order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    lengths = np.diff(np.concatenate([starts, [len(ordered)]]))
    out = np.empty(len(order_of), np.int64)
    out[by_order] = np.arange(len(ordered)) - np.repeat(starts, lengths) + 1
    return out


def cents_text(cents: int) -> str:
    """Cents as a decimal text: -150 → -1.50."""
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02d}"


def _null(value: int | None) -> str:
    return "\\N" if value is None else str(value)


def _words(texts: list[str]) -> NDArray[Any]:
    out = np.empty(len(texts), dtype=object)
    out[:] = texts
    return out


def _spelled(values: Ints, spell: Any) -> list[Any]:
    """Numbers as texts, each distinct number spelled once."""
    distinct, index = np.unique(values, return_inverse=True)
    return _words([spell(v) for v in distinct.tolist()])[index].tolist()

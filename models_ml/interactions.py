"""Facts → who bought what, when, as of a moment, and what was known of products and people then."""

import io
from datetime import datetime
from typing import Any

import numpy as np
from django.db import connection, transaction
from django.utils.module_loading import import_string

from models_ml.algorithms.data import Interactions

# Goods that a known person bought and had not sent back in full by the moment asked about.
_LINES = """
COPY (
    SELECT l.customer_id::int8, l.product_id::int8, extract(epoch FROM l.placed_at)::int8
    FROM ingestion_orderline AS l
    JOIN ingestion_product AS p ON p.id = l.product_id AND p.is_goods
    LEFT JOIN (
        SELECT cancels_id, sum(abs(quantity)) AS returned
        FROM ingestion_orderline
        WHERE cancels_id IS NOT NULL AND placed_at < %(as_of)s
        GROUP BY cancels_id
    ) AS back ON back.cancels_id = l.id
    WHERE l.kind = 'product' AND l.quantity > 0 AND l.customer_id IS NOT NULL
      AND l.placed_at < %(as_of)s AND coalesce(back.returned, 0) < l.quantity
) TO STDOUT (FORMAT binary)
"""
# COPY's binary form: a header of 19 bytes, rows of fixed width (no column is null), a trailer of 2.
_HEADER, _TRAILER = 19, 2
_ROW = np.dtype(
    [("fields", ">i2")]
    + [
        field
        for name in ("user", "item", "at")
        for field in ((f"{name}_size", ">i4"), (name, ">i8"))
    ]
)


def read(*, as_of: datetime) -> Interactions:
    """One place per purchased line before `as_of`; what happened later is not looked at."""
    buffer = io.BytesIO()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.copy_expert(cursor.mogrify(_LINES, {"as_of": as_of}).decode(), buffer)
    body = buffer.getbuffer()[_HEADER:-_TRAILER]
    rows = np.frombuffer(body, dtype=_ROW)
    return Interactions.of(rows["user"], rows["item"], rows["at"].astype("int64"))


_COUNT = """
SELECT count(*) FROM ingestion_orderline
WHERE kind = 'product' AND quantity > 0 AND customer_id IS NOT NULL
    AND placed_at > %(since)s AND placed_at < %(until)s
"""


def count(*, since: datetime, until: datetime) -> int:
    """Lines that known people bought between two moments, sent back later or not."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {"since": since, "until": until})
        return int(cursor.fetchone()[0])


# Goods that the shop had by that moment: they stood in it, or somebody had bought them.
_GOODS = """
SELECT p.id, p.name, p.category, p.price::float8 FROM ingestion_product AS p
WHERE p.is_goods AND (p.created_at < %(as_of)s OR EXISTS (
    SELECT FROM ingestion_orderline AS l WHERE l.product_id = p.id AND l.placed_at < %(as_of)s
)) ORDER BY p.id
"""
_PEOPLE = "SELECT id, country FROM ingestion_customer WHERE merged_into_id IS NULL ORDER BY id"
_KINDS = "models_ml.algorithms.recommenders"
# What people of whom purchases are known did with goods, who did not decline profiling.
_LOOKED = """
SELECT e.customer_id, p.id, extract(epoch FROM e.at)::int8, array_position(%(kinds)s, e.type) - 1
FROM ingestion_event AS e
JOIN ingestion_product AS p ON p.sku = e.properties->>'sku' AND p.is_goods
WHERE e.type = ANY(%(kinds)s) AND e.customer_id IS NOT NULL
    AND e.at < %(as_of)s AND e.at >= %(as_of)s - interval '365 days'
    AND NOT EXISTS (SELECT FROM ingestion_consent AS c WHERE c.customer_id = e.customer_id
        AND c.purpose = 'profiling' AND c.current AND NOT c.granted)
"""


def facts(*names: str, as_of: datetime) -> dict[str, Any]:
    """What engines read beside purchases: `goods` (titles, categories, prices), `people`, and
    `looks` (what was done with products beside buying them, of a year)."""
    found: dict[str, Any] = {}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        if "goods" in names:
            cursor.execute(_GOODS, {"as_of": as_of})
            ids, titles, categories, prices = _columns(cursor.fetchall(), 4)
            found["goods"] = import_string(f"{_KINDS}.content.Goods")(
                ids=np.array(ids, dtype=np.int64),
                title=titles,
                category=categories,
                price=np.array([np.nan if one is None else one for one in prices], dtype=float),
            )
        if "people" in names:
            cursor.execute(_PEOPLE)
            ids, countries = _columns(cursor.fetchall(), 2)
            found["people"] = import_string(f"{_KINDS}.local.People")(
                ids=np.array(ids, dtype=np.int64), country=countries
            )
        if "looks" in names:
            sequences = import_string(f"{_KINDS}.sequential.histories.Looks")
            kinds = import_string(f"{_KINDS}.sequential.histories.LOOKS")
            cursor.execute(_LOOKED, {"as_of": as_of, "kinds": list(kinds)})
            who, what, at, kind = _columns(cursor.fetchall(), 4)
            found["looks"] = sequences.of(who, what, np.array(at, dtype=np.int64), kind)
    return found


def _columns(rows: list[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]

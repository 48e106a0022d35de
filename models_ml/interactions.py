"""Facts → who bought what, when, as of a moment, and what was known of products and people then."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from django.db import connection, transaction
from django.utils.module_loading import import_string

from models_ml.algorithms.data import Array, Interactions
from models_ml.columns import copied

# What known people bought. Joins are made here by arrays, at a third of what they cost there.
_LINES = """
SELECT customer_id::int8, product_id::int8, placed_at FROM ingestion_orderline
WHERE kind = 'product' AND quantity > 0 AND customer_id IS NOT NULL
  AND product_id IS NOT NULL AND placed_at < %(as_of)s
"""
# Of these, what had been sent back in full by then.
_RETURNED = """
SELECT l.customer_id::int8, l.product_id::int8, l.placed_at
FROM (
    SELECT cancels_id, sum(abs(quantity)) AS returned
    FROM ingestion_orderline
    WHERE cancels_id IS NOT NULL AND placed_at < %(as_of)s
    GROUP BY cancels_id
) AS back
JOIN ingestion_orderline AS l ON l.id = back.cancels_id AND back.returned >= l.quantity
WHERE l.kind = 'product' AND l.quantity > 0 AND l.customer_id IS NOT NULL
  AND l.product_id IS NOT NULL AND l.placed_at < %(as_of)s
"""
_NO_GOODS = "SELECT id FROM ingestion_product WHERE NOT is_goods"
# Moments are sent in microseconds since this one.
_EPOCH = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp())


def read(*, as_of: datetime) -> Interactions:
    """One place per line of goods that a known person bought before `as_of` and had not sent back
    in full by then; what happened later is not looked at."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(_NO_GOODS)
        others = np.array([key for (key,) in cursor.fetchall()], dtype=np.int64)
        lines = copied(cursor, _LINES, {"as_of": as_of}, width=3)
        back = copied(cursor, _RETURNED, {"as_of": as_of}, width=3)
    keep = ~np.isin(lines[1], others) if len(others) else np.ones(len(lines[0]), dtype=bool)
    if len(back[0]):
        keep &= ~_once_each(lines, back)
    user, item, at = lines if keep.all() else (column[keep] for column in lines)
    return Interactions.of(user, item, (at + 500_000) // 1_000_000 + _EPOCH)


def _once_each(lines: tuple[Array, ...], back: tuple[Array, ...]) -> Array:
    """Which of the lines (n,) are meant by those sent back: for each of these one that is equal."""
    near = np.flatnonzero(np.isin(lines[0], back[0]))
    user, item, at = (np.concatenate([b, a[near]]) for a, b in zip(lines, back, strict=True))
    sold = np.arange(len(user)) >= len(back[0])
    order = np.lexsort((sold, at, item, user))
    new = np.ones(len(order), dtype=bool)
    new[1:] = False
    for column in (user, item, at):
        new[1:] |= column[order][1:] != column[order][:-1]
    group = np.cumsum(new) - 1
    returned = np.bincount(group, weights=~sold[order]).astype(np.int64)[group]
    # Those sent back stand first in each group, and as many that were sold follow.
    place = np.arange(len(order)) - np.flatnonzero(new)[group]
    meant = order[sold[order] & (place < 2 * returned)] - len(back[0])
    found = np.zeros(len(lines[0]), dtype=bool)
    found[near[meant]] = True
    return found


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
_LOOKED = """
SELECT e.customer_id::int8, p.id::int8, extract(epoch FROM e.at)::int8,
    (array_position(%(kinds)s, e.type) - 1)::int8
FROM ingestion_event AS e
JOIN ingestion_product AS p ON p.sku = e.properties->>'sku' AND p.is_goods
WHERE e.type = ANY(%(kinds)s) AND e.customer_id IS NOT NULL
    AND e.at >= %(since)s AND e.at < %(until)s
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
            found["looks"] = sequences.of(
                *looked(kinds=kinds, since=as_of - timedelta(days=365), until=as_of)
            )
    return found


def looked(*, kinds: Sequence[str], since: datetime, until: datetime) -> tuple[Array, ...]:
    """What known people who did not decline profiling did with goods: four aligned arrays of who,
    with what, when (seconds) and which of `kinds`, by its place."""
    asked = {"kinds": list(kinds), "since": since, "until": until}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        return copied(cursor, _LOOKED, asked, width=4)


def _columns(rows: list[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]

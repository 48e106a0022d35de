"""The fixed columns of Traits: what rules, lists and the tree compare.

Every number looks at order lines before `as_of` and at nothing later; what an order's state became
afterwards is not asked. Numbers are cut to the decimals listed in COLUMNS inside the database, so
that a threshold chosen on them and a comparison made on the stored column agree exactly.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from django.db import connection, transaction
from numpy.typing import NDArray

RECENT = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Column:
    """A number: its SQL over the query below, the decimals it is kept in, and whether it may be
    unknown.
    """

    name: str
    sql: str
    decimals: int = 0
    nullable: bool = False


# People without any order before the moment have 0 orders and no days since the last one.
COLUMNS = (
    Column(
        "recency_days", "floor(extract(epoch FROM %(as_of)s - f.last_at) / 86400)", nullable=True
    ),
    Column("orders", "coalesce(f.orders, 0)"),
    Column("units", "coalesce(f.units, 0)"),
    Column("revenue", "coalesce(f.revenue, 0)", 2),
    Column("avg_order_value", "f.gross / f.orders", 2, nullable=True),
    Column(
        "tenure_days", "floor(extract(epoch FROM %(as_of)s - f.first_at) / 86400)", nullable=True
    ),
    Column("interval_days_mean", "f.gap_mean", 1, nullable=True),
    Column("interval_days_std", "f.gap_std", 1, nullable=True),
    Column("products", "coalesce(f.products, 0)"),
    Column("return_rate", "coalesce(least(f.returned / nullif(f.units, 0), 1), 0)", 3),
    Column("trend", "coalesce(f.recent - f.before, 0)"),
)

# One pass over the lines makes orders, one over the orders makes people. A returned line is a line
# of its own with its own moment, so returns after `as_of` do not reach back.
_FACTS = """
WITH lines AS (
    SELECT customer_id, order_id, placed_at, kind, quantity, total
    FROM ingestion_orderline
    WHERE customer_id IS NOT NULL AND placed_at < %(as_of)s AND kind IN ('product', 'return')
), orders AS (
    SELECT customer_id, order_id,
           min(placed_at) FILTER (WHERE kind = 'product') AS at,
           sum(quantity) FILTER (WHERE kind = 'product') AS units,
           coalesce(sum(total) FILTER (WHERE kind = 'product'), 0) AS gross,
           sum(total) AS revenue,
           coalesce(sum(abs(quantity)) FILTER (WHERE kind = 'return'), 0) AS returned
    FROM lines GROUP BY customer_id, order_id
), spaced AS (
    SELECT *, extract(epoch FROM at - lag(at) OVER (
               PARTITION BY customer_id ORDER BY at, order_id)) / 86400 AS gap
    FROM orders
), breadth AS (
    SELECT customer_id, count(*) AS products FROM (
        SELECT DISTINCT customer_id, product_id FROM ingestion_orderline
        WHERE customer_id IS NOT NULL AND placed_at < %(as_of)s AND kind = 'product'
          AND product_id IS NOT NULL
    ) AS pairs GROUP BY customer_id
), people AS (
    SELECT customer_id, count(at) AS orders, min(at) AS first_at, max(at) AS last_at,
           sum(units) AS units, sum(gross) AS gross, sum(revenue) AS revenue,
           sum(returned) AS returned,
           avg(gap) AS gap_mean, stddev_samp(gap) AS gap_std,
           count(*) FILTER (WHERE at >= %(recent)s) AS recent,
           count(*) FILTER (WHERE at >= %(before)s AND at < %(recent)s) AS before
    FROM spaced GROUP BY customer_id
), f AS (
    SELECT people.*, breadth.products FROM people LEFT JOIN breadth USING (customer_id)
    WHERE orders > 0
)
"""


def _select() -> str:
    return ", ".join(
        f"round(({c.sql})::numeric, {c.decimals})::double precision AS {c.name}" for c in COLUMNS
    )


def _moments(as_of: datetime) -> dict[str, datetime]:
    return {"as_of": as_of, "recent": as_of - RECENT, "before": as_of - 2 * RECENT}


def build(*, as_of: datetime) -> int:
    """Write the numbers of every person into Traits, all as of one moment; how many people.

    Recency, frequency and money also get a score from 1 to 5 (fifths of the people who ever
    ordered, 5 the best). Predictions on the row are left as they are; `scoring.score` follows.
    """
    names = [c.name for c in COLUMNS]
    scores = {
        "r_score": "recency_days DESC",
        "f_score": "orders, recency_days DESC",
        "m_score": "revenue",
    }
    ranked = ", ".join(
        f"CASE WHEN orders > 0 THEN ntile(5) OVER"
        f" (PARTITION BY orders > 0 ORDER BY {order}, customer_id) END AS {name}"
        for name, order in scores.items()
    )
    targets = ["customer_id", "as_of", *names, *scores]
    updates = ", ".join(f"{name} = excluded.{name}" for name in targets[1:])
    sql = f"""
        {_FACTS}, numbers AS (
            SELECT c.id AS customer_id, {_select()}
            FROM ingestion_customer AS c LEFT JOIN f ON f.customer_id = c.id
            WHERE c.merged_into_id IS NULL
        )
        INSERT INTO models_ml_traits ({", ".join(targets)})
        SELECT customer_id, %(as_of)s, {", ".join(names)}, {ranked} FROM numbers
        ON CONFLICT (customer_id) DO UPDATE SET {updates}
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(sql, _moments(as_of))
        count: int = cursor.rowcount
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE models_ml_traits")
    return count


@dataclass(frozen=True, slots=True)
class Snapshot:
    """People who had ordered before a moment: id (n), x (n, columns) with nan for unknown, in the
    order of COLUMNS.
    """

    as_of: datetime
    person: NDArray[np.int64]
    x: NDArray[np.float64]

    def column(self, name: str) -> NDArray[np.float64]:
        return self.x[:, [c.name for c in COLUMNS].index(name)]


def snapshot(*, as_of: datetime) -> Snapshot:
    """The numbers of everyone who had ordered, as they stood just before `as_of`."""
    rows = _rows(
        f"{_FACTS} SELECT f.customer_id, {_select()} FROM f ORDER BY f.customer_id",
        _moments(as_of),
        1 + len(COLUMNS),
    )
    return Snapshot(
        as_of=as_of, person=rows[:, 0].astype(np.int64), x=np.ascontiguousarray(rows[:, 1:])
    )


def ordered_within(*, since: datetime, until: datetime) -> NDArray[np.int64]:
    """Ids of the people with an order line of a product in [since, until), ascending."""
    rows = _rows(
        "SELECT DISTINCT customer_id FROM ingestion_orderline"
        " WHERE customer_id IS NOT NULL AND kind = 'product'"
        " AND placed_at >= %(since)s AND placed_at < %(until)s ORDER BY customer_id",
        {"since": since, "until": until},
        1,
    )
    return rows[:, 0].astype(np.int64)


def stored() -> Snapshot | None:
    """The people with orders in Traits now, as `snapshot` gives them; None before a build."""
    names = ", ".join(c.name for c in COLUMNS)
    rows = _rows(
        f"SELECT customer_id, {names} FROM models_ml_traits WHERE orders > 0 ORDER BY customer_id",
        {},
        1 + len(COLUMNS),
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT as_of FROM models_ml_traits LIMIT 1")
        first = cursor.fetchone()
    if first is None:
        return None
    return Snapshot(
        as_of=first[0], person=rows[:, 0].astype(np.int64), x=np.ascontiguousarray(rows[:, 1:])
    )


def _rows(sql: str, params: dict[str, datetime], width: int) -> NDArray[np.float64]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(sql, params)
        chunks = []
        while batch := cursor.fetchmany(50_000):
            chunks.append(np.array(batch, dtype=np.float64))
    return np.concatenate(chunks) if chunks else np.empty((0, width))

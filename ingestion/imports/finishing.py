"""What can only be known when all lines are in: outliers, which line a return takes back, rollups.

Every step is set-based and looks at rows alone, so doing it again changes nothing.
"""

from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from ingestion.preprocess import outliers
from ingestion.preprocess.findings import EXAMPLES

ROUNDS = 50
# What events are looked for by. The columns of text and JSON take most of the time and help nobody,
# and their ledger is only ever asked for single keys.
_EVENTS = "event (customer_id, identity_id, at, type, anonymous_id)"
_RETURNS = """
CREATE TEMP TABLE open_return ON COMMIT DROP AS
SELECT r.id, r.customer_id, r.product_id, r.placed_at, -r.quantity AS quantity, r.unit_price
FROM ingestion_orderline r
JOIN ingestion_importtouch t ON t.customer_id = r.customer_id AND t.import_job_id = %s
WHERE r.kind = 'return' AND r.cancels_id IS NULL AND r.product_id IS NOT NULL
"""
_SALES = """
CREATE TEMP TABLE open_sale ON COMMIT DROP AS
SELECT s.id, s.order_id, s.customer_id, s.product_id, s.placed_at, s.unit_price, s.quantity,
       s.quantity - coalesce(
           (SELECT -sum(b.quantity) FROM ingestion_orderline b WHERE b.cancels_id = s.id), 0
       ) AS remaining
FROM ingestion_orderline s
JOIN (SELECT DISTINCT customer_id, product_id FROM open_return) w USING (customer_id, product_id)
WHERE s.kind = 'product'
"""
# Each open return looks for the latest earlier sale of the same thing to the same person that can
# still take it, preferring the same quantity and price. Two returns that want one sale: the earlier
# one gets it, the other looks again in the next round.
_MATCH = """
WITH wanted AS (
    SELECT r.id AS return_id, r.quantity, r.placed_at, s.id AS sale_id
    FROM open_return r CROSS JOIN LATERAL (
        SELECT s.id FROM open_sale s
        WHERE s.customer_id = r.customer_id AND s.product_id = r.product_id
          AND s.placed_at <= r.placed_at AND s.remaining >= r.quantity
        ORDER BY s.quantity = r.quantity DESC, s.unit_price = r.unit_price DESC,
                 s.placed_at DESC, s.id
        LIMIT 1
    ) s
), chosen AS (
    SELECT DISTINCT ON (sale_id) sale_id, return_id, quantity FROM wanted
    ORDER BY sale_id, placed_at, return_id
), taken AS (
    UPDATE open_sale s SET remaining = s.remaining - c.quantity FROM chosen c WHERE s.id = c.sale_id
), settled AS (
    DELETE FROM open_return r USING chosen c WHERE r.id = c.return_id
)
UPDATE ingestion_orderline l SET cancels_id = c.sale_id FROM chosen c WHERE l.id = c.return_id
"""
_STATUS = """
UPDATE ingestion_order o SET status = n.status FROM (
    SELECT l.order_id,
           CASE WHEN sum(l.quantity) = sum(coalesce(b.units, 0)) THEN 'returned'
                ELSE 'part_returned' END AS status
    FROM ingestion_orderline l
    LEFT JOIN LATERAL (
        SELECT -sum(x.quantity) AS units FROM ingestion_orderline x WHERE x.cancels_id = l.id
    ) b ON true
    WHERE l.kind = 'product'
      AND l.order_id IN (SELECT order_id FROM open_sale WHERE remaining < quantity)
    GROUP BY l.order_id
) n WHERE o.id = n.order_id AND o.status <> n.status
"""


@dataclass(frozen=True)
class Matches:
    """Returned lines that found the sale they take back, and those that found none."""

    matched: int
    open: int
    examples: list[dict[str, Any]]


def match_returns(*, import_job_id: int) -> Matches:
    """Point each return of the touched people at the sale it takes back; set order states."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(_RETURNS, [import_job_id])
        cursor.execute(_SALES)
        cursor.execute("CREATE INDEX ON open_sale (customer_id, product_id)")
        cursor.execute("CREATE INDEX ON open_sale (id)")
        cursor.execute("CREATE INDEX ON open_return (id)")
        cursor.execute("ANALYZE open_sale")
        cursor.execute("ANALYZE open_return")
        matched = 0
        for _ in range(ROUNDS):
            cursor.execute(_MATCH)
            matched += cursor.rowcount
            if not cursor.rowcount:
                break
        cursor.execute(_STATUS)
        cursor.execute("SELECT count(*) FROM open_return")
        left = cursor.fetchone()[0]
        cursor.execute("DROP TABLE open_return, open_sale")
        return Matches(matched, left, _examples(cursor, import_job_id))


def _examples(cursor: Any, import_job_id: int) -> list[dict[str, Any]]:
    cursor.execute(
        "SELECT ro.external_id, r.sku, r.quantity, so.external_id, s.quantity"
        " FROM ingestion_orderline r JOIN ingestion_orderline s ON s.id = r.cancels_id"
        " JOIN ingestion_order so ON so.id = s.order_id"
        " JOIN ingestion_order ro ON ro.id = r.order_id"
        " JOIN ingestion_importtouch t ON t.customer_id = r.customer_id AND t.import_job_id = %s"
        " WHERE r.cancels_id IS NOT NULL ORDER BY r.id LIMIT %s",
        [import_job_id, EXAMPLES],
    )
    return [
        {
            "before": {"order_id": credit, "sku": sku, "quantity": back},
            "after": {"cancels": sale, "quantity": sold},
        }
        for credit, sku, back, sale, sold in cursor.fetchall()
    ]


def flag_outliers(*, source_id: int) -> dict[str, dict[str, Any]]:
    """Flag lines with a quantity or price far outside of the shop's usual; findings by rule."""
    found: dict[str, dict[str, Any]] = {}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        for rule, column in (("outlier_quantity", "quantity"), ("outlier_price", "unit_price")):
            cursor.execute(
                f"SELECT abs(l.{column}), count(*) FROM ingestion_orderline l"
                " WHERE l.kind = 'product' GROUP BY 1"
            )
            limit = outliers.upper_limit(
                {float(value): count for value, count in cursor.fetchall()}
            )
            if limit is None:
                continue
            cursor.execute(
                f"UPDATE ingestion_orderline SET outlier = true WHERE abs({column}) > %s"
                " AND kind IN ('product', 'return') AND NOT outlier",
                [limit],
            )
            cursor.execute(
                f"SELECT o.external_id, l.sku, l.{column}, count(*) OVER ()"
                " FROM ingestion_orderline l JOIN ingestion_order o ON o.id = l.order_id"
                " WHERE o.source_id = %s"
                f" AND abs(l.{column}) > %s AND l.kind IN ('product', 'return')"
                f" ORDER BY abs(l.{column}) DESC, l.id LIMIT %s",
                [source_id, limit, EXAMPLES],
            )
            rows = cursor.fetchall()
            if rows:
                found[rule] = {
                    "rows": rows[0][3],
                    "limit": round(limit, 2),
                    "examples": [
                        {
                            "before": {"order_id": order, "sku": sku, column: str(value)},
                            "after": {"outlier": "yes"},
                        }
                        for order, sku, value, _ in rows
                    ],
                }
    return found


def touched(*, import_job_id: int) -> list[int]:
    """The people whose orders an import has touched so far."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT customer_id FROM ingestion_importtouch WHERE import_job_id = %s ORDER BY 1",
            [import_job_id],
        )
        return [row[0] for row in cursor.fetchall()]


def touch(*, import_job_id: int, customer_ids: list[int]) -> None:
    """Remember that an import has touched these people."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ingestion_importtouch (import_job_id, customer_id)"
            " SELECT %s, unnest(%s::bigint[]) ON CONFLICT DO NOTHING",
            [import_job_id, customer_ids],
        )


def analyse_tables(*, kind: str) -> None:
    """Tell the planner what a large import has made of the tables."""
    tables = {
        "orders": ("orderline", "order", "customer", "product", "customerrollup", "identity"),
        "customers": ("customer", "identity", "consent"),
        "products": ("product",),
        "events": (_EVENTS, "customer", "identity"),
    }[kind]
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"ANALYZE ingestion_{table}")


def forget_touched(*, import_job_id: int) -> None:
    """The import is done: the list of people is not needed any more."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM ingestion_importtouch WHERE import_job_id = %s", [import_job_id]
        )

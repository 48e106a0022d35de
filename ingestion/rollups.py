"""Running totals per person: what segments and lists read instead of adding up lines."""

from django.db import connection, transaction

PART = 20_000  # people per statement

RECENT = 5  # newest orders whose moments are kept

_ROLLUP = f"""
WITH orders AS (
    SELECT customer_id, order_id, sum(total) AS total, bool_or(kind = 'return') AS returned,
           sum(quantity) FILTER (WHERE kind = 'product') AS units,
           min(placed_at) FILTER (WHERE kind = 'product') AS first,
           max(placed_at) FILTER (WHERE kind = 'product') AS last
    FROM ingestion_orderline
    WHERE customer_id = ANY(%(ids)s) AND kind IN ('product', 'return')
    GROUP BY customer_id, order_id
), goods AS (
    SELECT customer_id, count(DISTINCT product_id) AS products FROM ingestion_orderline
    WHERE customer_id = ANY(%(ids)s) AND kind = 'product' GROUP BY customer_id
)
INSERT INTO ingestion_customerrollup
    (customer_id, orders, units, revenue, returns, products, first_order_at, last_order_at,
     recent_orders)
SELECT o.customer_id, count(o.last), coalesce(sum(o.units), 0), sum(o.total),
       count(*) FILTER (WHERE o.returned), coalesce(max(g.products), 0), min(o.first), max(o.last),
       coalesce((array_agg(o.last ORDER BY o.last DESC)
                 FILTER (WHERE o.last IS NOT NULL))[1:{RECENT}], '{{}}')
FROM orders o LEFT JOIN goods g USING (customer_id)
GROUP BY o.customer_id
ON CONFLICT (customer_id) DO UPDATE SET
    orders = excluded.orders, units = excluded.units, revenue = excluded.revenue,
    returns = excluded.returns, products = excluded.products,
    first_order_at = excluded.first_order_at, last_order_at = excluded.last_order_at,
    recent_orders = excluded.recent_orders
"""
_FIRST_SEEN = """
UPDATE ingestion_customer c SET first_seen_at = s.at
FROM (
    SELECT customer_id, min(placed_at) AS at FROM ingestion_order
    WHERE customer_id = ANY(%s) GROUP BY customer_id
) s
WHERE c.id = s.customer_id AND (c.first_seen_at IS NULL OR c.first_seen_at > s.at)
"""


def refresh(*, customer_ids: list[int]) -> None:
    """Add up the orders of these people again."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        for start in range(0, len(customer_ids), PART):
            part = customer_ids[start : start + PART]
            cursor.execute(_ROLLUP, {"ids": part})
            cursor.execute(_FIRST_SEEN, [part])


def renew(*, customer_ids: list[int]) -> None:
    """The same after orders changed hands: who has none left has no totals."""
    refresh(customer_ids=customer_ids)
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM ingestion_customerrollup r WHERE r.customer_id = ANY(%s) AND NOT EXISTS"
            " (SELECT FROM ingestion_orderline l WHERE l.customer_id = r.customer_id"
            "  AND l.kind IN ('product', 'return'))",
            [customer_ids],
        )

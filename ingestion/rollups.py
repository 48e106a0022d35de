"""Running totals per person: what segments and lists read instead of adding up lines."""

from django.db import connection, transaction

PART = 20_000  # people per statement

_ROLLUP = """
INSERT INTO ingestion_customerrollup
    (customer_id, orders, units, revenue, returns, products, first_order_at, last_order_at)
SELECT l.customer_id,
       count(DISTINCT l.order_id) FILTER (WHERE l.kind = 'product'),
       coalesce(sum(l.quantity) FILTER (WHERE l.kind = 'product'), 0),
       sum(l.total),
       count(DISTINCT l.order_id) FILTER (WHERE l.kind = 'return'),
       count(DISTINCT l.product_id) FILTER (WHERE l.kind = 'product'),
       min(l.placed_at) FILTER (WHERE l.kind = 'product'),
       max(l.placed_at) FILTER (WHERE l.kind = 'product')
FROM ingestion_orderline l
WHERE l.customer_id = ANY(%s) AND l.kind IN ('product', 'return')
GROUP BY l.customer_id
ON CONFLICT (customer_id) DO UPDATE SET
    orders = excluded.orders, units = excluded.units, revenue = excluded.revenue,
    returns = excluded.returns, products = excluded.products,
    first_order_at = excluded.first_order_at, last_order_at = excluded.last_order_at
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
            cursor.execute(_ROLLUP, [part])
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

"""How fast facts become numbers and numbers become scores, on a simulated shop.

Everything is planted inside a transaction that is rolled back. Both sides of a ratio run in turn,
so that a busy machine slows them alike.
"""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import connection, transaction

from models_ml import features
from models_ml.benchmarks.data import pace
from models_ml.benchmarks.shops import NOW, SHOPS, shop
from models_ml.features import reading, registry, sweeps
from models_ml.features.compiler import Population

RUNS = 3
# At most 1.3 times as long as by hand.
KEEP = round(1 / 1.3, 3)

# The same numbers by hand: no expression shared with features.py, in floating point, which adds up
# much faster than numeric.
BEST = """
INSERT INTO bench_best (customer_id, as_of, orders, recency_days, tenure_days, units, revenue,
    avg_order_value, interval_days_mean, interval_days_std, products, return_rate, trend,
    r_score, f_score, m_score)
WITH o AS (
    SELECT customer_id, order_id, min(placed_at) FILTER (WHERE kind = 'product') AS at,
           sum(CASE WHEN kind = 'product' THEN quantity END) AS units,
           sum(CASE WHEN kind = 'product' THEN total::float8 ELSE 0 END) AS gross,
           sum(total::float8) AS net,
           sum(CASE WHEN kind = 'return' THEN -quantity ELSE 0 END) AS back
    FROM ingestion_orderline
    WHERE placed_at < %(now)s AND customer_id IS NOT NULL AND kind IN ('product', 'return')
    GROUP BY 1, 2
), g AS (
    SELECT *, date_part('epoch', at - lag(at) OVER w) / 86400 AS gap FROM o
    WINDOW w AS (PARTITION BY customer_id ORDER BY at, order_id)
), d AS (
    SELECT customer_id, count(*) AS products FROM (
        SELECT customer_id, product_id FROM ingestion_orderline
        WHERE placed_at < %(now)s AND customer_id IS NOT NULL AND product_id IS NOT NULL
          AND kind = 'product' GROUP BY 1, 2
    ) AS p GROUP BY 1
), n AS (
    SELECT g.customer_id, count(at) AS orders, extract(day FROM %(now)s - max(at)) AS recency,
           extract(day FROM %(now)s - min(at)) AS tenure, sum(units) AS units, sum(net) AS net,
           sum(gross) / count(at) AS average, avg(gap) AS gap, stddev_samp(gap) AS spread,
           min(d.products) AS products, sum(back)::float / nullif(sum(units), 0) AS returned,
           count(at) FILTER (WHERE at >= %(now)s - interval '90 days')
         - count(at) FILTER (WHERE at >= %(now)s - interval '180 days'
                               AND at < %(now)s - interval '90 days') AS trend
    FROM g JOIN d USING (customer_id) GROUP BY g.customer_id
)
SELECT customer_id, %(now)s, orders, recency, tenure, units, net, round(average::numeric, 2),
       round(gap::numeric, 1), round(spread::numeric, 1), products, round(returned::numeric, 3),
       trend,
       ntile(5) OVER (ORDER BY recency DESC), ntile(5) OVER (ORDER BY orders, recency DESC),
       ntile(5) OVER (ORDER BY net)
FROM n
"""


def features_customers(size: str = "small") -> list[dict[str, Any]]:
    """Order lines to everyone's numbers in Traits, against hand-written SQL into an empty table.

    Three sizes of a shop, a line each: the same speed at each is linear in lines. Both sides have
    the same settings of PostgreSQL. The hand has the lighter task: its table has no rows to
    replace, while ours keeps what predictions wrote on them, and it leaves out stages, totals and
    whoever never ordered. What it takes to replace rows as well is told as `replacing`.
    """
    people, lines = SHOPS[size]
    return [_one_shop(people // part, lines // part) for part in (10, 3, 1)]


def _one_shop(people: int, lines: int) -> dict[str, Any]:
    ours, limit, replacing = [], [], []
    with shop(people, lines):
        features.build(as_of=NOW)  # rows exist from here on, as in daily use
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE bench_best (LIKE models_ml_traits INCLUDING ALL)")
            cursor.execute("CREATE TABLE bench_kept (LIKE models_ml_traits INCLUDING ALL)")
            cursor.execute("INSERT INTO bench_kept SELECT * FROM models_ml_traits")
            cursor.execute("ANALYZE models_ml_traits, bench_kept")
        for _round in range(RUNS):
            limit.append(lines / _seconds(_by_hand))
            ours.append(lines / _seconds(_build))
        replacing.append(lines / _seconds(_by_hand_again))
    what = "hand-written SQL into an empty table with the same key"
    line = pace("features.customers", "lines/s", lines, ours, limit, what, keep=KEEP)
    return line | {"name": f"features.customers:{lines}", "replacing": round(replacing[0], 2)}


def _seconds(do: Callable[[], Any]) -> float:
    """What it takes; its rows are taken back, so that nobody meets those of the round before."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            sweeps.prepare(cursor)
        began = time.perf_counter()
        do()
        taken = time.perf_counter() - began
        transaction.set_rollback(True)
    return taken


def _build() -> None:
    features.build(as_of=NOW)


def _by_hand() -> None:
    with connection.cursor() as cursor:
        cursor.execute(BEST, {"now": NOW})


def _by_hand_again() -> None:
    named = BEST[BEST.index("(") + 1 : BEST.index(")")].split(",")
    updates = ", ".join(f"{name} = excluded.{name}" for name in map(str.strip, named[1:]))
    again = BEST.replace("bench_best", "bench_kept")
    with connection.cursor() as cursor:
        cursor.execute(f"{again} ON CONFLICT (customer_id) DO UPDATE SET {updates}", {"now": NOW})


def features_frame(size: str = "small") -> list[dict[str, Any]]:
    """Every feature of the registry about orders, of everyone, at six moments in one pass.

    Beside it, what the same six moments take one by one: what a backfill by a loop would.
    """
    people, lines = SHOPS[size]
    cuts = [NOW - timedelta(days=60 * n) for n in range(6)]
    ours, limit = [], []
    with shop(people // 3, lines // 3):
        for _round in range(RUNS):
            began = time.perf_counter()
            found = reading.read(features=registry.ORDERS, population=Population(), cuts=cuts)
            ours.append(len(found) / (time.perf_counter() - began))
            began = time.perf_counter()
            for cut in cuts:
                reading.read(features=registry.ORDERS, population=Population(), cuts=[cut])
            limit.append(len(found) / (time.perf_counter() - began))
    return [
        pace("features.backfill", "rows/s", len(found), ours, limit, "a moment at a time", keep=1.0)
    ]


WORKLOADS: dict[str, Callable[[str], Any]] = {
    "features.customers": features_customers,
    "features.backfill": features_frame,
}

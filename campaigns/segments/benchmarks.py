"""How fast segments are counted, and one person is placed, on a simulated shop.

Everything is planted inside a transaction that is rolled back, so the database is left as it was.
Both sides of a ratio run in turn, so that a busy machine slows them alike.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import connection

from campaigns.segments import bench_events, bench_upkeep, membership
from campaigns.segments import compile as compiler
from models_ml.benchmarks import features as bench_features
from models_ml.benchmarks.data import pace
from models_ml.benchmarks.shops import NOW, SHOPS, shop

RUNS = 5
COUNTRY = {"field": "customer.country", "op": "=", "value": "GB"}
SENDABLE = {"not": {"field": "suppressed.email", "op": "=", "value": True}}
# The same three conditions, asked of the order lines and of the running totals.
RULES = {
    "lines": {
        "all": [
            {"ordered": "units", "op": ">=", "value": 6, "days": 90},
            COUNTRY,
            SENDABLE,
        ]
    },
    "totals": {"all": [{"bought": {"any": True}, "at_least": 2, "days": 90}, COUNTRY, SENDABLE]},
}
_SENDABLE = """
  AND c.country = 'GB' AND c.merged_into_id IS NULL AND NOT EXISTS (
    SELECT 1 FROM ingestion_suppression AS s WHERE s.channel = 'email' AND s.address = c.email)
  AND NOT EXISTS (SELECT 1 FROM ingestion_suppresseddigest AS d
    WHERE d.channel = 'email' AND d.digest = CASE WHEN EXISTS (
      SELECT 1 FROM ingestion_suppresseddigest WHERE channel = 'email')
    THEN ingestion_digest(c.email) END)
  AND NOT CASE WHEN EXISTS (SELECT 1 FROM ingestion_suppression AS w
      WHERE w.kind = 'person' AND w.channel IN ('email', 'all'))
    THEN c.id IN (SELECT coalesce(h.merged_into_id, h.id) FROM ingestion_suppression AS w
      JOIN ingestion_customer AS h ON h.id = w.customer_id
      WHERE w.kind = 'person' AND w.channel IN ('email', 'all')) ELSE false END
  AND NOT CASE WHEN EXISTS (SELECT 1 FROM ingestion_suppression AS w
      WHERE w.kind = 'sha256' AND w.channel IN ('email', 'all'))
    THEN EXISTS (SELECT 1 FROM ingestion_suppression AS w
      WHERE w.kind = 'sha256' AND w.channel IN ('email', 'all')
        AND w.address = encode(sha256(convert_to(c.email, 'UTF8')), 'hex')) ELSE false END
  AND NOT CASE WHEN EXISTS (SELECT 1 FROM ingestion_suppression AS w
      WHERE w.kind = 'domain' AND w.channel IN ('email', 'all'))
    THEN EXISTS (SELECT 1 FROM ingestion_suppression AS w
      WHERE w.kind = 'domain' AND w.channel IN ('email', 'all')
        AND split_part(c.email, '@', 2) LIKE '%%' || ltrim(w.address, '*.')) ELSE false END
"""
_LATELY = """
SELECT customer_id FROM ingestion_orderline
WHERE placed_at >= %(since)s AND kind = 'product' GROUP BY customer_id HAVING {having}
"""
_BOTH = f"""
SELECT count(*) FROM ingestion_customer AS c JOIN ({_LATELY}) AS found ON found.customer_id = c.id
WHERE true {_SENDABLE}
"""
_EACH = f"""
SELECT count(*) FROM ingestion_customer AS c
WHERE (SELECT {{value}} FROM ingestion_orderline AS l WHERE l.customer_id = c.id
       AND l.placed_at >= %(since)s AND l.kind = 'product') >= {{least}} {_SENDABLE}
"""
# Every way that we know to write it by hand: the fastest is what a rule is measured against.
BY_HAND = {
    "lines": [
        _BOTH.format(having="sum(quantity) >= 6"),
        _EACH.format(value="sum(l.quantity)", least=6),
    ],
    "totals": [
        _BOTH.format(having="count(DISTINCT order_id) >= 2"),
        _BOTH.format(having="min(order_id) < max(order_id)"),
        _EACH.format(value="count(DISTINCT l.order_id)", least=2),
        f"""
        SELECT count(*) FROM ingestion_customer AS c
        JOIN ingestion_customerrollup AS r ON r.customer_id = c.id
        WHERE r.recent_orders[2] >= %(since)s {_SENDABLE}
        """,
    ],
}
GOAL_MS = 150.0


@contextmanager
def _shop(size: str) -> Iterator[int]:
    people, lines = SHOPS[size]
    with shop(people, lines, furnished=True):
        yield people


def _warm(sql: str) -> tuple[float, int]:
    """Seconds and answer of a statement."""
    began = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute(sql, {"since": NOW - timedelta(days=90)})
        found = cursor.fetchone()[0]
    return time.perf_counter() - began, found


def _counted(kind: str, name: str, size: str) -> tuple[dict[str, Any], float]:
    """A rule against the fastest of the statements written by hand, and its middle time in ms."""
    ours, limit = [], []
    with _shop(size) as people:
        node = compiler.read(RULES[kind])
        tried = {sql: _warm(sql) for sql in BY_HAND[kind] for _twice in range(2)}
        if len({found for _seconds, found in tried.values()}) != 1:
            raise AssertionError(f"the statements by hand disagree: {sorted(tried.values())}")
        best = min(tried, key=lambda sql: tried[sql][0])
        for _round in range(RUNS):
            seconds, expected = _warm(best)
            limit.append(1 / seconds)
            began = time.perf_counter()
            found = membership.count(node, as_of=NOW, patience_ms=60_000)
            ours.append(1 / (time.perf_counter() - began))
            if found.people != expected:
                raise AssertionError(f"{found.people} people, the hand-written SQL {expected}")
    what = "the fastest of the statements written by hand"
    line = pace(name, "counts/s", people, ours, limit, what, keep=bench_features.KEEP)
    return line, 1000 / statistics.median(ours)


def segment_count(size: str = "small") -> dict[str, Any]:
    """Units bought in 90 days, a country, not suppressed: from order lines, by hand-written SQL."""
    return _counted("lines", "segment.count", size)[0]


def segment_count_totals(size: str = "small") -> dict[str, Any]:
    """Two orders in 90 days, a country, not suppressed: from running totals, in milliseconds."""
    line, milliseconds = _counted("totals", "segment.count_totals", size)
    return line | {
        "value": round(milliseconds, 2),
        "unit": "ms",
        "limit": {"what": "counted within, in ms", "value": GOAL_MS},
        "peer": {"what": line["limit"]["what"], "ratio": line["ratio"]},
        "ratio": round(GOAL_MS / milliseconds, 3),
    }


def segment_person(size: str = "small") -> dict[str, Any]:
    """One changed person against 500 kept segments, end to end; the limit is 25 ms."""
    with _shop(size) as people:
        return bench_upkeep.person(people=people, runs=RUNS, now=NOW)


def segment_refresh(size: str = "small") -> dict[str, Any]:
    """Membership after 1% of the people changed, as a share of making it anew."""
    with _shop(size) as people:
        return bench_upkeep.refresh(people=people, runs=RUNS, now=NOW)


WORKLOADS: dict[str, Callable[..., dict[str, Any]]] = {
    "segment.count": segment_count,
    "segment.count_totals": segment_count_totals,
    "segment.person": segment_person,
    "segment.refresh": segment_refresh,
    "event.visible": bench_events.event_visible,
}

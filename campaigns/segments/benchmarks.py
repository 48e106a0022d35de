"""How fast segments are counted, and one person is placed, on a simulated shop.

Everything is planted inside a transaction that is rolled back, so the database is left as it was.
Both sides of a ratio run in turn, so that a busy machine slows them alike.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, transaction

from campaigns.segments import bench_events, bench_upkeep, membership
from campaigns.segments import compile as compiler
from models_ml import bench_features

RUNS = 5
NOW = datetime(2026, 11, 22, tzinfo=UTC)
RULE = {
    "all": [
        {"bought": {"any": True}, "at_least": 2, "days": 90},
        {"field": "customer.country", "op": "=", "value": "GB"},
        {"not": {"field": "can_email", "op": "=", "value": False}},
    ]
}
BEST = """
SELECT count(*) FROM ingestion_customer AS c
JOIN (
    SELECT customer_id FROM ingestion_orderline
    WHERE placed_at >= %s AND kind = 'product'
    GROUP BY customer_id HAVING count(DISTINCT order_id) >= 2
) AS often ON often.customer_id = c.id
JOIN ingestion_consent AS k ON k.customer_id = c.id AND k.channel = 'email'
    AND k.purpose = 'marketing' AND k.current AND k.granted
WHERE c.country = 'GB' AND c.email IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM ingestion_suppression AS s WHERE s.channel = 'email' AND s.address = c.email
)
"""


@contextmanager
def _shop(size: str) -> Iterator[int]:
    people, lines = bench_features.SHOPS[size]
    with transaction.atomic():
        bench_features.plant(people, lines, now=NOW)
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO ingestion_consent (customer_id, channel, purpose, granted, at, source,"
                " proof, current) SELECT id, 'email', 'marketing', id %% 10 < 8, %s, 'bench', '{}',"
                " true FROM ingestion_customer WHERE external_id LIKE 'bench-%%'",
                [NOW],
            )
            cursor.execute(
                "INSERT INTO ingestion_suppression (channel, address, reason, at) SELECT 'email',"
                " email, 'bounced', %s FROM ingestion_customer"
                " WHERE id %% 50 = 0 AND external_id LIKE 'bench-%%'",
                [NOW],
            )
            cursor.execute("ANALYZE ingestion_consent, ingestion_suppression")
        yield people
        transaction.set_rollback(True)


def segment_count(size: str = "small") -> dict[str, Any]:
    """Two orders in 90 days, a country, can be mailed: against hand-written SQL."""
    ours, limit = [], []
    with _shop(size) as people:
        node = compiler.read(RULE)
        for _round in range(RUNS):
            began = time.perf_counter()
            with connection.cursor() as cursor:
                cursor.execute(BEST, [NOW - timedelta(days=90)])
                expected = cursor.fetchone()[0]
            limit.append(1 / (time.perf_counter() - began))
            began = time.perf_counter()
            found = membership.count(node, as_of=NOW, patience_ms=60_000)
            ours.append(1 / (time.perf_counter() - began))
            if found.people != expected:
                raise AssertionError(f"{found.people} people, the hand-written SQL {expected}")
    return bench_features.line("segment.count", "counts/s", people, ours, limit, "hand-written SQL")


def segment_person(size: str = "small") -> dict[str, Any]:
    """One person against 500 different segments; the limit is 25 ms."""
    with _shop(size) as people:
        return bench_upkeep.person(people=people, runs=RUNS, now=NOW)


def segment_refresh(size: str = "small") -> dict[str, Any]:
    """Membership after 1% of the people changed, as a share of making it anew."""
    with _shop(size) as people:
        return bench_upkeep.refresh(people=people, runs=RUNS, now=NOW)


WORKLOADS: dict[str, Callable[..., dict[str, Any]]] = {
    "segment.count": segment_count,
    "segment.person": segment_person,
    "segment.refresh": segment_refresh,
    "event.visible": bench_events.event_visible,
}

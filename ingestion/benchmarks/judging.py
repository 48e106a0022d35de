"""Judging events by their plan and listing their properties, against reading the same events."""

import random
import time
from datetime import UTC, datetime, timedelta

import orjson

from ingestion.benchmarks import measuring
from ingestion.benchmarks.measuring import Line
from ingestion.events.incoming import Incoming
from ingestion.models import EventPlan
from ingestion.registry import tally
from ingestion.registry.judging import CompiledType

RUNS = 5
EVENTS = {"small": 20_000, "full": 200_000}
RULES = {
    "sku": {"type": "string", "required": True},
    "price": {"type": "number", "min": 0, "max": 1_000},
    "quantity": {"type": "integer"},
}


def judge_events(*, size: str = "small") -> Line:
    """Each event against its plan, then what all of them look like; in events a second."""
    n = EVENTS.get(size, EVENTS["small"])
    now = datetime.now(UTC)
    chance = random.Random(1)
    bodies = [
        orjson.dumps(
            {
                "sku": f"A{chance.randrange(999)}",
                "price": round(chance.random() * 90, 2),
                "quantity": chance.randrange(1, 9),
                "url": f"/p/{chance.randrange(9_999)}",
                "seen_at": "2026-01-01T00:00:00Z",
            }
        )
        for _ in range(n)
    ]
    moments = [now - timedelta(seconds=chance.random() * 600) for _ in range(n)]
    plan = CompiledType(EventPlan(name="view", policy="warn", properties=RULES))
    ours: list[float] = []
    bare: list[float] = []
    for _ in range(RUNS):
        began = time.perf_counter()
        batch = [
            Incoming("view", at, properties=orjson.loads(body))
            for body, at in zip(bodies, moments, strict=True)
        ]
        bare.append(time.perf_counter() - began)
        began = time.perf_counter()
        for event in batch:
            plan.fault(event.properties)
        tally.add_up(batch, now=now, verdicts={})
        ours.append(time.perf_counter() - began)
    peer = "reading the same events from JSON"
    return measuring.line("events.judge", n, ours, bare, peer, "events/s")

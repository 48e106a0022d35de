"""A plan of orders, events to hold against it, and what is found."""

from datetime import UTC, datetime
from typing import Any

from ingestion import registry
from ingestion.events import Incoming
from ingestion.models import EventPlan
from ingestion.registry import plans

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
ORDER = {
    "total": {"type": "number", "required": True, "min": 0, "max": 10_000},
    "currency": {"type": "string", "values": ["EUR", "GBP"]},
    "on": {"type": "date-time"},
    "items": {"type": "array"},
    "count": {"type": "integer"},
}


def event(name: str = "order", **properties: Any) -> Incoming:
    return Incoming(type=name, at=NOW, properties=properties)


def agree(policy: str = "quarantine", name: str = "order", **more: Any) -> EventPlan:
    return plans.save(
        name=name, policy=policy, user=None, now=NOW, **({"properties": ORDER} | more)
    )


def judge(*batch: Incoming) -> dict[int, tuple[str, str, str]]:
    found = registry.judge(batch=batch, source="web", now=NOW)
    return {i: (v.action, v.code, v.field) for i, v in found.items()}

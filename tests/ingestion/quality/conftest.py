"""A shop on a fixed day, measured by the real functions."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingestion.models import Customer, EventType, EventVolume, Expectation, Measure, Problem
from ingestion.quality import expectations, problems

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)  # a Sunday


@pytest.fixture
def measure(db: None) -> Callable[..., dict[str, Problem]]:
    """measure(now=…) → the open problems by their code and place."""

    def run(now: datetime = NOW) -> dict[str, Problem]:
        problems.measure(now=now)
        return {
            f"{p.code} {p.subject}.{p.field}".rstrip("."): p
            for p in Problem.objects.filter(ended_at=None)
        }

    return run


def figure(dimension: str, subject: str, field: str = "", source: str = "") -> tuple[int, int]:
    """(rows, of which bad) of the newest day."""
    row = Measure.objects.filter(
        dimension=dimension, subject=subject, field=field, source=source
    ).latest("day")
    return row.total, row.bad


def volume(name: str, source: str, by_day: dict[int, int], *, now: datetime = NOW) -> None:
    """Events of a type: {days ago: how many}."""
    kind, _made = EventType.objects.get_or_create(
        name=name, defaults={"first_seen_at": now - timedelta(days=90), "last_seen_at": now}
    )
    EventVolume.objects.bulk_create(
        EventVolume(
            at=(now - timedelta(days=days)).replace(hour=12, minute=0),
            type=kind,
            source=source,
            count=n,
        )
        for days, n in by_day.items()
        if n
    )


def expect(subject: str, field: str, kind: str, **more: Any) -> Expectation:
    return expectations.save(subject=subject, field=field, kind=kind, user=None, now=NOW, **more)


def people(**columns: list[Any]) -> None:
    size = len(next(iter(columns.values())))
    Customer.objects.bulk_create(
        Customer(external_id=f"c{i}", **{name: values[i] for name, values in columns.items()})
        for i in range(size)
    )

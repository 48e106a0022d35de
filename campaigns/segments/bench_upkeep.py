"""What it costs to keep stored membership: one person, and one in a hundred."""

import statistics
import time
from datetime import timedelta
from typing import Any

from django.db import connection

from campaigns.models import Segment, SegmentMember, SegmentUpkeep
from campaigns.segments import membership, upkeep
from ingestion.models import Customer

SEGMENTS = 500
CHANGED = 97  # one in so many, from all countries alike
GOAL_MS, GOAL_SHARE = 25.0, 0.05
RULES: dict[str, dict[str, Any]] = {
    "bench: often": {
        "all": [
            {"bought": {"any": True}, "at_least": 2, "days": 90},
            {"field": "customer.country", "op": "=", "value": "GB"},
            {"field": "can_email", "op": "=", "value": True},
        ]
    },
    "bench: quiet": {
        "all": [
            {"not": {"bought": {"any": True}, "days": 30}},
            {"field": "customer.country", "op": "in", "value": ["GB", "FR"]},
        ]
    },
    "bench: seen": {
        "any": [
            {"did": "page", "at_least": 3, "days": 30},
            {"field": "customer.country", "op": "=", "value": "DE"},
        ]
    },
}


def person(*, people: int, runs: int, now: Any) -> dict[str, Any]:
    """One person against 500 different segments, in milliseconds, at another moment each time."""
    taken: list[float] = []
    segments = [
        Segment(
            pk=n + 1,
            rule={
                "all": [
                    {"bought": {"any": True}, "at_least": 1 + n % 3, "days": 5 + n},
                    {"field": "customer.country", "op": "=", "value": ("GB", "FR")[n % 2]},
                    {"field": "traits.orders", "op": ">=", "value": n % 5},
                ]
            },
        )
        for n in range(SEGMENTS)
    ]
    ids = list(Customer.objects.order_by("pk").values_list("pk", flat=True)[: runs + 1])
    for turn, customer in enumerate(ids):
        began = time.perf_counter()
        membership.of_person(
            customer_id=customer, segments=segments, as_of=now + timedelta(seconds=turn)
        )
        if turn:  # the first one writes the rules as SQL, once per process
            taken.append(1000 * (time.perf_counter() - began))
    middle = statistics.median(taken)
    return {
        "name": "segment.person",
        "value": round(middle, 2),
        "unit": "ms",
        "n": people,
        "limit": {"what": "500 segments for one person within", "value": GOAL_MS},
        "peer": None,
        "ratio": round(GOAL_MS / middle, 3),
        "runs": len(taken),
        "spread": round((max(taken) - min(taken)) / middle, 3),
    }


def refresh(*, people: int, runs: int, now: Any) -> dict[str, Any]:
    """Three segments after one person in a hundred changed, against making them from nothing.

    `of_sweep` is the share of looking at everybody again where only differences are written.
    """
    made = [Segment.objects.create(name=name, rule=rule) for name, rule in RULES.items()]
    ids = [segment.pk for segment in made]
    shares: list[float] = []
    sweeps: list[float] = []
    _make(ids, now, changes=False)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE campaigns_segmentmember")
    for turn in range(runs):
        _change(2 * turn)
        taken = _make(ids, now, rebuilt=0)
        _change(2 * turn + 1)
        SegmentUpkeep.objects.filter(pk__in=ids).update(signature="")
        sweep = _make(ids, now, rebuilt=len(ids))
        SegmentUpkeep.objects.filter(pk__in=ids).delete()
        SegmentMember.objects.filter(segment_id__in=ids).delete()
        whole = _make(ids, now, rebuilt=len(ids))
        shares.append(taken / whole)
        sweeps.append(taken / sweep)
    middle = statistics.median(shares)
    return {
        "name": "segment.refresh",
        "value": round(middle, 4),
        "unit": "of a rebuild",
        "n": people,
        "limit": {"what": "1% changed, share of making it from nothing", "value": GOAL_SHARE},
        "peer": None,
        "ratio": round(GOAL_SHARE / middle, 3),
        "runs": runs,
        "spread": round((max(shares) - min(shares)) / middle, 3),
        "of_sweep": round(statistics.median(sweeps), 4),
    }


def _make(ids: list[int], now: Any, *, rebuilt: int | None = None, changes: bool = True) -> float:
    """Seconds of one refresh of these segments, which must have done what is measured."""
    if not changes:
        _forget()
    began = time.perf_counter()
    done = upkeep.refresh(now=now, segment_ids=ids, seconds=3600)
    taken = time.perf_counter() - began
    if rebuilt is not None and (done.rebuilt != rebuilt or not done.entered + done.left):
        raise AssertionError(f"not what was to be measured: {done}")
    return taken


def _change(turn: int) -> None:
    """Let one in a hundred move to another country, others each time."""
    _forget()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ingestion_customer SET country = CASE country WHEN 'GB' THEN 'ES' ELSE 'GB' END"
            " WHERE external_id LIKE 'bench-%%' AND id %% %s = %s",
            [CHANGED, turn % CHANGED],
        )


def _forget() -> None:
    """What this transaction wrote, a transaction of its own would be told once."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM ingestion_change")

"""What it costs to keep stored membership: one person, and one in a hundred."""

import statistics
import time
from datetime import timedelta
from typing import Any

from django.db import connection

from campaigns.models import PersonList, Segment, SegmentLevel, SegmentMember, SegmentUpkeep
from campaigns.segments import rulebook, upkeep
from ingestion import changes, events
from ingestion.benchmarks import measuring
from ingestion.models import Customer
from models_ml import features
from models_ml.benchmarks import shops

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
    """One changed person against 500 kept segments of all kinds, from the change to stored members
    and moves, in milliseconds: every rule is asked. `of_event` is the same after an event that
    concerns some of them.
    """
    prediction, listed = _plant(now)
    segments = Segment.objects.bulk_create([
        Segment(name=f"bench: {n}", rule=_rule(n, prediction, listed)) for n in range(SEGMENTS)
    ])  # fmt: skip
    _stand_still(now)
    ids = list(Customer.objects.order_by("pk").values_list("pk", flat=True)[: 2 * runs + 1])
    changes.note(kind=changes.PEOPLE, people=ids)
    upkeep.refresh(now=now, seconds=3600)  # writes the rules as SQL, once per process
    every: list[float] = []
    some: list[float] = []
    for turn, customer in enumerate(ids[1:]):
        _forget()
        asked = every if turn % 2 else some
        _act(customer, turn, now)
        if turn % 2:
            changes.note(kind=changes.PEOPLE, people=[customer])
        began = time.perf_counter()
        done = upkeep.refresh(now=now + timedelta(seconds=1), seconds=3600)
        asked.append(1000 * (time.perf_counter() - began))
        if done.rebuilt or (turn % 2 and done.segments != len(segments)):
            raise AssertionError(f"not what was to be measured: {done}")
    return measuring.figure(
        "segment.person", "ms", people, every, most=GOAL_MS,
        what="500 segments for one person within", of_event=round(statistics.median(some), 2),
    )  # fmt: skip


def _rule(n: int, prediction: str, listed: int) -> dict[str, Any]:
    """The rule of one of many segments, as marketers write them: no two are alike."""
    days, times = 5 + n, 1 + n % 3
    price = {"property": "price", "op": ">", "value": n}
    kinds: list[dict[str, Any]] = [
        {"bought": {"any": True}, "at_least": times, "days": days},
        {"not": {"bought": {"any": True}, "days": days}},
        {"ordered": "money", "op": ">=", "value": n, "days": 365},
        {"ordered": "units", "op": ">=", "value": times, "days": days},
        {"bought": {"sku": f"bench-{n}"}, "days": 365},
        {"did": "page", "at_least": times, "days": days},
        {"did": "page", "at_least": 1, "days": 30, "where": [price]},
        {"sequence": [{"did": "cart"}, {"did_not": "page", "within": {"days": 3}}], "days": days},
        {"did": "page", "when": {"calendar": ("this_week", "last_month")[n % 2]}},
        {"in_list": listed},
        {"score": prediction, "op": "top", "value": 1 + n % 99},
        {"field": "traits.orders", "op": ">=", "value": n % 7},
        {"rfm": {"r": [1 + n % 5], "f": [4, 5]}},
        {"lifecycle": [("active", "loyal", "at_risk")[n % 3]]},
        {"reach": "email", "purpose": "marketing"},
        {"consent": "email", "purpose": "marketing", "answer": "no"},
        {"message": "opened", "at_least": times, "days": days},
        {"attribute": "tier", "as": "text", "op": "=", "value": f"t{n}"},
        {"field": "rollup.last_order_at", "op": "within_days", "value": days},
        {"bucket": f"bench {n}", "from": 0, "to": 50},
    ]
    country = {"field": "customer.country", "op": "=", "value": ("GB", "FR")[n % 2]}
    return {("all", "any")[n % 5 == 4]: [kinds[n % len(kinds)], country]}


def _plant(now: Any) -> tuple[str, int]:
    """Events, numbers, a prediction and a list for everybody; the prediction's key, the list."""
    if not shops.kept():
        shops.events(now=now)
        features.build(as_of=now)
    prediction = shops.scored()
    listed = PersonList.objects.create(name="bench", read_at=now)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO campaigns_personlistmember (list_id, customer_id)"
            " SELECT %s, id FROM ingestion_customer WHERE mod(id, 100) = 7",
            [listed.pk],
        )
        cursor.execute("ANALYZE models_ml_traits, campaigns_personlistmember, campaigns_segment")
    return prediction, listed.pk


def _stand_still(now: Any) -> None:
    """Say of every segment that it was brought up to now, with nobody in it."""
    _forget()
    rules = rulebook.load()
    level = SegmentLevel.objects.create(position=changes.position(), as_of=now, looked_at=now)
    SegmentUpkeep.objects.bulk_create(
        SegmentUpkeep(
            segment_id=number, level=level, signature=rules.signatures[number], built_at=now
        )
        for number in rules.order
    )


def _act(customer: int, turn: int, now: Any) -> None:
    """Let somebody look at a page."""
    told = {"type": "page", "customer_id": customer, "at": now, "message_id": f"bench {turn}"}
    events.record(batch=[told], source="bench", now=now)


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
    return measuring.figure(
        "segment.refresh", "of a rebuild", people, shares, most=GOAL_SHARE,
        what="1% changed, share of making it from nothing", digits=4,
        of_sweep=round(statistics.median(sweeps), 4),
    )  # fmt: skip


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

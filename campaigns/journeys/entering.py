"""Coming in: each cause once, one stay at a time, as often as the journey allows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db import connection, transaction
from django.utils import timezone

from campaigns.journeys.asked import Answers
from campaigns.journeys.graph import LATE, held_out
from campaigns.journeys.graphs import Walked
from campaigns.models import Enrollment, JourneyTally
from marketing.core import bus
from marketing.core.db import advisory_lock

_AT_ONCE = 5_000
_KNOWN = """
SELECT n.place, EXISTS (SELECT FROM campaigns_enrollment e
                        WHERE e.journey_id = %(journey)s AND e.key = n.key),
       EXISTS (SELECT FROM campaigns_enrollment e WHERE e.journey_id = %(journey)s
               AND e.customer_id = n.customer AND e.slot = n.slot AND e.ended_at IS NULL),
       %(again)s AND EXISTS (SELECT FROM campaigns_enrollment e WHERE e.journey_id = %(journey)s
               AND e.customer_id = n.customer AND e.slot = n.slot
               AND e.entered_at > coalesce(%(since)s, '-infinity'::timestamptz))
FROM unnest(%(places)s::int[], %(keys)s::text[], %(customers)s::bigint[], %(slots)s::text[])
    AS n (place, key, customer, slot)
"""
_ENTER = """
INSERT INTO campaigns_enrollment (journey_id, version_id, customer_id, key, slot, node, arrived_at,
    wake_at, context, steps, entered_at, outcome, ended_at)
SELECT %(journey)s, %(version)s, c.id, n.key, n.slot, %(node)s, n.at,
    CASE WHEN NOT n.held THEN n.at END, n.context, 0, n.at,
    CASE WHEN n.held THEN 'held' ELSE '' END, CASE WHEN n.held THEN n.at END
FROM unnest(%(keys)s::text[], %(customers)s::bigint[], %(slots)s::text[], %(ats)s::timestamptz[],
    %(contexts)s::jsonb[], %(held)s::bool[]) WITH ORDINALITY
    AS n (key, customer, slot, at, context, held, place)
JOIN ingestion_customer c ON c.id = n.customer AND c.merged_into_id IS NULL
ORDER BY n.at, c.id, n.place ON CONFLICT DO NOTHING RETURNING outcome
"""
_TALLY = """
INSERT INTO campaigns_journeytally (journey_id, day, reason, people)
SELECT %s, %s, reason, people FROM unnest(%s::text[], %s::bigint[]) AS n (reason, people)
ON CONFLICT (journey_id, day, reason)
DO UPDATE SET people = campaigns_journeytally.people + excluded.people
"""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody who may come in. `key` names what brings them, so that it does so once."""

    customer_id: int
    key: str
    at: datetime
    slot: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entered:
    """How many came in, how many had come by the same cause before, how many are held out to
    measure the journey, and why others did not come in.
    """

    entered: int = 0
    before: int = 0
    held: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)


def enter(*, version: Walked, candidates: Sequence[Candidate], now: datetime) -> Entered:
    """Let people in. A cause that was counted once changes nothing when it comes again."""
    if not candidates:
        return Entered()
    with transaction.atomic():
        if version.graph.per_day is not None:
            # Whoever counts how many came in must be the only one to let people in.
            with advisory_lock(f"journey.cap:{version.journey_id}"):
                return _enter_all(version, candidates, now)
        return _enter_all(version, candidates, now)


def _enter_all(version: Walked, candidates: Sequence[Candidate], now: datetime) -> Entered:
    total, before, held, refused = 0, 0, 0, Counter[str]()
    for first in range(0, len(candidates), _AT_ONCE):
        some = _enter(version, candidates[first : first + _AT_ONCE], now)
        total, before, held = total + some.entered, before + some.before, held + some.held
        refused.update(some.refused)
    if refused:
        with connection.cursor() as cursor:
            cursor.execute(
                _TALLY,
                [version.journey_id, timezone.localdate(now), list(refused), [*refused.values()]],
            )
    if total:
        bus.announce("journeys.due")
    return Entered(total, before, held, dict(refused))


def _enter(version: Walked, candidates: Sequence[Candidate], now: datetime) -> Entered:
    graph = version.graph
    known = _known(version, candidates, now)
    before, refused = 0, Counter[str]()
    fresh: list[Candidate] = []
    taken: set[tuple[int, str]] = set()
    for place, candidate in enumerate(candidates):
        came, inside, again = known[place]
        place_of = (candidate.customer_id, candidate.slot)
        if came:
            before += 1
        elif inside or place_of in taken:
            refused[JourneyTally.Reason.INSIDE] += 1
        elif again:
            refused[JourneyTally.Reason.AGAIN] += 1
        else:
            taken.add(place_of)
            fresh.append(candidate)
    if fresh and graph.entry.rule:
        answers = Answers(graph=graph, version_id=version.id, now=now)
        good = answers.holding(graph.entry.rule, [one.customer_id for one in fresh])
        refused[JourneyTally.Reason.RULE] += sum(one.customer_id not in good for one in fresh)
        fresh = [one for one in fresh if one.customer_id in good]
    if fresh and graph.per_day is not None:
        room = max(0, graph.per_day - entered_today(journey_id=version.journey_id, now=now))
        refused[JourneyTally.Reason.CAPPED] += len(fresh[room:])
        fresh = fresh[:room]
    entered, held = _insert(version, fresh, now)
    return Entered(entered, before, held, +refused)


def _known(
    version: Walked, candidates: Sequence[Candidate], now: datetime
) -> dict[int, tuple[bool, bool, bool]]:
    entry = version.graph.entry
    with connection.cursor() as cursor:
        cursor.execute(
            _KNOWN,
            {
                "journey": version.journey_id,
                "again": entry.again != "always",
                "since": now - timedelta(days=entry.days) if entry.again == "after" else None,
                "places": list(range(len(candidates))),
                "keys": [one.key for one in candidates],
                "customers": [one.customer_id for one in candidates],
                "slots": [one.slot for one in candidates],
            },
        )
        return {place: (came, inside, again) for place, came, inside, again in cursor.fetchall()}


def _insert(version: Walked, fresh: Sequence[Candidate], now: datetime) -> tuple[int, int]:
    """How many came in, and how many are held out: of them nothing of the event is kept."""
    if not fresh:
        return 0, 0
    held = [held_out(version.graph, key=version.key, unit=one.customer_id) for one in fresh]
    with connection.cursor() as cursor:
        cursor.execute(
            _ENTER,
            {
                "journey": version.journey_id,
                "version": version.id,
                "node": version.graph.start,
                "keys": [one.key for one in fresh],
                "customers": [one.customer_id for one in fresh],
                "slots": [one.slot for one in fresh],
                "ats": [one.at if now - one.at <= LATE else now for one in fresh],
                "contexts": [
                    "{}" if kept else orjson.dumps(dict(one.context)).decode()
                    for one, kept in zip(fresh, held, strict=True)
                ],
                "held": held,
            },
        )
        ends = [row[0] for row in cursor.fetchall()]
    kept_out = ends.count(Enrollment.Outcome.HELD)
    return len(ends) - kept_out, kept_out


def entered_today(*, journey_id: int, now: datetime) -> int:
    """How many came in since the shop's day began."""
    day = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM campaigns_enrollment WHERE journey_id = %s AND entered_at >= %s",
            [journey_id, day],
        )
        return int(cursor.fetchone()[0])

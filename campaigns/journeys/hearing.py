"""Facts told to journeys: events and moves of segments, each exactly once.

Whose events are new is told by notes with a place of their own, as for segments, whatever the order
in which transactions ended; a ledger of the last days' events says which were told before. Reading,
letting people in, and the new place are one transaction. Told late – more than a day
after it happened – an event brings nobody in and ends no wait: an import of last year's orders
starts no journeys.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db import connection

from campaigns.models import JourneyCursor
from campaigns.segments.asking import array
from ingestion import changes

READER = "campaigns.journeys"
EVENTS, MOVES = "events", "moves"
TOLD_LATE = timedelta(days=1)
MOST_MOVES = 20_000

# What a scanner of links opened or clicked is no deed of a person's.
# Events of people of whom something is noted are read again as long as they are a day young; the
# ledger says which of them were told before.
_EVENTS = """
WITH here AS MATERIALIZED (
    SELECT id, type, customer_id, received_at, properties FROM ingestion_event
    WHERE type = ANY(%(types)s) AND at >= %(since)s AND customer_id {whose}
        AND NOT (source = 'campaigns' AND properties @> '{{"machine": true}}')
), fresh AS (
    INSERT INTO campaigns_journeyheard (event_id, at) SELECT DISTINCT id, %(now)s::timestamptz
    FROM here ON CONFLICT DO NOTHING RETURNING event_id
)
SELECT h.id, h.type, h.customer_id, h.received_at, h.properties::text
FROM here h JOIN fresh f ON f.event_id = h.id ORDER BY h.received_at, h.id
"""
_MOVES = """
SELECT id, segment_id, customer_id, entered, at, cause FROM campaigns_segmentmove
WHERE id > %s AND segment_id = ANY(%s) ORDER BY id LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of a person, or that they entered or left a segment. `at` is when we learned it."""

    id: int
    customer_id: int
    at: datetime
    type: str = ""
    properties: Mapping[str, Any] | None = None
    segment: int | None = None
    entered: bool = True
    cause: str = ""


def begin(*, now: datetime) -> None:
    """From now on facts are noted for journeys: called when the first one goes live."""
    JourneyCursor.objects.get_or_create(
        name=EVENTS, defaults={"position": changes.position(), "at": now}
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) FROM campaigns_segmentmove")
        last = int(cursor.fetchone()[0])
    JourneyCursor.objects.get_or_create(name=MOVES, defaults={"number": last, "at": now})


def events(*, types: Iterable[str], now: datetime) -> list[Happened]:
    """The events of these types that are new, in the order in which they came; keeps the place."""
    wanted = sorted(set(types))
    cursor, fresh = JourneyCursor.objects.select_for_update().get_or_create(
        name=EVENTS, defaults={"position": changes.position(), "at": now}
    )
    if fresh:
        changes.confirm(reader=READER, position=cursor.position, now=now)
        return []
    found: list[Happened] = []
    if wanted:
        news = changes.since(cursor.position)
        cursor.position = news.position
        people = None if news.lost else news.of((changes.EVENT, type) for type in wanted)
        if people is None or people:
            found = _events(wanted, people, now)
    else:
        cursor.position = changes.position()
    cursor.at = now
    cursor.save(update_fields=["position", "at"])
    changes.confirm(reader=READER, position=cursor.position, now=now)
    return found


def _events(types: Sequence[str], people: set[int] | None, now: datetime) -> list[Happened]:
    whose = "IS NOT NULL" if people is None else "= ANY(%(people)s::bigint[])"
    with connection.cursor() as cursor:
        cursor.execute(
            _EVENTS.format(whose=whose),
            {
                "types": list(types),
                "since": now - TOLD_LATE,
                "now": now,
                "people": array(people or ()),
            },
        )
        return [
            Happened(
                id=id_,
                type=type_,
                customer_id=customer,
                at=received,
                properties=orjson.loads(properties),
            )
            for id_, type_, customer, received, properties in cursor.fetchall()
        ]


def moves(*, segments: Iterable[int], now: datetime) -> tuple[list[Happened], bool]:
    """The moves of these segments since the last look, and whether there are more of them."""
    wanted = sorted(set(segments))
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) FROM campaigns_segmentmove")
        last = int(cursor.fetchone()[0])
        row, fresh = JourneyCursor.objects.select_for_update().get_or_create(
            name=MOVES, defaults={"number": last, "at": now}
        )
        if fresh or not wanted or row.number == last:
            JourneyCursor.objects.filter(pk=MOVES).update(number=last, at=now)
            return [], False
        cursor.execute(_MOVES, [row.number, wanted, MOST_MOVES])
        found = [
            Happened(
                id=id_, customer_id=customer, at=at, segment=segment, entered=entered, cause=cause
            )
            for id_, segment, customer, entered, at, cause in cursor.fetchall()
        ]
    more = len(found) == MOST_MOVES
    JourneyCursor.objects.filter(pk=MOVES).update(number=found[-1].id if more else last, at=now)
    return found, more


def tidy(*, now: datetime) -> int:
    """Forget events that are too old to be told again; how many."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM campaigns_journeyheard WHERE at < %s", [now - 2 * TOLD_LATE])
        return int(cursor.rowcount)

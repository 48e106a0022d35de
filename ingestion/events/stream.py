"""The newest events as they were stored, and one event found again by its message id.

Event rows are numbered in the order in which they were stored, and their key begins with that
number, so the newest are read from its end without sorting. A filter looks through the newest
events only: what is older is found on its person's page, or by its message id.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import OperationalError, connection
from django.db.models import Q

from ingestion.events import claims
from ingestion.events.incoming import key_of
from ingestion.models import Event
from marketing.core.db import statement_timeout

LOOKED_THROUGH = 200_000
TIME_LIMIT = 3_000
MARGIN = timedelta(seconds=30)

# Where in the numbers a moment lies: halves the numbers until one is left.
_PLACE = """
WITH RECURSIVE ends AS (SELECT min(id) AS lo, max(id) AS hi FROM ingestion_event),
search AS (
    SELECT lo, hi, 0 AS turn FROM ends
    UNION ALL
    SELECT CASE WHEN r.received_at < %(at)s THEN (s.lo + s.hi) / 2 ELSE s.lo END,
           CASE WHEN r.received_at < %(at)s THEN s.hi ELSE (s.lo + s.hi) / 2 END, s.turn + 1
    FROM search s, LATERAL (
        SELECT received_at FROM ingestion_event WHERE id >= (s.lo + s.hi) / 2 ORDER BY id LIMIT 1
    ) r
    WHERE s.hi - s.lo > 1 AND s.turn < 64
)
SELECT lo FROM search ORDER BY turn DESC LIMIT 1
"""


@dataclass(frozen=True)
class Wanted:
    """Which events to show; empty means any. `before` is the number of the last one shown."""

    type: str = ""
    source: str = ""
    customer_id: int | None = None
    before: int | None = None


@dataclass(frozen=True)
class Found:
    """Events, newest first; whether there may be more, and whether only a part was looked at."""

    rows: list[Event]
    more: bool = False
    partly: bool = False


def newest(*, wanted: Wanted, limit: int = 50) -> Found:
    """The newest events that are wanted."""
    events = Event.objects.all()
    if wanted.customer_id is not None:
        return _of_person(wanted.customer_id, wanted, limit)
    if wanted.before is not None:
        events = events.filter(id__lt=wanted.before)
    filtered = bool(wanted.type or wanted.source)
    floor = 0
    if filtered:
        floor = (wanted.before or _last()) - LOOKED_THROUGH
        events = events.filter(id__gte=floor)
        if wanted.type:
            events = events.filter(type=wanted.type)
        if wanted.source:
            events = events.filter(source=wanted.source)
    try:
        with statement_timeout(TIME_LIMIT):
            rows = list(events.select_related("customer").order_by("-id")[: limit + 1])
    except OperationalError:
        return Found([], partly=True)
    return Found(rows[:limit], len(rows) > limit, filtered and len(rows) <= limit and floor > 1)


def _of_person(customer_id: int, wanted: Wanted, limit: int) -> Found:
    events = Event.objects.filter(customer_id=customer_id)
    if wanted.type:
        events = events.filter(type=wanted.type)
    if wanted.source:
        events = events.filter(source=wanted.source)
    if wanted.before is not None:
        # By the moment first: what a person did is often stored long after it happened.
        last = Event.objects.filter(id=wanted.before).values_list("at", flat=True).first()
        if last is None:
            return Found([])
        events = events.filter(Q(at__lt=last) | Q(at=last, id__lt=wanted.before))
    rows = list(events.select_related("customer").order_by("-at", "-id")[: limit + 1])
    return Found(rows[:limit], len(rows) > limit)


def _last() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(id) FROM ingestion_event")
        return int(cursor.fetchone()[0] or 0)


def get(*, event_id: int) -> Event | None:
    """One event by its number."""
    return Event.objects.filter(id=event_id).select_related("customer").first()


def by_message_id(*, message_id: str, sources: Iterable[str]) -> list[Event]:
    """Stored events of this message id: found through the ledger, which knows when it came in."""
    if not message_id:
        return []
    keys = [key_of(source, message_id) for source in sources]
    moments: list[datetime | None] = [*_moments(keys)] or [None]
    rows: list[Event] = []
    try:
        with statement_timeout(TIME_LIMIT):
            for at in moments:
                low, high = _range(at)
                near = Event.objects.filter(id__gte=low, id__lte=high, message_id=message_id)
                rows += near.select_related("customer")[:5]
    except OperationalError:
        return rows
    return list({row.id: row for row in rows}.values())


def _moments(keys: list[str]) -> list[datetime]:
    if not keys:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT at FROM ingestion_eventkey WHERE key = ANY(%s::uuid[])", [claims.array(keys)]
        )
        return [row[0] for row in cursor.fetchall()][:5]


def _range(at: datetime | None) -> tuple[int, int]:
    if at is None:
        last = _last()
        return last - LOOKED_THROUGH, last
    with connection.cursor() as cursor:
        cursor.execute(_PLACE, {"at": at - MARGIN})
        row: tuple[Any, ...] | None = cursor.fetchone()
    low = int(row[0] or 0) if row else 0
    return low, low + LOOKED_THROUGH

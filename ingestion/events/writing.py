"""Requests' events into the ledger and the inbox, in one statement that is one transaction.

Small requests that arrive together at one process share it: whoever is first writes for all who
wait, so the disk's flush and the planner's time are paid once for many. They share one connection
too, however many threads the web server has.
"""

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg2
from django.db import InterfaceError, OperationalError, connection

from ingestion.events import claims

GROUP_ITEMS = 2_000
TRIES = 4
_RETRIED = ("40001", "40P01")  # serialization failure, deadlock
_STATEMENT = """
WITH given (key, digest, box, place) AS (
    SELECT * FROM unnest({}::uuid[], {}::bigint[], {}::int[], {}::int[])
), fresh AS (
    INSERT INTO ingestion_eventkey (key, digest, at)
    SELECT key, digest, {}::timestamptz FROM given ORDER BY key
    ON CONFLICT (key) DO NOTHING RETURNING key
), late AS (
    SELECT box, array_agg(place) AS places FROM given
    WHERE (SELECT count(*) FROM fresh) < {}::int AND key NOT IN (SELECT key FROM fresh) GROUP BY box
)
INSERT INTO ingestion_inbox (source, door, received_at, items, skipped, payload, refused)
SELECT source, door, received_at, items, late.places || nullif(repeated, '')::int[], payload,
    refused
FROM unnest({}::text[], {}::text[], {}::timestamptz[], {}::int[], {}::text[], {}::text[],
    {}::text[]) WITH ORDINALITY
    AS b (source, door, received_at, items, repeated, payload, refused, box)
LEFT JOIN late USING (box) ORDER BY box
RETURNING skipped
"""
_WIDTH = _STATEMENT.count("{}")
_PLAIN = _STATEMENT.format(*["%s"] * _WIDTH)
_PREPARE = "PREPARE take_events AS " + _STATEMENT.format(*[f"${n + 1}" for n in range(_WIDTH)])
_EXECUTE = f"EXECUTE take_events ({', '.join(['%s'] * _WIDTH)})"


@dataclass
class Ticket:
    """One request's events on their way into the ledger and the inbox."""

    source: str
    door: str
    now: datetime
    keys: list[str]
    digests: list[int]
    payload: str
    refused: str
    items: int
    repeated: list[int] = field(default_factory=list)  # places whose key came earlier in here
    skipped: set[int] = field(default_factory=set)  # places that were not new, once written
    done: bool = False
    error: BaseException | None = None


_waiting: deque[Ticket] = deque()
_pen = threading.Lock()
_line: Any = None  # the connection of whoever holds the pen


def submit(ticket: Ticket) -> None:
    """Have a ticket written: by this thread for all who wait, or by one that did so for us."""
    _waiting.append(ticket)
    with _pen:
        while not ticket.done:
            _write_waiting()
    if ticket.error is not None:
        raise ticket.error


def _write_waiting() -> None:
    group: list[Ticket] = []
    items = 0
    while _waiting and items < GROUP_ITEMS:
        group.append(_waiting.popleft())
        items += len(group[-1].keys)
    try:
        _patiently(_through_line, group)
    except BaseException as error:
        for one in group:
            one.error = error
    for one in group:
        one.done = True


def write(group: Sequence[Ticket]) -> None:
    """Write tickets on this thread's own connection, in the caller's transaction if any."""
    if connection.in_atomic_block:
        _through_django(group)
    else:
        _patiently(_through_django, group)


def _patiently(how: Any, group: Sequence[Ticket]) -> None:
    for attempt in range(TRIES):
        try:
            return how(group)
        except OperationalError as error:
            again = getattr(error.__cause__, "pgcode", "") in _RETRIED
            if not again or attempt == TRIES - 1:
                raise
            time.sleep(0.02 * 2**attempt)
    return None


def _through_django(group: Sequence[Ticket]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_PLAIN, _arguments(group))
        _read(group, cursor.fetchall())


def _through_line(group: Sequence[Ticket]) -> None:
    """Write on the shared connection; one that the server closed meanwhile is opened again."""
    global _line
    arguments = _arguments(group)
    for fresh in (_line is None, True):
        try:
            with connection.wrap_database_errors:
                if _line is None:
                    _line = _open()
                with _line.cursor() as cursor:
                    cursor.execute(_EXECUTE, arguments)
                    return _read(group, cursor.fetchall())
        except (OperationalError, InterfaceError):
            gone = _line is None or _line.closed
            if gone:
                _line = None
            if fresh or not gone:
                raise
    return None


def _open() -> Any:
    made = psycopg2.connect(**connection.get_connection_params())
    made.autocommit = True
    with made.cursor() as cursor:
        cursor.execute("SET TIME ZONE 'UTC'")
        cursor.execute(_PREPARE)
    return made


def hang_up() -> None:
    """Close the shared connection."""
    global _line
    with _pen:
        if _line is not None:
            _line.close()
            _line = None


def _arguments(group: Sequence[Ticket]) -> list[Any]:
    keys: dict[str, tuple[int, int, int]] = {}
    repeated: list[str] = []
    for box, ticket in enumerate(group, 1):
        again = set(ticket.repeated)
        for place, (key, digest) in enumerate(zip(ticket.keys, ticket.digests, strict=True)):
            # Within a group the first to bring a key is the one that counts.
            if place not in again and keys.setdefault(key, (digest, box, place))[1:] != (
                box,
                place,
            ):
                again.add(place)
        repeated.append(claims.array(sorted(again)) if again else "")
    digests, boxes, places = zip(*keys.values(), strict=True) if keys else ((), (), ())
    return [
        claims.array(keys),
        claims.array(digests),
        claims.array(boxes),
        claims.array(places),
        group[0].now,
        len(keys),
        [ticket.source for ticket in group],
        [ticket.door for ticket in group],
        [ticket.now for ticket in group],
        [ticket.items for ticket in group],
        repeated,
        [ticket.payload for ticket in group],
        [ticket.refused for ticket in group],
    ]


def _read(group: Sequence[Ticket], rows: Sequence[tuple[list[int] | None]]) -> None:
    for ticket, (skipped,) in zip(group, rows, strict=True):
        ticket.skipped = set(skipped or ())

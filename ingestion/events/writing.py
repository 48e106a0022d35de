"""Requests' events into the ledger and the inbox, in one statement that is one transaction.

Small requests that arrive together at one process share it: whoever is first writes for all who
wait, so the disk's flush is paid once for many, and hands over to the first who came since. Each
is answered once its group is committed, and for itself: where one request cannot be written, the
others of its group are. All share a few connections on which the statement is planned already,
however many threads the web server has.
"""

import queue
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

import psycopg2
from django.db import InterfaceError, OperationalError, connection

from ingestion.events import claims
from marketing.core.grouped import Grouped

LINES = 4  # connections of one process
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
    error: BaseException | None = None


_lines: "queue.LifoQueue[Any]" = queue.LifoQueue()  # connections that nobody uses, or None
for _number in range(LINES):
    _lines.put(None)


def _write_group(group: Sequence[Ticket]) -> None:
    """Write all; where one of them cannot be written, the others are."""
    try:
        return _patiently(group)
    except (OperationalError, InterfaceError) as error:
        found: BaseException = error
    except Exception as error:
        if len(group) > 1:
            for one in group:
                _write_group([one])
            return None
        found = error
    except BaseException as error:
        found = error
    for one in group:
        one.error = found
    return None


_together = Grouped(_write_group, limit=GROUP_ITEMS, weight=lambda ticket: len(ticket.keys))


def submit(ticket: Ticket) -> None:
    """Have a ticket written together with those of other threads; raises what kept it back."""
    _together.submit(ticket)
    if ticket.error is not None:
        raise ticket.error


def write(ticket: Ticket) -> None:
    """Write one ticket by itself, in the caller's transaction if there is one."""
    if connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute(_PLAIN, _arguments([ticket]))
            _read([ticket], cursor.fetchall())
    else:
        _patiently([ticket])


def _patiently(group: Sequence[Ticket]) -> None:
    for attempt in range(TRIES):
        try:
            return _through_line(group)
        except OperationalError as error:
            again = getattr(error.__cause__, "pgcode", "") in _RETRIED
            if not again or attempt == TRIES - 1:
                raise
            time.sleep(0.02 * 2**attempt)
    return None


def _through_line(group: Sequence[Ticket]) -> None:
    """Write on one of the kept connections; one that the server closed is opened again."""
    arguments = _arguments(group)
    line = _lines.get()
    try:
        for fresh in (line is None, True):
            try:
                with connection.wrap_database_errors:
                    line = line or _open()
                    with line.cursor() as cursor:
                        cursor.execute(_EXECUTE, arguments)
                        return _read(group, cursor.fetchall())
            except (OperationalError, InterfaceError):
                gone = line is None or line.closed
                line = None if gone else line
                if fresh or not gone:
                    raise
    finally:
        _lines.put(line)
    return None


def _open() -> Any:
    made = psycopg2.connect(**connection.get_connection_params())
    made.autocommit = True
    with made.cursor() as cursor:
        cursor.execute("SET TIME ZONE 'UTC'")
        cursor.execute(_PREPARE)
    return made


def hang_up() -> None:
    """Close the kept connections."""
    for line in [_lines.get() for _number in range(LINES)]:
        if line is not None:
            line.close()
        _lines.put(None)


def _arguments(group: Sequence[Ticket]) -> list[Any]:
    if len(group) == 1 and not group[0].repeated:
        ticket = group[0]
        count = len(ticket.keys)
        given = [claims.array(ticket.keys), claims.array(ticket.digests), *_alone(count)]
        return [*given, ticket.now, count, *_boxes(group, [""])]
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
        *_boxes(group, repeated),
    ]


@lru_cache(maxsize=1_000)
def _alone(count: int) -> tuple[str, str]:
    """The boxes and places of so many keys of one ticket."""
    return claims.array(["1"] * count), claims.array(range(count))


def _boxes(group: Sequence[Ticket], repeated: list[str]) -> list[Any]:
    return [
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

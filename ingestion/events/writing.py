"""Requests' events into the ledger and the inbox, in one transaction.

Small requests that arrive together at one process share a statement: whoever is first writes for
all who wait, so the disk's flush is paid once for many, and hands over to the first who came since.
Each is answered once its group is committed, and for itself: where one request cannot be written,
the others of its group are. A large request has its ids copied into the ledger, in the hope that
none is there, which costs half as much; where one is, that is undone and it is written like the
others, which find out which. All share a few connections on which the statements are planned
already, however many threads the web server has.
"""

import queue
import struct
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from io import BytesIO
from typing import Any

import psycopg2
from django.db import InterfaceError, OperationalError, connection
from psycopg2.errors import UniqueViolation
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from ingestion.events import claims
from ingestion.events.incoming import numbers
from marketing.core.db import COPY_HEAD, COPY_TAIL
from marketing.core.grouped import Grouped

LINES = 4  # connections of one process
GROUP_ITEMS = 2_000
TRIES = 4
COPIED_FROM = 30  # ids from which copying them is worth its round trips
WARY_SECONDS = 60.0  # for which a source that sent an id again is not hoped for
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
_BEGIN = "BEGIN; COPY ingestion_eventkey (key, digest, at) FROM STDIN WITH (FORMAT binary)"
_PREPARE_KEEP = """
PREPARE keep_events AS
INSERT INTO ingestion_inbox (source, door, received_at, items, payload, refused)
VALUES ($1, $2, $3, $4, $5, $6)
"""
_KEEP = "EXECUTE keep_events (%s, %s, %s, %s, %s, %s); COMMIT"
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # from which PostgreSQL counts


@dataclass
class Ticket:
    """One request's events on their way into the ledger and the inbox."""

    source: str
    door: str
    now: datetime
    keys: list[bytes]
    digests: list[bytes]
    payload: str
    refused: str
    items: int
    repeated: list[int] = field(default_factory=list)  # places whose key came earlier in here
    skipped: set[int] = field(default_factory=set)  # places that were not new, once written
    error: BaseException | None = None


_lines: "queue.LifoQueue[Any]" = queue.LifoQueue()  # connections that nobody uses, or None
for _number in range(LINES):
    _lines.put(None)
_wary: dict[str, float] = {}  # source → until when it is not hoped for


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
    line = _lines.get()
    try:
        for fresh in (line is None, True):
            try:
                with connection.wrap_database_errors:
                    line = line or _open()
                    return _put(line, group)
            except (OperationalError, InterfaceError):
                gone = line is None or line.closed
                line = None if gone else line
                if fresh or not gone:
                    raise
    finally:
        _lines.put(line)
    return None


def _put(line: Any, group: Sequence[Ticket]) -> None:
    with line.cursor() as cursor:
        if len(group) == 1 and _is_hoped_for(group[0]):
            try:
                return _copy(cursor, group[0])
            except UniqueViolation:
                _wary[group[0].source] = time.monotonic() + WARY_SECONDS
            finally:
                if not line.closed and line.info.transaction_status != TRANSACTION_STATUS_IDLE:
                    cursor.execute("ROLLBACK")
        cursor.execute(_EXECUTE, _arguments(group))
        return _read(group, cursor.fetchall())


def _is_hoped_for(ticket: Ticket) -> bool:
    """Whether all of its ids are likely to be new."""
    if len(ticket.keys) < COPIED_FROM or ticket.repeated:
        return False
    return _wary.get(ticket.source, 0.0) <= time.monotonic()


def _copy(cursor: Any, ticket: Ticket) -> None:
    """Write a ticket of which no key is in the ledger; raises UniqueViolation where one is.

    The keys go before the payload, so that what the server logs of a key that is there holds no
    person's data, and in their order, so that two writers never wait for each other in a ring.
    """
    at = struct.pack(">iq", 8, (ticket.now - _EPOCH) // timedelta(microseconds=1))
    begin, middle = struct.pack(">hi", 3, 16), struct.pack(">i", 8)
    rows = [key + middle + said for key, said in zip(ticket.keys, ticket.digests, strict=True)]
    rows.sort()
    data = COPY_HEAD + begin + (at + begin).join(rows) + at + COPY_TAIL
    cursor.copy_expert(_BEGIN, BytesIO(data), len(data))
    origin = [ticket.source, ticket.door, ticket.now, ticket.items]
    cursor.execute(_KEEP, [*origin, ticket.payload, ticket.refused])
    ticket.skipped = set()


def _open() -> Any:
    # Not by `Question`, which asks on a thread's own connection: these lines are shared by many
    # threads, and what is kept goes in one message with its COMMIT.
    made = psycopg2.connect(**connection.get_connection_params())
    made.autocommit = True
    with made.cursor() as cursor:
        cursor.execute("SET TIME ZONE 'UTC'")
        cursor.execute(_PREPARE)
        cursor.execute(_PREPARE_KEEP)
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
        given = [_hexed(ticket.keys), claims.array(numbers(ticket.digests)), *_alone(count)]
        return [*given, ticket.now, count, *_boxes(group, [""])]
    keys: dict[bytes, tuple[bytes, int, int]] = {}
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
        _hexed(keys),
        claims.array(numbers(digests)),
        claims.array(boxes),
        claims.array(places),
        group[0].now,
        len(keys),
        *_boxes(group, repeated),
    ]


def _hexed(keys: Iterable[bytes]) -> str:
    return claims.array(key.hex() for key in keys)


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

"""The door for live events: claimed and durable in one statement, before the answer.

Threads of one process that arrive together share a transaction: the first writes for all who wait,
so a disk's flush is paid once for many small requests. What the ledger held already is marked in
the row; the drain tells duplicates from conflicts in the same way as the answer did.
"""

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from django.db import OperationalError, connection
from django.utils.translation import gettext as _

from ingestion.events import claims
from ingestion.events.incoming import (
    ID_LIMIT,
    STORED,
    Incoming,
    digest_of,
    key_of,
    made_id,
)
from ingestion.events.nudging import nudge
from ingestion.events.refusals import Rejected
from marketing.core.errors import Invalid

GROUPED = 50  # events; a larger request gains nothing from waiting for others
GROUP_ITEMS = 2_000
TRIES = 4
_KEYS = orjson.OPT_NON_STR_KEYS
_RETRIED = ("40001", "40P01")  # serialization failure, deadlock


@dataclass
class _Ticket:
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
    skipped: set[int] = field(default_factory=set)
    done: bool = False
    error: BaseException | None = None


_waiting: deque[_Ticket] = deque()
_pen = threading.Lock()


def accept(
    *,
    batch: Sequence[Incoming],
    source: str,
    now: datetime,
    door: str = "api",
    rejected: Sequence[Rejected] = (),
) -> list[str]:
    """Take live events; durable when this returns. An outcome per event of `batch`.

    Raises OperationalError when the database cannot be written: then nothing was taken. `rejected`
    are calls of the same request that could not be read; they are kept and counted with it.
    Inside a transaction of the caller's the events are durable when that commits. What was taken
    twice or used another event's id is told in the outcome and counted by the drain.
    """
    if not batch and not rejected:
        return []
    ticket = _ticket(batch, source, door, now, rejected)
    if connection.in_atomic_block or len(batch) > GROUPED:
        _write_patiently([ticket])
    else:
        _submit(ticket)
    nudge()
    if not ticket.skipped:
        return [STORED] * len(batch)
    known = claims.look_up(ticket.keys[place] for place in ticket.skipped)
    return [
        claims.judge(digest, known.get(key, digest)) if place in ticket.skipped else STORED
        for place, (key, digest) in enumerate(zip(ticket.keys, ticket.digests, strict=True))
    ]


def _ticket(
    batch: Sequence[Incoming], source: str, door: str, now: datetime, rejected: Sequence[Rejected]
) -> _Ticket:
    keys, digests, parts = [], [], []
    dumps = orjson.dumps
    for event in batch:
        core = event.core()
        name = event.message_id or made_id(core)
        if len(name) > ID_LIMIT:
            raise Invalid(
                _("A message_id has at most 100 characters."), code="too_long", field="message_id"
            )
        keys.append(key_of(source, name))
        digests.append(digest_of(core))
        at = event.at.isoformat()
        if event.context or event.flags or not event.message_id:
            more = dumps((at, name, event.flags, event.context), dict, _KEYS)
            parts.append(b"[%b,%b" % (core, more[1:]))
        else:
            parts.append(b'[%b,"%b"]' % (core, at.encode()))
    ticket = _Ticket(
        source=source,
        door=door,
        now=now,
        keys=keys,
        digests=digests,
        payload=(b"[" + b",".join(parts) + b"]").decode(),
        refused=dumps([tuple(r) for r in rejected]).decode() if rejected else "",
        items=len(batch) + len(rejected),
    )
    if len(set(keys)) < len(keys):
        seen: set[str] = set()
        for place, key in enumerate(keys):
            if key in seen:
                ticket.repeated.append(place)
            seen.add(key)
    return ticket


def unpack(payload: str) -> list[Incoming]:
    """The events of an inbox row, in the order in which they came."""
    moment, events = datetime.fromisoformat, []
    for core, at, *more in orjson.loads(payload):
        name, flags, context = more or (core[3], "", None)
        events.append(
            Incoming(
                core[0],
                moment(at),
                name,
                core[4],
                core[5],
                core[6],
                core[8],
                core[12],
                b"",
                core[1],
                core[7],
                core[9],
                core[10],
                core[11],
                core[13],
                context or {},
                core[2],
                flags,
            )
        )
    return events


def digests_of(payload: str, places: Sequence[int]) -> list[int]:
    """The digests of some events of an inbox row."""
    rows = orjson.loads(payload)
    return [digest_of(orjson.dumps(rows[place][0])) for place in places]


# --- writing -----------------------------------------------------------------------------------


def _submit(ticket: _Ticket) -> None:
    """Have the ticket written, by this thread for all who wait or by one that did so for us."""
    _waiting.append(ticket)
    with _pen:
        while not ticket.done:
            group, items = [], 0
            while _waiting and items < GROUP_ITEMS:
                group.append(_waiting.popleft())
                items += len(group[-1].keys)
            try:
                _write_patiently(group)
            except BaseException as error:
                for one in group:
                    one.error = error
            for one in group:
                one.done = True
    if ticket.error is not None:
        raise ticket.error


def _write_patiently(group: list[_Ticket]) -> None:
    for attempt in range(TRIES):
        try:
            return _write(group)
        except OperationalError as error:
            again = getattr(error.__cause__, "pgcode", "") in _RETRIED
            if not again or connection.in_atomic_block or attempt == TRIES - 1:
                raise
            time.sleep(0.02 * 2**attempt)
    return None


_STATEMENT = """
WITH given (key, digest, box, place) AS (
    SELECT * FROM unnest(%s::uuid[], %s::bigint[], %s::int[], %s::int[])
), fresh AS (
    INSERT INTO ingestion_eventkey (key, digest, at) SELECT key, digest, %s FROM given ORDER BY key
    ON CONFLICT (key) DO NOTHING RETURNING key
), late AS (
    SELECT box, array_agg(place) AS places FROM given
    WHERE (SELECT count(*) FROM fresh) < %s AND key NOT IN (SELECT key FROM fresh) GROUP BY box
)
INSERT INTO ingestion_inbox (source, door, received_at, items, skipped, payload, refused)
SELECT source, door, received_at, items, late.places || repeated, payload, refused
FROM (VALUES {}) AS b (box, source, door, received_at, items, repeated, payload, refused)
LEFT JOIN late USING (box) ORDER BY box
RETURNING skipped
"""
_ROW = "(%s::int, %s, %s, %s::timestamptz, %s::int, %s::int[], %s, %s)"


def _write(group: list[_Ticket]) -> None:
    """Claim and keep everything of these requests in one statement, which is one transaction."""
    keys: dict[str, tuple[int, int, int]] = {}
    values: list[Any] = []
    for box, ticket in enumerate(group):
        again = set(ticket.repeated)
        for place, key in enumerate(ticket.keys):
            if place not in again and keys.setdefault(key, (ticket.digests[place], box, place)) != (
                ticket.digests[place],
                box,
                place,
            ):
                again.add(place)
        ticket.skipped = again
        repeated = claims.array(sorted(again)) if again else None
        values += [box, ticket.source, ticket.door, ticket.now, ticket.items, repeated]
        values += [ticket.payload, ticket.refused]
    digests, boxes, places = zip(*keys.values(), strict=True) if keys else ((), (), ())
    with connection.cursor() as cursor:
        cursor.execute(
            _STATEMENT.format(", ".join([_ROW] * len(group))),
            [
                claims.array(keys),
                claims.array(digests),
                claims.array(boxes),
                claims.array(places),
                group[0].now,
                len(keys),
                *values,
            ],
        )
        rows = cursor.fetchall()
    for ticket, (skipped,) in zip(group, rows, strict=True):
        ticket.skipped = set(skipped or ())


def waiting() -> int:
    """Events that are accepted and not yet stored."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(sum(items), 0) FROM ingestion_inbox")
        return int(cursor.fetchone()[0])

"""The door for live events: claimed and durable in one statement, before the answer.

What the ledger held already is marked in the inbox row; the drain tells duplicates from conflicts
in the same way as the answer did.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from django.db import connection
from django.utils.translation import gettext as _
from orjson import Fragment

from ingestion.events import claims, writing
from ingestion.events.incoming import (
    ID_LIMIT,
    STORED,
    Incoming,
    cores,
    digest_of,
    digests,
    keys_of,
    made_id,
)
from ingestion.events.nudging import nudge
from ingestion.events.refusals import Rejected
from ingestion.events.writing import Ticket
from marketing.core.errors import Invalid

GROUPED = 50  # events; a larger request gains nothing from waiting for others
_KEYS = orjson.OPT_NON_STR_KEYS


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
        writing.write(ticket)
    else:
        writing.submit(ticket)
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
) -> Ticket:
    names: list[str] = []
    parts: list[tuple[Any, ...]] = []
    contents = cores(batch)
    for event, core in zip(batch, contents, strict=True):
        _kind, moment, name, *_names, context, _stamp, flags = event
        at = moment if moment.tzinfo is UTC else moment.isoformat()
        if context or flags or not name:
            name = name or made_id(core)
            parts.append((Fragment(core), at, name, flags, context))
        else:
            parts.append((Fragment(core), at))
        if len(name) > ID_LIMIT:
            raise Invalid(
                _("A message_id has at most 100 characters."), code="too_long", field="message_id"
            )
        names.append(name)
    keys = keys_of(source, names)
    ticket = Ticket(
        source=source,
        door=door,
        now=now,
        keys=keys,
        digests=digests(contents),
        payload=orjson.dumps(parts, dict, _KEYS).decode(),
        refused=orjson.dumps([tuple(r) for r in rejected]).decode() if rejected else "",
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


def waiting() -> int:
    """Events that are accepted and not yet stored."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(sum(items), 0) FROM ingestion_inbox")
        return int(cursor.fetchone()[0])

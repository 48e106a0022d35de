"""The door for live events: claimed and durable in one transaction, before the answer.

What the ledger held already is marked in the inbox row; the drain tells duplicates from conflicts
in the same way as the answer did.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

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
    numbers,
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
    known = claims.look_up(ticket.keys[place].hex() for place in ticket.skipped)
    outcomes = [STORED] * len(batch)
    for place in ticket.skipped:
        (digest,) = numbers([ticket.digests[place]])
        outcomes[place] = claims.judge(digest, known.get(ticket.keys[place].hex(), digest))
    return outcomes


def _ticket(
    batch: Sequence[Incoming], source: str, door: str, now: datetime, rejected: Sequence[Rejected]
) -> Ticket:
    contents = cores(batch)
    names: list[str] = []
    parts = list(contents)  # a core that says all by itself stands alone
    for place, event in enumerate(batch):
        name = event.message_id
        if not name or event.context or event.flags or not _says_when(event):
            name = name or made_id(contents[place])
            parts[place] = _with_more(contents[place], event, name)
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
        payload=(b"[" + b",".join(parts) + b"]").decode(),
        refused=orjson.dumps([tuple(r) for r in rejected]).decode() if rejected else "",
        items=len(batch) + len(rejected),
    )
    if len(set(keys)) < len(keys):
        seen: set[bytes] = set()
        for place, key in enumerate(keys):
            if key in seen:
                ticket.repeated.append(place)
            seen.add(key)
    return ticket


def _says_when(event: Incoming) -> bool:
    """Whether its core's text of a time is its moment."""
    if event.stamp is None:
        return event.at.tzinfo is UTC
    try:
        told = datetime.fromisoformat(event.stamp)
    except ValueError:
        return False
    return told.tzinfo is UTC and told == event.at


def _with_more(core: bytes, event: Incoming, name: str) -> bytes:
    at = event.at if event.at.tzinfo is UTC else event.at.isoformat()
    if name == event.message_id and not event.context and not event.flags:
        return orjson.dumps((Fragment(core), at))
    return orjson.dumps((Fragment(core), at, name, event.flags, event.context), dict, _KEYS)


def unpack(payload: str) -> list[Incoming]:
    """The events of an inbox row, in the order in which they came."""
    moment, events = datetime.fromisoformat, []
    for part in orjson.loads(payload):
        core, at, *more = part if part[0].__class__ is list else (part, part[2])
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
    found = (rows[place] for place in places)
    return [digest_of(orjson.dumps(r[0] if r[0].__class__ is list else r)) for r in found]


def waiting() -> int:
    """Events that are accepted and not yet stored."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(sum(items), 0) FROM ingestion_inbox")
        return int(cursor.fetchone()[0])

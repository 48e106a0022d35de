"""From the inbox to the event table: in order, thousands at a time, each exactly once.

One drain works at a time. Everything that becomes of a batch (events, people, refusals, the ledger
of the source, the end of the inbox rows) is one transaction, so a kill leaves all of it or none. A
batch that cannot be stored is halved until the one call that is at fault stands alone; that one is
refused, and the rest goes on.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

import orjson
from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from ingestion import registry
from ingestion.events import claims, inbox, refusals, storing, tallies
from ingestion.events.incoming import CONFLICT, GROUP, IDENTIFY, Incoming, key_of
from ingestion.events.refusals import Rejected
from ingestion.identity import profile
from ingestion.identity.identify import Found
from ingestion.registry.discovery import observe_refused
from marketing.core.collecting import without_pauses
from marketing.core.db import advisory_lock

logger = logging.getLogger(__name__)

LOCK = "ingestion.events.drain"
BATCH = 5_000  # events to a transaction
ROWS = 1_000
_TAKE = """
SELECT id, source, door, received_at, items, skipped, payload, refused FROM (
    SELECT *, sum(items) OVER (ORDER BY id) - items AS before
    FROM (SELECT * FROM ingestion_inbox ORDER BY id LIMIT %s) first
) counted WHERE before < %s ORDER BY id
"""
_TROUBLE = (OperationalError, InterfaceError)  # of the server, not of the data


class _Row(NamedTuple):
    id: int
    source: str
    door: str
    received_at: datetime
    items: int
    skipped: list[int] | None
    payload: str
    refused: str


@dataclass
class _Part:
    """What one inbox row holds, told apart."""

    row: _Row
    fresh: list[Incoming]
    rejected: list[Rejected]
    duplicate: int


def drain(*, now: datetime | None = None, seconds: float = 20.0, linger: float = 0.0) -> int:
    """Store what waits, until nothing does or the time is over; how many calls were judged.

    With `linger` it looks again for so many seconds after the inbox was found empty. Answers 0 at
    once while another drain works.
    """
    began = quiet = time.monotonic()
    total = 0
    while True:
        done = _step(now or timezone.now())
        if done is None:
            return total
        total += done
        clock = time.monotonic()
        if clock - began > seconds:
            return total
        if done:
            quiet = clock
        elif clock - quiet >= linger:
            return total
        else:
            time.sleep(0.05)


@without_pauses()  # events are trees of plain values, which go when the batch is done
def _step(now: datetime) -> int | None:
    """One batch: how many calls, 0 when nothing waits, None when somebody else is at it."""
    rows: list[_Row] = []
    try:
        with advisory_lock(LOCK, wait=False) as mine:
            if not mine:
                return None
            rows = _take(BATCH)
            if rows:
                _move(rows, now)
    except _TROUBLE:
        raise
    except Exception as error:
        logger.warning("a batch of %s requests is stored one by one: %s", len(rows), error)
        with advisory_lock(LOCK, wait=False) as mine:
            if not mine:
                return None
            for row in _take(BATCH):
                _move_apart(row, now)
    return sum(row.items for row in rows)


def last_stored() -> int:
    """The number of an event up to which all that came through the doors is stored, 0 for none.

    Numbers are given before a batch is stored, so the largest to be seen may have smaller ones
    still on their way; not while nobody stores. Files that are read beside it are not meant.
    """
    with advisory_lock(LOCK), connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) FROM ingestion_event")
        return int(cursor.fetchone()[0])


def _take(limit: int) -> list[_Row]:
    with connection.cursor() as cursor:
        # What is lost of this in a crash still stands in the inbox, so nobody waits for the disk.
        cursor.execute("SET LOCAL synchronous_commit = off")
        cursor.execute(_TAKE, [ROWS, limit])
        return [_Row(*row) for row in cursor.fetchall()]


def _move(rows: Sequence[_Row], now: datetime) -> None:
    """Store the rows and remove them."""
    parts = [_open(row) for row in rows]
    for (source, door), group in groupby(sorted(parts, key=_origin), key=_origin):
        mine = list(group)
        events = [event for part in mine for event in part.fresh]
        received = [
            text for part in mine for text in [part.row.received_at.isoformat()] * len(part.fresh)
        ]
        kept, rejected = _store(events, received, source, now)
        refusals.keep(
            rejected=[*rejected, *(r for part in mine for r in part.rejected)],
            source=source,
            door=door,
            now=now,
        )
        tallies.add(
            source=source,
            door=door,
            now=now,
            received=sum(part.row.items for part in mine),
            stored=kept,
            duplicate=sum(part.duplicate for part in mine),
        )
    _remove([row.id for row in rows])


def _origin(part: _Part) -> tuple[str, str]:
    return part.row.source, part.row.door


def _open(row: _Row) -> _Part:
    """Tell apart what is new, what came twice, and what used another event's id."""
    events = inbox.unpack(row.payload)
    rejected = [Rejected(*r) for r in orjson.loads(row.refused)] if row.refused else []
    if not row.skipped:
        return _Part(row, events, rejected, 0)
    skipped = sorted(row.skipped)
    keys = [key_of(row.source, events[place].message_id) for place in skipped]
    known = claims.look_up(keys)
    digests = inbox.digests_of(row.payload, skipped)
    clashes = [
        place
        for place, key, digest in zip(skipped, keys, digests, strict=True)
        if claims.judge(digest, known.get(key, digest)) == CONFLICT
    ]
    rejected += [refusals.conflict(events[place]) for place in clashes]
    late = set(skipped)
    fresh = [event for place, event in enumerate(events) if place not in late]
    return _Part(row, fresh, rejected, len(skipped) - len(clashes))


def _store(
    events: list[Incoming], received: list[str], source: str, now: datetime
) -> tuple[int, list[Rejected]]:
    """Judge by the plan, store what may be, apply it; (stored, refused)."""
    verdicts = registry.judge(batch=events, source=source, now=now)
    stopped = {i: v for i, v in verdicts.items() if v.action not in ("allow", "warn")}
    rejected: list[Rejected] = []
    if stopped:
        observe_refused(batch=events, source=source, now=now, verdicts=stopped)
        rejected = [_by_plan(events[i], verdict) for i, verdict in stopped.items()]
        places = [i for i in range(len(events)) if i not in stopped]
        events, received = [events[i] for i in places], [received[i] for i in places]
        moved = {old: new for new, old in enumerate(places)}
        verdicts = {moved[i]: verdict for i, verdict in verdicts.items() if i in moved}
    registry.observe(batch=events, source=source, now=now, verdicts=verdicts)
    found = storing.store(batch=events, source=source, received=received, now=now)
    apply(events, found, now)
    return len(events), rejected


def apply(events: list[Incoming], found: list[Found], now: datetime) -> None:
    """What the calls say of their people becomes part of the profiles."""
    changes = []
    for event, (customer, identity) in zip(events, found, strict=True):
        if customer is None:
            continue
        said = dict(event.traits) if event.call == IDENTIFY else {}
        if event.call == GROUP and event.group_id:
            said = {"group": event.group_id}
        if said:
            changes.append(profile.Change(customer, event.at, event.message_id, said, identity))
    if changes:
        profile.apply(changes=changes, now=now)


def _by_plan(event: Incoming, verdict: registry.Verdict) -> Rejected:
    return Rejected(
        code=verdict.code,
        message=verdict.message,
        field=verdict.field,
        remedy=verdict.remedy,
        message_id=event.message_id,
        type=event.type,
        raw=refusals.raw_event(event),
    )


def _move_apart(row: _Row, now: datetime) -> None:
    """Store one row whatever it holds: what makes the database refuse is refused by itself."""
    part = _open(row)
    faults = list(part.rejected)
    came = row.received_at.isoformat()

    def attempt(events: list[Incoming]) -> int:
        try:
            with transaction.atomic():
                kept, stopped = _store(events, [came] * len(events), row.source, now)
        except _TROUBLE:
            raise
        except Exception as error:
            if len(events) > 1:
                middle = len(events) // 2
                return attempt(events[:middle]) + attempt(events[middle:])
            logger.warning("an event of %s cannot be stored: %s", row.source, error)
            faults.append(_poison(events[0]))
            return 0
        faults.extend(stopped)
        return kept

    kept = attempt(part.fresh) if part.fresh else 0
    refusals.keep(rejected=faults, source=row.source, door=row.door, now=now)
    tallies.add(
        source=row.source,
        door=row.door,
        now=now,
        received=row.items,
        stored=kept,
        duplicate=part.duplicate,
    )
    _remove([row.id])


def _poison(event: Incoming) -> Rejected:
    return Rejected(
        code="cannot_store",
        message=_("The database refused this event."),
        remedy=_("Look for values that are not text, numbers or dates, and send it again."),
        message_id=event.message_id,
        type=event.type,
        raw=refusals.raw_event(event),
    )


def _remove(ids: list[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM ingestion_inbox WHERE id = ANY(%s::bigint[])", [claims.array(ids)]
        )

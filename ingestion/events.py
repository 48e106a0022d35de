"""The stream of events: each stored once, found again by its person, by month.

The pair (source, message id) is unique for good. The same id with the same content is a duplicate;
with other content it is a conflict, and neither changes what is stored. An event without an id is
known by its content.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson
from django.db import connection, transaction

from ingestion.identity import identify
from marketing.core import bus
from marketing.core.db import copy_rows

STORED, DUPLICATE, CONFLICT = "stored", "duplicate", "conflict"
NULL = "\\N"
CLAMP = timedelta(minutes=5)
STAGED_FROM = 2_000  # ids from which COPY into a staging table beats arrays
_STAGING = """
CREATE TEMP TABLE IF NOT EXISTS event_keys (message_id text, digest text) ON COMMIT DELETE ROWS
"""
COLUMNS = (
    "at",
    "received_at",
    "customer_id",
    "anonymous_id",
    "type",
    "properties",
    "source",
    "message_id",
)


class Incoming(NamedTuple):
    """One event. Either `customer_id` (ours) or names of the person; texts are normalised.

    `properties` may be given as JSON text in `properties_json` instead, already compact.
    """

    type: str
    at: datetime
    message_id: str = ""
    customer_id: int | None = None
    external_id: str = ""
    email: str = ""
    anonymous_id: str = ""
    properties: Mapping[str, Any] = MappingProxyType({})
    properties_json: bytes = b""

    def body(self) -> bytes:
        """The properties as compact JSON."""
        return self.properties_json or orjson.dumps(dict(self.properties))


def record(
    *, batch: Sequence[Incoming | Mapping[str, Any]], source: str, now: datetime
) -> list[str]:
    """Store a batch once each, durably when the transaction commits; an outcome per event.

    An event may be given as a mapping with Incoming's names. Times more than five minutes ahead
    of `now` are set back to `now`.
    """
    incoming = [e if isinstance(e, Incoming) else Incoming(**e) for e in batch]
    if not incoming:
        return []
    with transaction.atomic():
        return _record(incoming, source, now)


def _record(batch: list[Incoming], source: str, now: datetime) -> list[str]:
    bodies = [event.body() for event in batch]
    digests = [_digest(event, body) for event, body in zip(batch, bodies, strict=True)]
    ids = [e.message_id[:100] or d for e, d in zip(batch, digests, strict=True)]
    outcomes = _claim(ids, digests, source, now)
    fresh = [i for i, outcome in enumerate(outcomes) if outcome == STORED]
    if not fresh:
        return outcomes
    customers = _customers([batch[i] for i in fresh], source, now)
    moments = [now if batch[i].at > now + CLAMP else batch[i].at for i in fresh]
    ensure_months(moments)
    with connection.cursor() as cursor:
        copy_rows(
            cursor,
            "ingestion_event",
            COLUMNS,
            _lines(batch, bodies, ids, fresh, customers, moments, source, now),
        )
    _adopt([(batch[i].anonymous_id, c) for i, c in zip(fresh, customers, strict=True)])
    bus.announce("events.stored")
    return outcomes


def _digest(event: Incoming, body: bytes) -> str:
    """What makes two events the same: everything but the id they were sent with."""
    mark = hashlib.blake2b(body, digest_size=16)
    head = (
        f"\0{event.type}\0{event.at.timestamp()}\0{event.customer_id or ''}"
        f"\0{event.external_id}\0{event.email}\0{event.anonymous_id}"
    )
    mark.update(head.encode())
    return mark.hexdigest()


def _claim(ids: list[str], digests: list[str], source: str, now: datetime) -> list[str]:
    """Enter ids into the ledger; who is new, who a duplicate, who a conflict."""
    first: dict[str, int] = {}
    for index, message_id in enumerate(ids):
        first.setdefault(message_id, index)
    with connection.cursor() as cursor:
        insert = (
            "INSERT INTO ingestion_eventkey (source, message_id, digest, at)"
            " SELECT %s, m, d, %s FROM {} AS n (m, d)"
            " ON CONFLICT (source, message_id) DO NOTHING RETURNING message_id"
        )
        if len(first) < STAGED_FROM:
            named = [list(first), [digests[index] for index in first.values()]]
            cursor.execute(insert.format("unnest(%s::text[], %s::text[])"), [source, now, *named])
        else:
            cursor.execute(_STAGING)
            cursor.execute("TRUNCATE event_keys")
            rows = "".join([f"{_escape(name)}\t{digests[i]}\n" for name, i in first.items()])
            copy_rows(cursor, "event_keys", ("message_id", "digest"), [rows.encode()])
            cursor.execute(insert.format("event_keys"), [source, now])
        new = {row[0] for row in cursor.fetchall()}
        old = [message_id for message_id in first if message_id not in new]
        known: dict[str, str] = {}
        if old:
            cursor.execute(
                "SELECT message_id, digest FROM ingestion_eventkey"
                " WHERE source = %s AND message_id = ANY(%s)",
                [source, old],
            )
            known = dict(cursor.fetchall())
    outcomes = []
    for index, (message_id, digest) in enumerate(zip(ids, digests, strict=True)):
        if message_id in new and first[message_id] == index:
            outcomes.append(STORED)
        else:
            same = known.get(message_id, digests[first[message_id]]) == digest
            outcomes.append(DUPLICATE if same else CONFLICT)
    return outcomes


def _customers(batch: list[Incoming], source: str, now: datetime) -> list[int | None]:
    """The customer of each event; people are resolved once however many events they have."""
    people: dict[tuple[str, str, str], int] = {}
    for event in batch:
        if event.customer_id is None:
            people.setdefault((event.external_id, event.email, event.anonymous_id), len(people))
    named = [identify.Person(external_id=e, email=m, anonymous_id=a) for e, m, a in people]
    ids = identify.resolve(people=named, source=source, now=now) if named else []
    return [
        event.customer_id
        if event.customer_id is not None
        else ids[people[event.external_id, event.email, event.anonymous_id]]
        for event in batch
    ]


def _lines(
    batch: Sequence[Incoming],
    bodies: list[bytes],
    ids: list[str],
    fresh: list[int],
    customers: list[int | None],
    moments: list[datetime],
    source: str,
    now: datetime,
) -> Iterable[bytes]:
    received, source_text = now.isoformat(), _escape(source)
    rows = []
    for index, customer, moment in zip(fresh, customers, moments, strict=True):
        event = batch[index]
        rows.append(
            f"{moment.isoformat()}\t{received}\t{NULL if customer is None else customer}"
            f"\t{_escape(event.anonymous_id)}\t{_escape(event.type)}\t{_escape(bodies[index].decode())}"
            f"\t{source_text}\t{_escape(ids[index])}\n"
        )
    yield "".join(rows).encode()


def _escape(text: str) -> str:
    if "\\" in text or "\t" in text or "\n" in text or "\r" in text:
        return (
            text.replace("\\", "\\\\")
            .replace("\t", "\\t")
            .replace("\n", "\\n")
            .replace("\r", "\\r")
        )
    return text


def ensure_months(moments: Iterable[datetime]) -> None:
    """Make the monthly partitions that these moments need."""
    for year, month in sorted({(m.year, m.month) for m in (x.astimezone(UTC) for x in moments)}):
        _ensure_month(year, month)


def _ensure_month(year: int, month: int) -> None:
    name = f"ingestion_event_{year:04d}_{month:02d}"
    following = (year + month // 12, month % 12 + 1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [name])
        if cursor.fetchone()[0]:
            return
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('ingestion_event_months'))")
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF ingestion_event"
            f" FOR VALUES FROM ('{year:04d}-{month:02d}-01Z') TO"
            f" ('{following[0]:04d}-{following[1]:02d}-01Z')"
        )


def _adopt(pairs: Iterable[tuple[str, int | None]]) -> None:
    """Events of a visitor who has now said who they are become that person's."""
    known = {anonymous: customer for anonymous, customer in pairs if anonymous and customer}
    if not known:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ingestion_event e SET customer_id = n.customer_id"
            " FROM unnest(%s::text[], %s::bigint[]) AS n (anonymous_id, customer_id)"
            " WHERE e.anonymous_id = n.anonymous_id AND e.customer_id IS NULL",
            [list(known), list(known.values())],
        )

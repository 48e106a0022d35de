"""Claimed events → people → the months of the event table, inside the caller's transaction."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import orjson
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from ingestion import changes
from ingestion.events import partitions
from ingestion.events.incoming import Incoming
from ingestion.identity import history, identify
from ingestion.identity.identify import Found
from marketing.core import bus
from marketing.core.db import copy_rows

NULL = "\\N"
_KEYS = orjson.OPT_NON_STR_KEYS
COLUMNS = (
    "at",
    "received_at",
    "customer_id",
    "identity_id",
    "anonymous_id",
    "type",
    "properties",
    "context",
    "source",
    "message_id",
    "flags",
)
REMEMBERED = 100_000
PIECE = 1 << 18
_adopted: set[tuple[str, int]] = set()


def store(
    *, batch: Sequence[Incoming], source: str, received: Sequence[str], now: datetime
) -> list[Found]:
    """Find everybody's person and COPY the events; the person of each.

    `received` holds each event's moment of receipt as ISO text. What the events say of their
    people is for the caller to apply.
    """
    if not batch:
        return []
    found = people(batch=batch, source=source, now=now)
    seen: dict[str, set[int]] = {}
    for e, (customer, _) in zip(batch, found, strict=True):
        if customer is not None:
            seen.setdefault(e.type, set()).add(customer)
    moments = (e.at if e.at.tzinfo is UTC else e.at.astimezone(UTC) for e in batch)
    copy(
        text=[_lines(batch, found, source, received)],
        months={(moment.year, moment.month) for moment in moments},
        pairs=((e.anonymous_id, customer) for e, (customer, _) in zip(batch, found, strict=True)),
        seen=seen,
    )
    return found


def copy(
    *,
    text: Iterable[bytes | memoryview],
    months: Iterable[tuple[int, int]],
    pairs: Iterable[tuple[str, int | None]],
    columns: Sequence[str] = COLUMNS,
    seen: Mapping[str, set[int]] | None = None,
) -> None:
    """COPY lines in the order of `columns`; `pairs` name visitors whose past joins a person.

    `seen` holds the people of each type of event; without it everybody of `pairs` has any.
    """
    partitions.ensure(months)
    pairs = list(pairs)
    try:
        with connection.wrap_database_errors, connection.cursor() as cursor:
            copy_rows(cursor, "ingestion_event", columns, _pieces(text))
    except DatabaseError:
        partitions.forget()  # a month that we remember may have been dropped
        raise
    _adopt(pairs)
    if seen is None:
        changes.note(kind=changes.EVENT, people=(pk for _, pk in pairs if pk is not None))
    else:
        changes.note_events(seen)
    bus.announce("events.stored")


def _pieces(text: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    for part in text:
        for start in range(0, len(part), PIECE):
            yield bytes(part[start : start + PIECE])


def people(*, batch: Sequence[Incoming], source: str, now: datetime) -> list[Found]:
    """The person of each event; people are looked up once however many events they have."""
    places: dict[tuple[str, ...], int] = {}
    order: list[int] = []
    earliest: list[datetime] = []
    for e in batch:
        if e.customer_id is not None:
            order.append(-1)
            continue
        names = (e.external_id, e.email, e.phone, e.anonymous_id, e.device_id, e.previous_id)
        place = places.setdefault(names, len(earliest))
        order.append(place)
        if place == len(earliest):
            earliest.append(e.at)
        elif e.at < earliest[place]:
            earliest[place] = e.at
    named = [
        identify.Person(
            external_id=external_id,
            email=email,
            phone=phone,
            anonymous_id=anonymous_id,
            device_id=device_id,
            previous_id=previous_id,
            at=at,
        )
        for (external_id, email, phone, anonymous_id, device_id, previous_id), at in zip(
            places, earliest, strict=True
        )
    ]
    found = identify.locate(people=named, source=source, now=now) if named else []
    own = {e.customer_id for e in batch if e.customer_id is not None}
    rows = identify.rows(customer_ids=own) if own else {}
    return [
        rows[event.customer_id] if event.customer_id is not None else found[place]
        for event, place in zip(batch, order, strict=True)
    ]


def _lines(
    batch: Sequence[Incoming], found: Sequence[Found], source: str, received: Sequence[str]
) -> bytes:
    source_text = escape(source)
    dumps, rows = orjson.dumps, []
    for e, (customer, identity), came in zip(batch, found, received, strict=True):
        said = e.traits if e.traits and not e.properties else e.properties
        body = (e.properties_json or dumps(said, dict, _KEYS)).decode()
        if "\\" in body:
            body = body.replace("\\", "\\\\")
        context = escape(dumps(e.context, dict, _KEYS).decode()) if e.context else NULL
        rows.append(
            f"{e.at.isoformat()}\t{came}\t{NULL if customer is None else customer}"
            f"\t{NULL if identity is None else identity}\t{escape(e.anonymous_id)}"
            f"\t{escape(e.type)}\t{body}\t{context}\t{source_text}\t{escape(e.message_id)}"
            f"\t{e.flags}\n"
        )
    return "".join(rows).encode()


def escape(text: str) -> str:
    """A text as a field of COPY."""
    if "\\" in text or "\t" in text or "\n" in text or "\r" in text:
        return (
            text.replace("\\", "\\\\")
            .replace("\t", "\\t")
            .replace("\n", "\\n")
            .replace("\r", "\\r")
        )
    return text


def _adopt(pairs: Iterable[tuple[str, int | None]]) -> None:
    """Events of a visitor who has now said who they are become that person's."""
    known = {pair for pair in pairs if pair[0] and pair[1] is not None and pair not in _adopted}
    if not known:
        return
    history.adopt(known, now=timezone.now())

    def remember() -> None:
        if len(_adopted) > REMEMBERED:
            _adopted.clear()
        _adopted.update(known)  # type: ignore[arg-type]

    transaction.on_commit(remember)

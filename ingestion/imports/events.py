"""One chunk of clean rows of events → the event stream."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from ingestion import events as stream
from ingestion.events import bulk, storing
from ingestion.events.incoming import made_id
from ingestion.identity import identify
from ingestion.identity.identify import Found
from ingestion.imports import event_lines
from ingestion.imports.outcome import Stored
from ingestion.models import ImportJob
from ingestion.preprocess import events
from ingestion.preprocess.events import Clean, Row
from ingestion.preprocess.faults import Fault
from ingestion.preprocess.records import Batch
from ingestion.preprocess.texts import Column, Ints
from ingestion.registry.discovery import observe_sample

BLOCK = 3 << 20  # of a file at once
_LOOKED_AT = 2_000  # events of a chunk whose properties the registry sees
_RARE = 100_000  # rows of which one at most was there before, for chunks without one to be likely
_ROWS_AT_LEAST = 200  # below, columns cost more than rows


def clean(batch: Batch, columns: Mapping[str, Column], options: events.Options) -> Clean:
    """Clean one batch."""
    return events.clean(batch, columns, options)


def prepare(clean: Clean, *, source: str, now: datetime) -> None:
    """Make ready what needs no database while the last batch is stored."""
    if clean.columns is not None and len(clean) >= _ROWS_AT_LEAST:
        clean.lines = event_lines.prepare(clean, source=source, now=now)


def options(chosen: Mapping[str, Any], now: datetime) -> events.Options:
    """The reading options of an import as the pure side takes them."""
    return events.Options(chosen["timezone"], chosen["date_style"], now)


def incoming_of(row: Row) -> stream.Incoming:
    """A clean row as the event stream takes it."""
    none: dict[str, Any] = {}
    return stream.Incoming(
        row.type,
        row.at,
        row.message_id,
        None,
        row.external_id,
        row.email,
        row.anonymous_id,
        none,
        row.properties,
    )


def message_id_of(row: Row) -> str:
    """The number under which the stream knows a row: its own, or one made of its content."""
    return row.message_id or made_id(incoming_of(row).core())


def store_chunk(*, clean: Clean, record: ImportJob, now: datetime) -> Stored:
    """Store one chunk inside the caller's transaction."""
    source = record.source.name
    if clean.lines is not None and clean.columns is not None:
        return _store_lines(
            clean,
            clean.lines,
            source=source,
            now=now,
            hopeful=record.duplicate * _RARE <= record.received,
        )
    batch = [incoming_of(row) for row in clean.rows]
    outcomes = stream.record(batch=batch, source=source, now=now, door="file")
    clashes = [i for i, outcome in enumerate(outcomes) if outcome == stream.CONFLICT]
    return Stored(
        stored=outcomes.count(stream.STORED),
        duplicate=outcomes.count(stream.DUPLICATE),
        faults=[
            _conflict((row.line, clean.batch.raw(row.index)), row.message_id)
            for row in (clean.rows[i] for i in clashes)  # some rows may have been taken out
        ],
    )


def _conflict(raw: tuple[int, str], message_id: str) -> Fault:
    return Fault(*raw, "conflict", "message_id", {"value": message_id})


def _store_lines(
    clean: Clean, lines: event_lines.Lines, *, source: str, now: datetime, hopeful: bool
) -> Stored:
    """What `events.record` does, for columns."""
    claimed = bulk.claim(keys=lines.keys, digests=lines.digests, now=now, hopeful=hopeful)
    if claimed.stored:
        people, fresh = lines.people, claimed.fresh
        if fresh is None:
            found: Sequence[Found] = _find(people, source, now)
        else:
            mine = np.unique(lines.person[fresh])
            some = _find(people.part(mine), source, now)
            found = [identify.NOBODY] * len(people)
            for place, one in zip(mine.tolist(), some, strict=True):
                found[place] = one
        text = event_lines.copy_text(lines, fresh=fresh, found=found)
        customers = (one.customer_id for one in found)
        storing.copy(
            text=[text],
            months=lines.months,
            pairs=zip(people.names[-1], customers, strict=True),
            columns=event_lines.COLUMNS,
        )
        _note_seen(clean, lines, fresh, source, now)
    ids = clean.columns["message_id"] if clean.columns else None
    return Stored(
        stored=claimed.stored,
        duplicate=claimed.duplicates,
        faults=[
            _conflict(clean.raw(i), ids.values[ids.codes[i]] if ids else "")
            for i in claimed.conflicts.tolist()
        ],
    )


def _note_seen(
    clean: Clean, lines: event_lines.Lines, fresh: Ints | None, source: str, now: datetime
) -> None:
    """Tell the registry of events what came: every type and moment, and some of the details."""
    assert clean.columns is not None
    places = np.arange(len(lines.micros)) if fresh is None else fresh
    types, details = clean.columns["type"], clean.columns["properties"]
    codes, seconds = types.codes[places], lines.micros[places] / 1e6
    moments = {types.values[c]: seconds[codes == c].tolist() for c in np.unique(codes).tolist()}
    every = max(1, len(places) // _LOOKED_AT)
    sample = [
        stream.Incoming(
            types.values[types.codes[place]],
            datetime.fromtimestamp(lines.micros[place] / 1e6, UTC),
            properties_json=details.values[details.codes[place]].encode(),
        )
        for place in places[::every].tolist()
    ]
    observe_sample(sample=sample, moments=moments, source=source, now=now, every=every)


def _find(people: event_lines.People, source: str, now: datetime) -> list[Found]:
    """The person of each; who is known by the one name given is found without more ado.

    Claims come first, as they may give a name that stands alone elsewhere to somebody else.
    """
    found: list[Found | None] = [None] * len(people)

    def locate(places: list[int]) -> None:
        if places:
            some = identify.locate(people=[people[i] for i in places], source=source, now=now)
            for place, one in zip(places, some, strict=True):
                found[place] = one

    alone = people.alone()
    locate(np.flatnonzero(~alone).tolist())
    rest = np.flatnonzero(alone)
    some = identify.known_by_one(names=people.part(rest).names)
    for place, one in zip(rest.tolist(), some, strict=True):
        found[place] = one
    locate([place for place, one in enumerate(found) if one is None])
    return found  # type: ignore[return-value]

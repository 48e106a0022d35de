"""One chunk of clean rows of events → the event stream."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np

from ingestion import events as stream
from ingestion.events import claims, storing
from ingestion.events.incoming import key_of, made_id
from ingestion.identity import identify
from ingestion.imports import event_lines
from ingestion.imports.outcome import Stored
from ingestion.models import ImportJob
from ingestion.preprocess import events
from ingestion.preprocess.events import Clean, Row
from ingestion.preprocess.faults import Fault
from ingestion.preprocess.records import Batch
from ingestion.preprocess.texts import Column

_ROWS_AT_LEAST = 200  # below, columns cost more than rows


def clean(batch: Batch, columns: Mapping[str, Column], options: events.Options) -> Clean:
    """Clean one batch, and make ready what needs no database while the last one is stored."""
    made = events.clean(batch, columns, options)
    if options.now is not None and len(made) >= _ROWS_AT_LEAST:
        made.lines = event_lines.prepare(made, now=options.now)
    return made


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
        outcomes = _store_lines(clean.lines, source, now)
    else:
        batch = [incoming_of(row) for row in clean.rows]
        outcomes = stream.record(batch=batch, source=source, now=now, door="file")
    clashes = [i for i, outcome in enumerate(outcomes) if outcome == stream.CONFLICT]
    faults = [
        Fault(
            clean.rows[i].line,
            clean.batch.raw(clean.rows[i].index),
            "conflict",
            "message_id",
            {"value": clean.rows[i].message_id},
        )
        for i in clashes
    ]
    return Stored(
        stored=outcomes.count(stream.STORED),
        duplicate=outcomes.count(stream.DUPLICATE),
        faults=faults,
    )


def _store_lines(lines: event_lines.Lines, source: str, now: datetime) -> list[str]:
    """What `events.record` does, for columns."""
    outcomes = claims.claim(
        keys=[key_of(source, name) for name in lines.names], digests=lines.digests, now=now
    )
    count = outcomes.count(stream.STORED)
    if not count:
        return outcomes
    fresh = None
    people, place = lines.people, lines.person
    if count < len(outcomes):
        fresh = np.flatnonzero(np.array(outcomes, dtype=object) == stream.STORED)
        mine = np.unique(place[fresh])
        people = [people[i] for i in mine.tolist()]
        place = np.searchsorted(mine, place)
        lines = replace(lines, person=place)
    found = identify.locate(people=people, source=source, now=now)
    text = event_lines.copy_text(lines, fresh=fresh, found=found, source=source, now=now)
    pairs = [(p.anonymous_id, f.customer_id) for p, f in zip(people, found, strict=True)]
    storing.copy(text=[text], months=lines.months, pairs=pairs)
    return outcomes

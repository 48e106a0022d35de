"""One chunk of clean rows of events → the event stream."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ingestion import events as stream
from ingestion.events.incoming import made_id
from ingestion.imports.outcome import Stored
from ingestion.models import ImportJob
from ingestion.preprocess import events
from ingestion.preprocess.events import Clean, Row
from ingestion.preprocess.faults import Fault

clean = events.clean


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
    none: dict[str, Any] = {}
    batch = [
        stream.Incoming(
            kind, at, message_id, None, external_id, email, anonymous_id, none, properties
        )
        for _, _, kind, at, message_id, external_id, email, anonymous_id, properties in clean.rows
    ]
    outcomes = stream.record(batch=batch, source=record.source.name, now=now)
    faults = [
        Fault(
            row.line,
            clean.batch.raw(row.index),
            "conflict",
            "message_id",
            {"value": row.message_id},
        )
        for row, outcome in zip(clean.rows, outcomes, strict=True)
        if outcome == stream.CONFLICT
    ]
    return Stored(
        stored=outcomes.count(stream.STORED),
        duplicate=outcomes.count(stream.DUPLICATE),
        faults=faults,
    )

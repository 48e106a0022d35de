"""One chunk of clean rows of events → the event stream."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from ingestion import events as stream
from ingestion.events import bulk, storing
from ingestion.events.incoming import digest_of, key_of, made_id
from ingestion.identity import identify
from ingestion.identity.identify import Found
from ingestion.imports import event_lines, planned
from ingestion.imports.outcome import Stored, conflict, together
from ingestion.imports.planned import Broken, Stopped
from ingestion.models import ImportJob
from ingestion.preprocess import events
from ingestion.preprocess.events import Clean, Row
from ingestion.preprocess.records import Batch
from ingestion.preprocess.texts import Column, Ints
from ingestion.registry import discovery, tally
from ingestion.registry.judging import Verdict

BLOCK = 3 << 20  # of a file at once
FIRST = 8_000  # rows after which storing begins
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
        clean.lines.seen = _seen(clean, clean.lines, None, now)


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
    """Store one chunk inside the caller's transaction, save for what the plan keeps out."""
    source = record.source.name
    if clean.lines is not None and clean.columns is not None:
        hopeful = record.duplicate * _RARE <= record.received
        return _store_columns(clean, clean.lines, source=source, now=now, hopeful=hopeful)
    return _store_rows(clean, source=source, now=now)


def _store_rows(clean: Clean, *, source: str, now: datetime) -> Stored:
    rows = clean.rows
    batch = [incoming_of(row) for row in rows]
    verdicts = planned.judge_events(batch=batch, source=source, now=now)
    stopped = planned.stopped_by(verdicts)

    def broken(place: int) -> Broken:
        row = rows[place]
        return Broken(verdicts[place], row.type, row.at.timestamp(), row.line)

    away = Stored()
    if stopped:
        told = []
        for place in stopped:
            name, core = message_id_of(rows[place]), batch[place].core()
            raw = clean.batch.raw(rows[place].index)
            told.append(Stopped(broken(place), raw, key_of(source, name), digest_of(core), name))
        away = planned.turn_away(stopped=told, source=source, now=now)
    kept = sorted(set(range(len(batch))).difference(stopped))
    outcomes = stream.record(
        batch=[batch[place] for place in kept], source=source, now=now, door="file"
    )
    told_of = list(zip(kept, outcomes, strict=True))
    warned = [broken(i) for i, outcome in told_of if outcome == stream.STORED and i in verdicts]
    clashes = [rows[i] for i, outcome in told_of if outcome == stream.CONFLICT]
    done = Stored(
        stored=outcomes.count(stream.STORED),
        duplicate=outcomes.count(stream.DUPLICATE),
        faults=[
            conflict(row.line, clean.batch.raw(row.index), row.message_id)
            for row in clashes  # some rows may have been taken out
        ],
        rules=planned.note(planned.WARNED, warned, source=source, now=now),
    )
    return together(away, done)


def _store_columns(
    clean: Clean, lines: event_lines.Lines, *, source: str, now: datetime, hopeful: bool
) -> Stored:
    verdicts = planned.judge_columns(clean)
    stopped = planned.stopped_by(verdicts)
    if not stopped:
        return _store_lines(clean, lines, verdicts, source=source, now=now, hopeful=hopeful)
    told = []
    for place in stopped:
        raw = clean.raw(place)[1]
        key, digest = lines.keys[place].tobytes().hex(), int(lines.digests[place])
        broken = _broken(clean, lines, verdicts, place)
        told.append(Stopped(broken, raw, key, digest, clean.text("message_id", place)))
    away = planned.turn_away(stopped=told, source=source, now=now)
    kept = np.setdiff1d(np.arange(len(clean)), stopped)
    if not len(kept):
        return away
    left = {new: verdicts[old] for new, old in enumerate(kept.tolist()) if old in verdicts}
    done = _store_lines(
        clean.part(kept), lines.part(kept), left, source=source, now=now, hopeful=hopeful
    )
    return together(away, done)


def _broken(
    clean: Clean, lines: event_lines.Lines, verdicts: Mapping[int, Verdict], place: int
) -> Broken:
    line = int(clean.batch.line[clean.kept[place]])
    moment = int(lines.micros[place]) / 1e6
    return Broken(verdicts[place], clean.text("type", place), moment, line)


def _store_lines(
    clean: Clean,
    lines: event_lines.Lines,
    verdicts: Mapping[int, Verdict],
    *,
    source: str,
    now: datetime,
    hopeful: bool,
) -> Stored:
    """What `events.record` does, for columns."""
    claimed = bulk.claim(keys=lines.keys, digests=lines.digests, now=now, hopeful=hopeful)
    rules = {}
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
        whole = lines.seen if fresh is None else None
        seen = _seen(clean, lines, fresh, now) if whole is None else whole
        discovery.write(seen=seen, source=source, now=now)
        new = None if fresh is None or not verdicts else set(fresh.tolist())
        places = [place for place in verdicts if new is None or place in new]
        warned = [_broken(clean, lines, verdicts, place) for place in places]
        rules = planned.note(planned.WARNED, warned, source=source, now=now)
    return Stored(
        stored=claimed.stored,
        duplicate=claimed.duplicates,
        faults=[
            conflict(*clean.raw(i), clean.text("message_id", i)) for i in claimed.conflicts.tolist()
        ],
        rules=rules,
    )


def _seen(
    clean: Clean, lines: event_lines.Lines, fresh: Ints | None, now: datetime
) -> dict[str, dict[str, Any]]:
    """What the registry is told of the events: every type and moment, and some of the details."""
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
    return tally.add_up_sample(sample, moments=moments, now=now, every=every)


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
    new = [place for place, one in enumerate(found) if one is None]
    met = identify.met_by_one(names=people.part(np.array(new, int)).names, source=source, now=now)
    for place, one in zip(new, met, strict=True):
        found[place] = one
    locate([place for place, one in enumerate(found) if one is None])
    return found  # type: ignore[return-value]

"""Columns of clean events → what the ledger and the event table take, without a loop over rows.

A file's chunk holds tens of thousands of events. Their JSON, their lines for COPY and their times
are joined as columns of text by Arrow; what remains per row are the two hashes. The result is to
the byte what `events.record` makes of the same events one by one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.events import clock
from ingestion.events.incoming import TRACK, made_id
from ingestion.identity.identify import Found, Person
from ingestion.preprocess.events import Clean, Values
from ingestion.preprocess.texts import Ints

_AWKWARD = r'[\x00-\x1f"\\]'  # what JSON writes otherwise


@dataclass
class Lines:
    """One chunk of events. Every list and array has one entry for each, in the file's order."""

    names: list[str]  # message ids
    digests: list[int]
    at: Any  # moments by our clock, as text
    flags: Any
    fields: dict[str, Any]  # anonymous_id, type and properties as COPY has them
    months: set[tuple[int, int]]
    people: list[Person]
    person: Ints  # place in `people`


def prepare(clean: Clean, *, now: datetime) -> Lines:
    """Everything that can be known without the database."""
    columns = clean.columns
    assert columns is not None
    texts = {name: _array(column) for name, column in columns.items() if name != "at"}
    moments = columns["at"].values
    used = np.unique(columns["at"].codes)
    stamps = _spread(columns["at"], ["" if m is None else m.isoformat() for m in moments])
    limit, came = now + clock.AHEAD, now.isoformat()
    late = [m is not None and m > limit for m in moments]
    at, flags = stamps, pa.scalar("")
    if any(late):
        texts_at = [came if m and m > limit else m.isoformat() if m else "" for m in moments]
        at = _spread(columns["at"], texts_at)
        flags = _spread(columns["at"], [clock.CLAMPED if is_late else "" for is_late in late])
    cores = _cores(columns, texts, stamps)
    names = texts["message_id"].to_pylist()
    if "" in names:
        names = [name or made_id(core) for name, core in zip(names, cores, strict=True)]
    people, person = _people(columns, moments)
    kept = [now if late[i] else moments[i] for i in used.tolist()]
    return Lines(
        names=names,
        digests=[
            int.from_bytes(blake2b(core, digest_size=8).digest(), "big", signed=True)
            for core in cores
        ],
        at=at,
        flags=flags,
        fields={name: _escaped(texts[name]) for name in ("anonymous_id", "type", "properties")},
        months={(m.year, m.month) for m in (moment.astimezone(UTC) for moment in kept)},
        people=people,
        person=person,
    )


def _cores(columns: dict[str, Values], texts: dict[str, Any], stamps: Any) -> list[bytes]:
    """The content of each event as `Incoming.core` writes it."""
    quoted = {
        name: _quoted(columns[name], texts[name])
        for name in ("type", "message_id", "customer_id", "email", "anonymous_id")
    }
    joined = pc.binary_join_element_wise(
        "[",
        quoted["type"],
        f',"{TRACK}","',
        stamps,
        '",',
        quoted["message_id"],
        ",null,",
        quoted["customer_id"],
        ",",
        quoted["email"],
        ',"",',
        quoted["anonymous_id"],
        ',"","","",',
        texts["properties"],
        ",{}]",
        "",
    )
    return joined.cast(pa.binary()).to_pylist()


def _array(column: Values) -> Any:
    return _spread(column, column.values)


def _spread(column: Values, texts: Sequence[str]) -> Any:
    return pa.array(texts, pa.string()).take(pa.array(column.codes))


def _quoted(column: Values, texts: Any) -> Any:
    """The texts as JSON strings."""
    if pc.any(pc.match_substring_regex(texts, _AWKWARD)).as_py():
        return _spread(column, [orjson.dumps(text).decode() for text in column.values])
    return pc.binary_join_element_wise('"', texts, '"', "")


def _escaped(texts: Any) -> Any:
    """The texts as fields of COPY; a clean text holds no tab and no line end."""
    return pc.replace_substring(texts, "\\", "\\\\")


def _people(columns: dict[str, Values], moments: list[Any]) -> tuple[list[Person], Ints]:
    """The different people of a chunk, each with the first moment of theirs."""
    keys = np.zeros(len(columns["at"].codes), np.int64)
    for name in ("customer_id", "email", "anonymous_id"):
        column = columns[name]
        _, codes = np.unique(keys * max(len(column.values), 1) + column.codes, return_inverse=True)
        keys = codes.astype(np.int64)
    _, first, person = np.unique(keys, return_index=True, return_inverse=True)
    # In the order in which they appear, as if they came one by one.
    order = np.argsort(first, kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    rows = first[order]
    named = [
        [columns[name].values[code] for code in columns[name].codes[rows].tolist()]
        for name in ("customer_id", "email", "anonymous_id")
    ]
    at = [moments[code] for code in columns["at"].codes[rows].tolist()]
    people = [
        Person(external_id=e, email=m, anonymous_id=a, at=moment)
        for e, m, a, moment in zip(*named, at, strict=True)
    ]
    return people, place[person]


def copy_text(
    lines: Lines, *, fresh: Ints | None, found: Sequence[Found], source: str, now: datetime
) -> memoryview:
    """The lines of COPY, in `storing.COLUMNS`, of all events or of those at these places."""
    person = lines.person if fresh is None else lines.person[fresh]

    def pick(values: Any) -> Any:
        return values if fresh is None or isinstance(values, pa.Scalar) else values.take(fresh)

    customers = pa.array([f.customer_id for f in found], pa.int64())
    identities = pa.array([f.identity_id for f in found], pa.int64())
    ids = [_number(ids.take(pa.array(person))) for ids in (customers, identities)]
    ending = pc.binary_join_element_wise(pick(lines.flags), "\n", "")
    if isinstance(ending, pa.Scalar):
        ending = ending.as_py()
    joined = pc.binary_join_element_wise(
        pick(lines.at),
        now.isoformat(),
        *ids,
        *(pick(lines.fields[name]) for name in ("anonymous_id", "type", "properties")),
        "\\N",
        source.replace("\\", "\\\\"),
        pick(_escaped(pa.array(lines.names, pa.string()))),
        ending,
        "\t",
    )
    if isinstance(joined, pa.ChunkedArray):
        joined = joined.combine_chunks()
    return _bytes(joined)


def _bytes(joined: Any) -> memoryview:
    """The texts one after the other, as they lie in memory."""
    offsets = np.frombuffer(joined.buffers()[1], np.int32)
    low, high = offsets[joined.offset], offsets[joined.offset + len(joined)]
    return memoryview(joined.buffers()[2])[int(low) : int(high)]


def _number(values: Any) -> Any:
    """Numbers as text, NULL as COPY writes it."""
    return pc.fill_null(values.cast(pa.string()), "\\N")

"""Columns of clean events → what the ledger and the event table take, without a loop over rows.

A file's chunk holds tens of thousands of events. Their JSON, their lines for COPY and their times
are joined as columns of text by Arrow; what remains per row are the two hashes. The result is to
the byte what `events.record` makes of the same events one by one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ingestion.events import clock, storing
from ingestion.events.incoming import TRACK, made_id
from ingestion.identity.identify import Found, Person
from ingestion.preprocess.events import Clean, Values
from ingestion.preprocess.moments import Moments, micros_of
from ingestion.preprocess.texts import Ints

_AWKWARD = r'[\x00-\x1f"\\]'  # what JSON writes otherwise
_PEOPLE = ("customer_id", "email", "anonymous_id")
_LAST = ("customer_id", "identity_id")
# What is known before the people are stands first.
COLUMNS = (*(name for name in storing.COLUMNS if name not in _LAST), *_LAST)


class People(Sequence[Person]):
    """The different people of a chunk, in the order in which they appear.

    `names` holds their customer numbers, addresses and visitor numbers, `at` the moment of the
    first row of each.
    """

    def __init__(self, names: tuple[list[str], ...], at: Moments) -> None:
        self.names, self.at = names, at

    def __len__(self) -> int:
        return len(self.at)

    def __getitem__(self, index: Any) -> Any:
        external, email, anonymous = (column[index] for column in self.names)
        return Person(external_id=external, email=email, anonymous_id=anonymous, at=self.at[index])

    def __iter__(self) -> Iterator[Person]:
        return map(self.__getitem__, range(len(self)))

    def alone(self) -> NDArray[np.bool_]:
        """Those with one name that nobody here has together with another one."""
        given = list(zip(*self.names, strict=True))
        single = np.array([texts.count("") == len(texts) - 1 for texts in given], bool)
        if single.all():
            return single
        claimed = {
            (kind, text)
            for place in np.flatnonzero(~single).tolist()
            for kind, text in enumerate(given[place])
        }
        free = [claimed.isdisjoint(pair for pair in enumerate(texts) if pair[1]) for texts in given]
        return single & np.array(free, bool)

    def part(self, places: Ints) -> "People":
        """Some of them."""
        chosen = places.tolist()
        names = tuple([column[place] for place in chosen] for column in self.names)
        return People(names, Moments(self.at.micros[places]))


@dataclass
class Lines:
    """One chunk of events. Every array has one entry for each, in the file's order."""

    keys: Any  # 16 bytes each: what the ledger calls the message ids of this source
    digests: Any
    heads: Any  # each event as COPY has it, up to its person
    micros: Ints  # moments by our clock
    months: set[tuple[int, int]]
    people: People
    person: Ints  # place in `people`
    seen: Any = None  # what the registry is told where all of them are new

    def part(self, places: Ints) -> "Lines":
        """Some of them, with their people alone."""
        micros = self.micros[places]
        old, first, person = np.unique(self.person[places], return_index=True, return_inverse=True)
        order = np.argsort(first, kind="stable")
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        people = self.people.part(old[order])
        people.at = Moments(micros[first[order]])
        return Lines(
            keys=self.keys[places],
            digests=self.digests[places],
            heads=self.heads.take(pa.array(places)),
            micros=micros,
            months=_months(np.unique(micros)),
            people=people,
            person=place[person],
        )


def prepare(clean: Clean, *, source: str, now: datetime) -> Lines:
    """Everything that can be known without the database."""
    columns = clean.columns
    assert columns is not None
    texts = {name: _array(column) for name, column in columns.items() if name != "at"}
    moments = columns["at"].values
    assert isinstance(moments, Moments)
    written = moments.stamps()
    stamps = at = _spread(columns["at"], written)
    flags: Any = ""
    kept = moments.micros
    late = kept > micros_of(now + clock.AHEAD)
    if late.any():
        came = now.isoformat()
        told = [came if is_late else text for text, is_late in zip(written, late, strict=True)]
        at = _spread(columns["at"], told)
        flags = _spread(columns["at"], [clock.CLAMPED if is_late else "" for is_late in late])
        kept = np.where(late, micros_of(now), kept)
    cores = _cores(columns, texts, stamps)
    ids = texts["message_id"]
    if "" in columns["message_id"].values:
        named = zip(ids.to_pylist(), cores, strict=True)
        ids = pa.array([name or made_id(core) for name, core in named], pa.string())
    people, person = _people(columns, moments)
    return Lines(
        keys=_hashed(_joined(source + "\0", ids, "").cast(pa.binary()).to_pylist(), 16),
        digests=_hashed(cores, 8).view(">i8").astype(np.int64),
        heads=_heads(texts, at, ids, flags, source=source, now=now),
        micros=kept[columns["at"].codes],
        months=_months(kept[np.unique(columns["at"].codes)]),
        people=people,
        person=person,
    )


def _hashed(texts: list[bytes], size: int) -> Any:
    """The hash of each, side by side."""
    digests = [blake2b(text, digest_size=size).digest() for text in texts]
    return np.frombuffer(b"".join(digests), f"V{size}")


def _months(micros: Ints) -> set[tuple[int, int]]:
    months = np.unique(micros.view("M8[us]").astype("M8[M]").view(np.int64))
    return {(1970 + month // 12, month % 12 + 1) for month in months.tolist()}


def _cores(columns: dict[str, Values], texts: dict[str, Any], stamps: Any) -> list[bytes]:
    """The content of each event as `Incoming.core` writes it."""
    quoted = {
        name: _quoted(columns[name], texts[name])
        for name in ("type", "message_id", "customer_id", "email", "anonymous_id")
    }
    joined = _joined(
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
    return list(joined.cast(pa.binary()).to_pylist())


def _heads(
    texts: dict[str, Any], at: Any, ids: Any, flags: Any, *, source: str, now: datetime
) -> Any:
    return _joined(
        at,
        now.isoformat(),
        *(_escaped(texts[name]) for name in ("anonymous_id", "type", "properties")),
        storing.NULL,
        source.replace("\\", "\\\\"),
        _escaped(ids),
        flags,
        "\t",
    )


def _joined(*parts: Any) -> Any:
    """Texts put together row by row, the last of them between the others."""
    return _whole(pc.binary_join_element_wise(*parts))


def _whole(texts: Any) -> Any:
    return texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts


def _array(column: Values) -> Any:
    return _spread(column, column.values)


def _spread(column: Values, texts: Sequence[str]) -> Any:
    return pa.array(texts, pa.string()).take(pa.array(column.codes))


def _quoted(column: Values, texts: Any) -> Any:
    """The texts as JSON strings."""
    if pc.any(pc.match_substring_regex(texts, _AWKWARD)).as_py():
        return _spread(column, [orjson.dumps(text).decode() for text in column.values])
    return _joined('"', texts, '"', "")


def _escaped(texts: Any) -> Any:
    """The texts as fields of COPY; a clean text holds no tab and no line end."""
    if not pc.any(pc.match_substring(texts, "\\")).as_py():
        return texts
    return pc.replace_substring(texts, "\\", "\\\\")


def _people(columns: dict[str, Values], moments: Moments) -> tuple[People, Ints]:
    keys = np.zeros(len(columns["at"].codes), np.int64)
    for name in _PEOPLE:
        column = columns[name]
        if len(column.values) < 2:
            continue
        if keys.any():
            keys = np.unique(keys, return_inverse=True)[1].astype(np.int64)
        keys = keys * len(column.values) + column.codes
    _, first, person = np.unique(keys, return_index=True, return_inverse=True)
    # In the order in which they appear, as if they came one by one.
    order = np.argsort(first, kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    rows = first[order]
    names = tuple(
        [columns[name].values[code] for code in columns[name].codes[rows].tolist()]
        for name in _PEOPLE
    )
    at = Moments(moments.micros[columns["at"].codes[rows]])
    return People(names, at), place[person]


def copy_text(lines: Lines, *, fresh: Ints | None, found: Sequence[Found]) -> memoryview:
    """The lines of COPY, in COLUMNS, of all events or of those at these places."""
    heads, person = lines.heads, lines.person
    if fresh is not None:
        heads, person = heads.take(pa.array(fresh)), person[fresh]
    null = storing.NULL
    tails = [
        f"\t{null if customer is None else customer}\t{null if name is None else name}\n"
        for customer, name in found
    ]
    ends = pa.array(tails, pa.string()).take(pa.array(person))
    return _bytes(_joined(heads, ends, ""))


def _bytes(joined: Any) -> memoryview:
    """The texts one after the other, as they lie in memory."""
    offsets = np.frombuffer(joined.buffers()[1], np.int32)
    low, high = offsets[joined.offset], offsets[joined.offset + len(joined)]
    return memoryview(joined.buffers()[2])[int(low) : int(high)]

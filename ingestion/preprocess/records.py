"""Lines → strict CSV records. A broken record is a fault at its own first line; the rest go on.

Lines without a quote are counted with numpy in one pass. Lines with quotes are matched one by one
against the grammar of RFC 4180. When that fails, only the physical line where the record starts is
given up and reading begins again at the next one: an unterminated quote swallows nothing.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingestion.preprocess import reading
from ingestion.preprocess.faults import Fault, show

MAX_LINES = 1_000  # physical lines of one record
MAX_BYTES = 1 << 20

Ints = NDArray[np.int64]


@dataclass
class Batch:
    """Good records in file order, and faults. received = len(line) + len(faults)."""

    data: bytes  # the good records only
    line: Ints  # number of each good record's first line in the file
    start: (
        Ints  # offset of each good record in `data`, and the end: one more than there are records
    )
    faults: list[Fault]
    # What comes from other formats: texts by column instead of `data`, and how each row looked.
    cells: Mapping[int, Any] | None = None
    raws: Sequence[str] | None = None

    @property
    def received(self) -> int:
        return len(self.line) + len(self.faults)

    def raw(self, index: int) -> str:
        """The text of one good record."""
        if self.raws is not None:
            return self.raws[index]
        return show(self.data[self.start[index] : self.start[index + 1]])

    def part(self, first: int, last: int) -> "Batch":
        """The records `first` to before `last`, counting good and broken ones in file order."""
        lines = np.sort(np.concatenate([self.line, [fault.line for fault in self.faults]]))
        low = int(lines[first]) if first < len(lines) else None
        high = int(lines[last]) if last < len(lines) else None
        a = len(self.line) if low is None else int(np.searchsorted(self.line, low))
        b = len(self.line) if high is None else int(np.searchsorted(self.line, high))
        faults = [
            fault
            for fault in self.faults
            if low is not None and fault.line >= low and (high is None or fault.line < high)
        ]
        if self.cells is not None:
            cells = {index: cell[a:b] for index, cell in self.cells.items()}
            raws = None if self.raws is None else self.raws[a:b]
            return Batch(b"", self.line[a:b], self.start, faults, cells, raws)
        start = self.start[a : b + 1]
        data = self.data[int(start[0]) : int(start[-1])]
        return Batch(data, self.line[a:b], start - start[0], faults)


class Grammar:
    """The strict form of one record for one delimiter."""

    def __init__(self, delimiter: str) -> None:
        self.delimiter = delimiter.encode()
        d = re.escape(self.delimiter)
        quoted = rb'"(?:[^"]++|"")*+"'
        cell = rb"(?:" + quoted + rb'|[^"\n' + d + rb"]*+)"
        self.record = re.compile(cell + rb"(?:" + d + cell + rb")*+\n")
        self.open_end = re.compile(rb"(?:" + cell + d + rb')*+"(?:[^"]++|"")*+\Z')
        self.quoted = re.compile(quoted)

    def fields(self, raw: bytes) -> int:
        """How many fields a record has."""
        return self.quoted.sub(b"", raw).count(self.delimiter) + 1


def scan(
    path: Path,
    *,
    encoding: str,
    delimiter: str,
    columns: int,
    header: bool,
    block: int | None = None,
    member: str = "",
    trusted: bool = False,
) -> Iterator[Batch]:
    """Batches of one block each; the same file gives the same batches every time."""
    grammar, skip_first, left = Grammar(delimiter), header, b""
    left_line = 1
    gone: set[int] = set()  # lines given up before they came here: told already
    parts = reading.blocks(path, encoding=encoding, size=block, member=member, trusted=trusted)
    for part in parts:
        data = left + part.data
        first_line = left_line if left else part.first_line
        batch, left, left_line, skip_first = split(
            data,
            first_line,
            grammar=grammar,
            columns=columns,
            skip_first=skip_first,
            last=part.last,
        )
        gone |= {fault.line for fault in part.faults}
        fresh = [f for f in batch.faults if f.code != "nul_byte" or f.line not in gone]
        batch.faults = sorted([*part.faults, *fresh], key=lambda fault: fault.line)
        gone = gone if left else set()
        if batch.received:
            yield batch


def skip(batches: Iterator[Batch], records: int) -> Iterator[Batch]:
    """Leave out the first `records` records, good or broken: they are committed already."""
    for batch in batches:
        if records >= batch.received:
            records -= batch.received
            continue
        yield batch.part(records, batch.received) if records else batch
        records = 0


def split(
    data: bytes, first_line: int, *, grammar: Grammar, columns: int, skip_first: bool, last: bool
) -> tuple[Batch, bytes, int, bool]:
    """One block → its batch, the bytes of a record that goes on in the next, and their line.

    And whether the header is still to come.
    """
    a = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero(a == 10)
    starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else np.zeros(0, np.int64)
    count = _per_line(a, grammar.delimiter[0], ends)
    quotes = _per_line(a, 34, ends)
    nul = _per_line(a, 0, ends) > 0
    good = (count == columns - 1) & (quotes == 0) & ~nul
    blank = ends == starts
    good[blank] = False
    handled = blank.copy()  # lines that need no word of their own: blank, or inside a record
    faults: list[Fault] = []
    reach = np.ones(len(ends), np.int64)  # physical lines of the record that starts here
    left, left_line, upto = b"", 0, len(ends)

    def give_up(index: int, code: str, **facts: object) -> None:
        raw = data[starts[index] : ends[index]]
        faults.append(Fault(int(index) + first_line, show(raw), code, "", dict(facts)))
        handled[index] = True

    quoted = np.flatnonzero(quotes > 0)
    # Up to the first line that is not a whole record by itself, all are judged at once.
    whole = _whole_records(a, ends, quotes, grammar.delimiter[0], columns) & ~nul
    whole &= ends - starts < MAX_BYTES - 1
    broken = quoted[~whole[quoted]]
    easy = quoted if not len(broken) else quoted[quoted < broken[0]]
    good[easy] = handled[easy] = True
    after = int(broken[0]) if len(broken) else len(ends)
    for index in broken[:1].tolist() + quoted[quoted > after].tolist():
        if index < after:
            continue
        begin = int(starts[index])
        found = grammar.record.match(data, begin, min(len(data), begin + MAX_BYTES))
        lines = data.count(b"\n", begin, found.end()) if found else 0
        if found and lines <= MAX_LINES:
            raw = found.group()
            fields = grammar.fields(raw)
            handled[index : index + lines] = True
            good[index : index + lines] = False
            after = index + lines
            if b"\0" in raw:
                give_up(index, "nul_byte")
            elif fields != columns and not (skip_first and index == 0):
                give_up(index, "field_count", expected=columns, found=fields)
            else:
                good[index], reach[index] = True, lines
            continue
        goes_on = grammar.open_end.match(data, begin)
        if goes_on and not last and len(data) - begin < MAX_BYTES and len(ends) - index < MAX_LINES:
            left, left_line, upto = data[begin:], index + first_line, index
            break
        alone = grammar.open_end.match(data[begin : int(ends[index])])
        give_up(index, "open_quote" if alone else "stray_quote")
        after = index + 1

    for index in np.flatnonzero(~good & ~handled).tolist():
        if index >= upto:
            break
        if nul[index]:
            give_up(index, "nul_byte")
        elif not (skip_first and index == 0):
            give_up(index, "field_count", expected=columns, found=int(count[index]) + 1)
    good[upto:] = False
    head = int(np.argmin(blank)) if not blank.all() else upto
    if skip_first and head < upto:
        skip_first, good[head] = False, False
        faults = [fault for fault in faults if fault.line != head + first_line]
    batch = _collect(data, a, starts, ends, good, reach, first_line, faults)
    return batch, left, left_line, skip_first


def _whole_records(
    a: NDArray[np.uint8], ends: Ints, quotes: Ints, delimiter: int, columns: int
) -> NDArray[np.bool_]:
    """The lines with quotes that are one strict record each, if they begin outside of quotes.

    Every other quote opens: it stands at the start of a field, or after the quote that it doubles.
    The ones between close: a field ends there, or another quote follows.
    """
    where = np.flatnonzero(a == 34)
    found = (quotes > 0) & (quotes % 2 == 0)
    if not found.any():
        return found
    before = np.cumsum(quotes) - quotes  # quotes in the lines above
    line = np.repeat(np.arange(len(ends)), quotes)
    where = where[: len(line)]
    opens = (np.arange(len(line)) - before[line]) % 2 == 0
    near = np.where(opens, a[np.maximum(where - 1, 0)], a[np.minimum(where + 1, len(a) - 1)])
    near[(where == 0) & opens] = 10
    fits = (near == 10) | (near == delimiter) | (near == 34)
    found &= np.bincount(line[~fits], minlength=len(ends)) == 0
    commas = np.flatnonzero(a == delimiter)
    at = np.searchsorted(ends, commas)
    inside = at < len(ends)
    commas, at = commas[inside], at[inside]
    outside = (np.searchsorted(where, commas) - before[at]) % 2 == 0
    return found & (np.bincount(at[outside], minlength=len(ends)) == columns - 1)


def _per_line(a: NDArray[np.uint8], byte: int, ends: Ints) -> Ints:
    """How often `byte` stands in each line."""
    where = np.flatnonzero(a == byte)
    if not len(where):
        return np.zeros(len(ends), np.int64)
    return np.diff(np.searchsorted(where, ends), prepend=0)


def _collect(
    data: bytes,
    a: NDArray[np.uint8],
    starts: Ints,
    ends: Ints,
    good: NDArray[np.bool_],
    reach: Ints,
    first_line: int,
    faults: list[Fault],
) -> Batch:
    """The good records' bytes side by side, with where each starts."""
    chosen = np.flatnonzero(good)
    line = chosen + first_line
    begin = starts[chosen]
    end = ends[chosen + reach[chosen] - 1] + 1
    sizes = end - begin
    start = np.concatenate([[0], np.cumsum(sizes)])
    if int(start[-1]) == len(data):
        return Batch(data, line, start, faults)
    edge = np.zeros(len(a) + 1, np.int8)
    np.add.at(edge, begin, 1)
    np.add.at(edge, end, -1)
    mask = np.cumsum(edge[:-1], dtype=np.int8).astype(bool)
    return Batch(a[mask].tobytes(), line, start, faults)

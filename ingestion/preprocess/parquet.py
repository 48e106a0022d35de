"""Parquet → columns of text, row group by row group. Loads pyarrow: for workers only.

`python -m ingestion.preprocess.parquet FILE` prints the columns and first rows as JSON: that is how
the web process looks into such a file, in a process of its own with bounds on memory and time.
"""

import csv
import io
import resource
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingestion.preprocess.faults import Fault, Unreadable
from ingestion.preprocess.records import Batch

BATCH_ROWS = 32_768
BATCH_BYTES = 8 << 20
CELL_LIMIT = 1 << 20
MEMORY_LIMIT = 4 << 30
SECONDS = 20
_BROKEN = (pa.ArrowException, OSError, ValueError, OverflowError)


def scan(path: Path, *, columns: int) -> Iterator[Batch]:
    """Batches of a fixed number of rows; the same file gives the same batches every time."""
    number = 1
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            for part in file.iter_batches(batch_size=_batch_rows(file), use_threads=False):
                if part.num_columns != columns:
                    raise Unreadable("damaged_parquet")
                yield _batch([texts(part.column(i)) for i in range(columns)], number)
                number += part.num_rows
    except _BROKEN as error:
        raise Unreadable("damaged_parquet") from error


def _batch_rows(file: pq.ParquetFile) -> int:
    meta = file.metadata
    size = sum(meta.row_group(i).total_byte_size for i in range(min(meta.num_row_groups, 50)))
    rows = sum(meta.row_group(i).num_rows for i in range(min(meta.num_row_groups, 50)))
    return max(1_000, min(BATCH_ROWS, BATCH_BYTES * max(rows, 1) // max(size, 1)))


def count(path: Path) -> int:
    """How many rows the file says it has."""
    try:
        return int(pq.read_metadata(path).num_rows)
    except _BROKEN as error:
        raise Unreadable("damaged_parquet") from error


def texts(column: pa.Array) -> pa.Array:
    """A column of any type as texts: moments in ISO form, lists and structures as JSON."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return texts(column.dictionary_decode())
    if pa.types.is_nested(kind):
        made = [None if v is None else _as_json(v) for v in column.to_pylist()]
        return pc.fill_null(pa.array(made, pa.string()), "")
    if (
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or (pa.types.is_fixed_size_binary(kind))
    ):
        made = [
            None if v is None else v.decode("utf-8", "backslashreplace") for v in column.to_pylist()
        ]
        return pc.fill_null(pa.array(made, pa.string()), "")
    if pa.types.is_floating(kind):
        return pa.array([_plain(v) for v in column.to_pylist()], pa.string())
    if pa.types.is_null(kind):
        return pa.array([""] * len(column), pa.string())
    if pa.types.is_duration(kind):
        column = column.cast(pa.int64())
    return pc.fill_null(column.cast(pa.string()), "")


def _plain(value: float | None) -> str:
    """A number that has no fraction is written without a point."""
    if value is None or value != value:
        return ""
    whole = value == int(value) if abs(value) < 1e15 else False
    return str(int(value)) if whole else repr(float(value))


def _as_json(value: Any) -> str:
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


class _Raw(Sequence[str]):
    """Rows as lines of CSV, made when somebody asks."""

    def __init__(self, cells: list[pa.Array]) -> None:
        self.cells = cells

    def __len__(self) -> int:
        return len(self.cells[0]) if self.cells else 0

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return _Raw([cell[index] for cell in self.cells])
        return csv_line([cell[index].as_py() for cell in self.cells])


def csv_line(cells: Sequence[str]) -> str:
    """Texts as one line of CSV."""
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(cells)
    return out.getvalue().replace("\0", "\\x00")


def _batch(cells: list[pa.Array], first: int) -> Batch:
    rows = len(cells[0]) if cells else 0
    line = np.arange(first, first + rows, dtype=np.int64)
    bad = np.zeros(rows, bool)
    why: dict[int, tuple[str, dict[str, Any]]] = {}
    for cell in cells:
        nul = pc.match_substring(cell, "\0").to_numpy(zero_copy_only=False)
        long = pc.greater(pc.binary_length(cell), CELL_LIMIT).to_numpy(zero_copy_only=False)
        for row in np.flatnonzero(nul | long).tolist():
            size = len(cell[row].as_py())
            code = "line_too_long" if long[row] else "nul_byte"
            why.setdefault(row, (code, {"megabytes": max(1, round(size / 1e6))}))
        bad |= nul | long
    raw = _Raw(cells)
    faults = [
        Fault(int(line[row]), raw[row][:10_000], code, "", facts)
        for row, (code, facts) in sorted(why.items())
    ]
    if bad.any():
        keep = pa.array(np.flatnonzero(~bad))
        cells, line = [cell.take(keep) for cell in cells], line[~bad]
    return Batch(b"", line, line[:0], faults, cells=dict(enumerate(cells)), raws=_Raw(cells))


def sample(path: Path, rows: int) -> dict[str, Any]:
    """Names of the columns, the first rows as texts, and how many rows there are."""
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            header = list(file.schema_arrow.names)
            part = next(file.iter_batches(batch_size=rows, use_threads=False), None)
            found = [texts(part.column(i)).to_pylist() for i in range(len(header))] if part else []
            total = int(file.metadata.num_rows)
    except _BROKEN as error:
        raise Unreadable("damaged_parquet") from error
    shown = [[cell[:500] for cell in row] for row in zip(*found, strict=True)]
    return {"header": header, "rows": shown, "total": total}


def main(path: str, rows: str) -> None:
    """Print a sample as JSON; a file that cannot be read gives its code."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_LIMIT, MEMORY_LIMIT))
    try:
        answer = sample(Path(path), int(rows))
    except Unreadable as error:
        answer = {"code": error.code}
    sys.stdout.buffer.write(orjson.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:3])

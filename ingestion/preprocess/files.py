"""A file of any format → batches of rows, the same ones every time, from the start or further on.

Which reader, which encoding, which member of an archive and which sheet: that stands in the options
of the import. Loads pyarrow and pandas by way of its readers: for workers only.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from ingestion.preprocess import columns, jsonlines, packing, parquet, reading, records, spreadsheet
from ingestion.preprocess.faults import Fault, show
from ingestion.preprocess.records import Batch
from ingestion.preprocess.shape import Shape
from ingestion.preprocess.texts import Column

SHEET_ROWS = 20_000


def batches(
    path: Path,
    shape: Shape,
    *,
    wanted: Sequence[int] = (),
    after: int = 0,
    block: int | None = None,
) -> Iterator[Batch]:
    """The rows after the first `after`, good or broken. `wanted`: columns that will be asked for.

    Raises Unreadable.
    """
    return records.skip(_all(path, shape, sorted(set(wanted)), block), after)


def _all(path: Path, shape: Shape, wanted: Sequence[int], block: int | None) -> Iterator[Batch]:
    if shape.format == "csv":
        yield from records.scan(
            path,
            encoding=shape.encoding,
            delimiter=shape.delimiter,
            columns=shape.width,
            header=shape.has_header,
            block=block,
            member=shape.member,
            trusted=shape.trusted,
        )
        return
    if shape.format == "jsonl":
        yield from _objects(path, shape, wanted, block)
        return
    with ExitStack() as stack:
        bare = stack.enter_context(
            packing.unpacked(path, member=shape.member, trusted=shape.trusted)
        )
        if shape.format == "parquet":
            yield from parquet.scan(bare, columns=shape.width)
        else:
            yield from _cells(bare, shape)


def _objects(path: Path, shape: Shape, wanted: Sequence[int], block: int | None) -> Iterator[Batch]:
    for part in reading.blocks(
        path, encoding=shape.encoding, size=block, member=shape.member, trusted=shape.trusted
    ):
        faults, line, raws = list(part.faults), [], []
        cells: list[list[str]] = [[] for _ in wanted]
        names = [shape.header[index] for index in wanted]
        gone = {fault.line for fault in faults}
        for number, raw in enumerate(part.data.split(b"\n"), part.first_line):
            if not raw or raw.isspace() or number in gone:
                continue
            try:
                value = jsonlines.parse(raw)
            except jsonlines.Broken as broken:
                faults.append(Fault(number, show(raw), str(broken)))
                continue
            line.append(number)
            raws.append(raw)
            for cell, name in zip(cells, names, strict=True):
                cell.append(jsonlines.pick(value, name))
        if line or faults:
            yield Batch(
                b"",
                np.array(line, np.int64),
                np.zeros(0, np.int64),
                sorted(faults, key=lambda fault: fault.line),
                cells=dict(zip(wanted, cells, strict=True)),
                raws=Shown(raws),
            )


class Shown(Sequence[str]):
    """Raw lines as text, made when somebody asks."""

    def __init__(self, raws: Sequence[bytes]) -> None:
        self.raws = raws

    def __len__(self) -> int:
        return len(self.raws)

    def __getitem__(self, index: Any) -> Any:
        return Shown(self.raws[index]) if isinstance(index, slice) else show(self.raws[index])


class Joined(Sequence[str]):
    """Rows of texts as lines of CSV, made when somebody asks."""

    def __init__(self, rows: Sequence[list[str]]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return Joined(self.rows[index])
        return parquet.csv_line(self.rows[index])


def _cells(path: Path, shape: Shape) -> Iterator[Batch]:
    skip_first, width = shape.has_header, shape.width
    rows: list[list[str]] = []
    line: list[int] = []
    faults: list[Fault] = []
    for number, row in spreadsheet.rows(path, sheet=shape.sheet):
        if skip_first:
            skip_first = False
            continue
        while len(row) > width and not row[-1]:
            row.pop()
        if len(row) > width:
            facts = {"expected": width, "found": len(row)}
            faults.append(Fault(number, parquet.csv_line(row)[:10_000], "field_count", "", facts))
        else:
            rows.append(row + [""] * (width - len(row)))
            line.append(number)
        if len(rows) + len(faults) >= SHEET_ROWS:
            yield _sheet_batch(rows, line, faults, width)
            rows, line, faults = [], [], []
    if rows or faults:
        yield _sheet_batch(rows, line, faults, width)


def _sheet_batch(rows: list[list[str]], line: list[int], faults: list[Fault], width: int) -> Batch:
    by_column = list(zip(*rows, strict=True)) if rows else [()] * width
    return Batch(
        b"",
        np.array(line, np.int64),
        np.zeros(0, np.int64),
        faults,
        cells={index: list(column) for index, column in enumerate(by_column)},
        raws=Joined(rows),
    )


def read(batch: Batch, shape: Shape, mapping: Mapping[str, int]) -> dict[str, Column]:
    """The mapped columns of a batch."""
    return columns.read(batch, delimiter=shape.delimiter, columns=shape.width, mapping=mapping)


def count(path: Path, shape: Shape) -> int | None:
    """How many rows there will be, nearly; None where nothing says so."""
    if shape.format == "xlsx":
        return None
    if shape.format == "parquet":
        with packing.unpacked(path, member=shape.member, trusted=shape.trusted) as bare:
            return parquet.count(bare)
    stream = packing.pieces(path, member=shape.member, trusted=shape.trusted)
    lines = sum(piece.count(b"\n") for piece in stream)
    return max(lines - shape.has_header, 1)

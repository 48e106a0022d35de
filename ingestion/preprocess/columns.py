"""Records → columns held as (codes, distinct texts), so that cleaning touches each text once.

An order file repeats itself: half a million lines hold four thousand codes and forty countries.
"""

import io
from codecs import BOM_UTF8
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv

from ingestion.preprocess.faults import Fault
from ingestion.preprocess.records import Batch
from ingestion.preprocess.texts import Column, Flags, Ints

__all__ = ["Column", "Flags", "Ints", "Refusals", "escape", "from_texts", "read", "regroup"]


def read(
    batch: Batch, *, delimiter: str, columns: int, mapping: Mapping[str, int]
) -> dict[str, Column]:
    """The mapped columns of a batch. The records are known to be well formed."""
    wanted = sorted(set(mapping.values()))
    if not len(batch.line):
        empty = np.zeros(0, np.int64)
        return {name: Column(empty, []) for name in mapping}
    if batch.cells is not None:
        made = {index: _column(batch.cells[index]) for index in wanted}
        return {name: made[index] for name, index in mapping.items()}
    text = pa.dictionary(pa.int32(), pa.string())
    # The reader takes a byte order mark off the start, and here it is a row's own.
    data = BOM_UTF8 + batch.data if batch.data.startswith(BOM_UTF8) else batch.data
    table = pacsv.read_csv(
        io.BytesIO(data),
        read_options=pacsv.ReadOptions(
            column_names=[str(index) for index in range(columns)],
            use_threads=False,
            block_size=len(data) + 1,
        ),
        parse_options=pacsv.ParseOptions(
            delimiter=delimiter,
            double_quote=True,
            newlines_in_values=True,
            ignore_empty_lines=columns > 1,
        ),
        convert_options=pacsv.ConvertOptions(
            column_types={str(index): text for index in range(columns)},
            strings_can_be_null=False,
            include_columns=[str(index) for index in wanted],
            check_utf8=False,
        ),
    )
    if table.num_rows != len(batch.line):
        raise ValueError(f"{len(batch.line)} records were read as {table.num_rows} rows")
    by_index = {index: _coded(table.column(str(index)).combine_chunks()) for index in wanted}
    return {name: by_index[index] for name, index in mapping.items()}


def _column(cells: Any) -> Column:
    """Texts in a list or an array as a column."""
    array = cells if isinstance(cells, pa.Array) else pa.array(cells, pa.string())
    return _coded(array.dictionary_encode())


def _coded(array: Any) -> Column:
    return Column(array.indices.to_numpy().astype(np.int64), array.dictionary.to_pylist())


def from_texts(rows: Sequence[Mapping[str, str]], names: Sequence[str]) -> dict[str, Column]:
    """Columns made of rows in memory; a missing name reads as an empty text."""
    made: dict[str, Column] = {}
    for name in names:
        texts = [row.get(name, "") for row in rows]
        codes, distinct = pd.factorize(np.array(texts, dtype=object))
        made[name] = Column(codes.astype(np.int64), distinct.tolist())
    return made


def regroup(column: Column, keys: Sequence[Any]) -> tuple[Ints, list[Any]]:
    """Codes over equal keys, and the keys: texts that clean to the same key become one."""
    order: dict[Any, int] = {}
    index = np.fromiter((order.setdefault(key, len(order)) for key in keys), np.int64, len(keys))
    return index[column.codes], list(order)


class Refusals:
    """The first fault of each row, gathered column by column."""

    def __init__(self, rows: int) -> None:
        self.bad: Flags = np.zeros(rows, bool)
        self._why: dict[int, tuple[str, str]] = {}

    def by_text(self, column: Column, faults: Sequence[str], field: str) -> None:
        """Refuse rows whose text of this column has a fault code."""
        if not any(faults):
            return
        wrong = column.spread([bool(fault) for fault in faults], bool) & ~self.bad
        for row in np.flatnonzero(wrong).tolist():
            self._why[row] = (faults[column.codes[row]], field)
        self.bad |= wrong

    def by_row(self, wrong: Flags, code: str, field: str) -> None:
        """Refuse the rows marked in `wrong`."""
        fresh = wrong & ~self.bad
        for row in np.flatnonzero(fresh).tolist():
            self._why[row] = (code, field)
        self.bad |= fresh

    def faults(self, batch: Batch, columns: Mapping[str, Column]) -> list[Fault]:
        """The refused rows as faults, with the value that was refused."""
        return [
            Fault(
                int(batch.line[row]),
                batch.raw(row),
                code,
                field,
                {"value": columns[field].text(row)[:80]} if field in columns else {},
            )
            for row, (code, field) in sorted(self._why.items())
        ]


def escape(text: str) -> str:
    """A text for COPY in text format."""
    if "\\" in text or "\t" in text or "\n" in text or "\r" in text or "\0" in text:
        text = (
            text.replace("\\", "\\\\")
            .replace("\t", "\\t")
            .replace("\n", "\\n")
            .replace("\r", "\\r")
        )
        return text.replace("\0", "")
    return text

"""Rows of events: columns of text → events with their person, moment and details."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from ingestion.preprocess import moments, titles, values
from ingestion.preprocess.columns import Column, Refusals
from ingestion.preprocess.faults import Fault
from ingestion.preprocess.findings import Findings
from ingestion.preprocess.records import Batch
from ingestion.preprocess.texts import Ints

_ID_LIMIT = 100  # characters
FIELDS = ("type", "at", "message_id", "customer_id", "email", "anonymous_id", "properties")


@dataclass(frozen=True)
class Options:
    """How to read one file of events."""

    timezone: str = "UTC"
    date_style: str = "iso"
    now: datetime | None = None


class Row(NamedTuple):
    """One event; `properties` is compact JSON and `raw` the row it came from."""

    index: int  # type: ignore[assignment]  # a row has no use for tuple.index
    line: int
    type: str
    at: datetime
    message_id: str
    external_id: str
    email: str
    anonymous_id: str
    properties: bytes


@dataclass
class Values:
    """One field of all good rows: `values[codes[i]]` is that of the i-th."""

    codes: Ints
    values: Sequence[Any]

    def spread(self) -> list[Any]:
        """The value of each row."""
        array = np.empty(len(self.values), dtype=object)
        array[:] = self.values
        return array[self.codes].tolist()


class Clean:
    """Clean rows of one batch: as columns, and as rows for who looks at single ones.

    Rows that are put in their place take the columns away.
    """

    def __init__(
        self,
        *,
        faults: list[Fault],
        batch: Batch,
        kept: Ints,
        columns: dict[str, Values],
    ) -> None:
        self.faults, self.batch = faults, batch
        self.duplicates = 0
        self.findings = Findings()
        self.kept = kept
        self.columns: dict[str, Values] | None = columns
        self.lines: Any = None  # what the importer made of the columns
        self._rows: list[Row] | None = None

    def __len__(self) -> int:
        return len(self.kept) if self._rows is None else len(self._rows)

    @property
    def rows(self) -> list[Row]:
        """The good rows."""
        if self._rows is None:
            assert self.columns is not None
            spread = [self.columns[name].spread() for name in FIELDS]
            spread[-1] = [text.encode() for text in spread[-1]]
            lines = self.batch.line[self.kept].tolist()
            self._rows = [
                Row._make(row) for row in zip(self.kept.tolist(), lines, *spread, strict=True)
            ]
        return self._rows

    @rows.setter
    def rows(self, rows: list[Row]) -> None:
        self._rows, self.columns = rows, None

    def part(self, places: Ints) -> "Clean":
        """The good rows at these places, as columns."""
        assert self.columns is not None
        return Clean(
            faults=[],
            batch=self.batch,
            kept=self.kept[places],
            columns={
                name: Values(column.codes[places], column.values)
                for name, column in self.columns.items()
            },
        )

    def text(self, name: str, place: int) -> str:
        """One field of the good row at this place."""
        assert self.columns is not None
        column = self.columns[name]
        return str(column.values[column.codes[place]])

    def raw(self, place: int) -> tuple[int, str]:
        """Line and text of the good row at this place."""
        index = int(self.kept[place])
        return int(self.batch.line[index]), self.batch.raw(index)


def clean(batch: Batch, columns: Mapping[str, Column], options: Options) -> Clean:
    """Clean one batch. Every event needs somebody: a number, an address or a visitor number."""
    blank = Column(np.zeros(len(batch.line), np.int64), [""] if len(batch.line) else [])
    refused = Refusals(len(batch.line))

    def column(name: str) -> Column:
        return columns.get(name, blank)

    types = [titles.tidy(text) for text in column("type").texts]
    refused.by_text(
        column("type"),
        ["missing" if not t else "text_too_long" if len(t) > 100 else "" for t in types],
        "type",
    )
    stamps, faults = moments.read(
        column("at").texts,
        style=options.date_style,
        zone=ZoneInfo(options.timezone),
        now=options.now,
    )
    refused.by_text(column("at"), faults, "at")
    details, faults = column("properties").read(values.json_object)
    refused.by_text(column("properties"), faults, "properties")
    emails, faults = column("email").read(values.email)
    refused.by_text(column("email"), faults, "email")
    ids: dict[str, list[str]] = {}
    for name in ("message_id", "customer_id", "anonymous_id"):
        ids[name] = _plain(column(name).texts)
        if max(map(len, ids[name]), default=0) > _ID_LIMIT:
            faults = ["text_too_long" if len(t) > _ID_LIMIT else "" for t in ids[name]]
            refused.by_text(column(name), faults, name)
    named = {"customer_id": ids["customer_id"], "anonymous_id": ids["anonymous_id"]}
    nameless = np.ones(len(batch.line), bool)
    for name, texts in {**named, "email": emails}.items():
        nameless &= column(name).spread([not text for text in texts], bool)
    refused.by_row(nameless, "no_person", "customer_id")
    kept = np.flatnonzero(~refused.bad)
    made: dict[str, Sequence[Any]] = {
        "type": types,
        "at": stamps,
        "message_id": ids["message_id"],
        "customer_id": ids["customer_id"],
        "email": emails,
        "anonymous_id": ids["anonymous_id"],
        "properties": details,
    }
    return Clean(
        faults=sorted(
            [*batch.faults, *refused.faults(batch, columns)], key=lambda fault: fault.line
        ),
        batch=batch,
        kept=kept,
        columns={name: Values(column(name).codes[kept], made[name]) for name in FIELDS},
    )


def _plain(texts: list[str]) -> list[str]:
    """The texts with single spaces inside and none around."""
    whole = "".join(texts)
    if not whole or whole.split() == [whole]:
        return texts
    return [" ".join(text.split()) for text in texts]

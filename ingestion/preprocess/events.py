"""Rows of events: columns of text → events with their person, moment and details."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from ingestion.preprocess import titles, values
from ingestion.preprocess.columns import Column, Refusals
from ingestion.preprocess.faults import Fault
from ingestion.preprocess.findings import Findings
from ingestion.preprocess.records import Batch


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
class Clean:
    """Clean rows of one batch."""

    faults: list[Fault]
    duplicates: int
    findings: Findings
    batch: Batch
    rows: list[Row] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.rows)


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
    read = partial(
        values.moment, style=options.date_style, zone=ZoneInfo(options.timezone), now=options.now
    )
    moments, faults = column("at").read(read)
    refused.by_text(column("at"), faults, "at")
    details, faults = column("properties").read(values.json_object)
    refused.by_text(column("properties"), faults, "properties")
    emails, faults = column("email").read(values.email)
    refused.by_text(column("email"), faults, "email")
    ids: dict[str, list[str]] = {}
    for name in ("message_id", "customer_id", "anonymous_id"):
        ids[name] = [" ".join(text.split()) for text in column(name).texts]
        refused.by_text(
            column(name), ["text_too_long" if len(t) > 100 else "" for t in ids[name]], name
        )
    customer, visitor = (column(n).spread(ids[n]) for n in ("customer_id", "anonymous_id"))
    address = column("email").spread(emails)
    refused.by_row((customer == "") & (visitor == "") & (address == ""), "no_person", "customer_id")
    message = column("message_id").spread(ids["message_id"])
    type_at = column("type").spread(types)
    body = column("properties").spread([text.encode() for text in details])
    moment = column("at").spread(moments)
    rows = [
        Row(
            row,
            int(batch.line[row]),
            type_at[row],
            moment[row],
            message[row],
            customer[row],
            address[row],
            visitor[row],
            body[row],
        )
        for row in np.flatnonzero(~refused.bad).tolist()
    ]
    return Clean(
        faults=sorted(
            [*batch.faults, *refused.faults(batch, columns)], key=lambda fault: fault.line
        ),
        duplicates=0,
        findings=Findings(),
        batch=batch,
        rows=rows,
    )

"""Rows about people: columns of text → people with their answers about marketing."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from ingestion.preprocess import countries, properties, titles, values
from ingestion.preprocess.columns import Column, Refusals
from ingestion.preprocess.faults import Fault
from ingestion.preprocess.findings import EXAMPLES, Findings, example
from ingestion.preprocess.records import Batch


@dataclass(frozen=True)
class Options:
    """How to read one file of people.

    `kinds`: property → its kind, text where none is said. `numbered`: what the number of a line is
    put behind to name a person whom nothing else names; empty where such a row is refused.
    """

    timezone: str = "UTC"
    date_style: str = "iso"
    now: datetime | None = None
    decimal: str = "."
    kinds: Mapping[str, str] = field(default_factory=dict)
    numbered: str = ""


@dataclass(frozen=True)
class Row:
    """One person as the file tells it. `subscribed` is None when the file does not say."""

    line: int
    external_id: str
    email: str
    phone: str
    first_name: str
    last_name: str
    country: str
    language: str
    timezone: str
    subscribed: bool | None
    proof: str
    consent_at: datetime | None
    attributes: tuple[tuple[str, Any], ...] = ()
    index: int = field(default=-1, compare=False)  # place in the batch


@dataclass
class Clean:
    """Clean rows of one batch."""

    batch: Batch
    faults: list[Fault]
    duplicates: int
    findings: Findings
    rows: list[Row] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.rows)


def clean(batch: Batch, columns: Mapping[str, Column], options: Options) -> Clean:
    """Clean one batch. A contact that cannot be right is left empty if another name is left."""
    blank = Column(np.zeros(len(batch.line), np.int64), [""] if len(batch.line) else [])
    findings, refused = Findings(), Refusals(len(batch.line))

    def column(name: str) -> Column:
        return columns.get(name, blank)

    ids = [" ".join(text.split())[:100] for text in column("customer_id").texts]
    emails, email_faults = column("email").read(values.email)
    phones, phone_faults = column("phone").read(values.phone)
    id_at, email_at, phone_at = (
        column(n).spread(v) for n, v in (("customer_id", ids), ("email", emails), ("phone", phones))
    )
    nobody = (id_at == "") & (email_at == "") & (phone_at == "")
    if options.numbered and nobody.any():
        findings.add("numbered", int(nobody.sum()))
        id_at = id_at.copy()
        for r in np.flatnonzero(nobody).tolist():
            id_at[r] = f"{options.numbered}-{batch.line[r]}"
        nobody = np.zeros(len(nobody), bool)
    for name, faults in (("email", email_faults), ("phone", phone_faults)):
        wrong = column(name).spread([bool(fault) for fault in faults], bool)
        refused.by_row(nobody & wrong, f"bad_{name}", name)
        rows = np.flatnonzero(wrong & ~nobody)
        shown = [
            example(batch.line[r], {name: column(name).text(r)}, {name: ""})
            for r in rows[:EXAMPLES]
        ]
        findings.add("bad_contact", len(rows), shown)
    refused.by_row(nobody, "no_person", "customer_id")
    flags, faults = column("subscribed").read(values.flag)
    refused.by_text(column("subscribed"), faults, "subscribed")
    read = partial(
        values.moment, style=options.date_style, zone=ZoneInfo(options.timezone), now=options.now
    )
    moments, faults = column("consent_at").read(
        lambda text: read(text) if text.strip() else (None, "")
    )
    refused.by_text(column("consent_at"), faults, "consent_at")
    country_codes = [countries.code(text) for text in column("country").texts]
    plain = {
        name: [titles.tidy(text)[:limit] for text in column(name).texts]
        for name, limit in (
            ("first_name", 100),
            ("last_name", 100),
            ("language", 10),
            ("consent_proof", 300),
        )
    }
    zones = [text.strip() if values.zone(text.strip()) else "" for text in column("timezone").texts]
    kept = _properties(batch, columns, options, findings)
    seen: set[Row] = set()
    clean_rows: list[Row] = []
    duplicates = 0
    for row in np.flatnonzero(~refused.bad).tolist():
        made = Row(
            0,
            id_at[row],
            email_at[row],
            phone_at[row],
            plain["first_name"][column("first_name").codes[row]],
            plain["last_name"][column("last_name").codes[row]],
            country_codes[column("country").codes[row]] or "",
            plain["language"][column("language").codes[row]],
            zones[column("timezone").codes[row]],
            flags[column("subscribed").codes[row]],
            plain["consent_proof"][column("consent_proof").codes[row]],
            moments[column("consent_at").codes[row]],
            tuple(
                (name, value)
                for name, codes, said in kept
                if (value := said[codes[row]]) is not None
            ),
        )
        if made in seen:
            duplicates += 1
            continue
        seen.add(made)
        clean_rows.append(replace(made, line=int(batch.line[row]), index=row))
    findings.add("exact_duplicates", duplicates)
    return Clean(
        batch=batch,
        faults=sorted(
            [*batch.faults, *refused.faults(batch, columns)], key=lambda fault: fault.line
        ),
        duplicates=duplicates,
        findings=findings,
        rows=clean_rows,
    )


def _properties(
    batch: Batch, columns: Mapping[str, Column], options: Options, findings: Findings
) -> list[tuple[str, Any, list[Any]]]:
    """(property, codes by row, values by code) of every column that is kept as a property."""
    zone, kept = ZoneInfo(options.timezone), []
    for field_name, column in columns.items():
        name = properties.name_of(field_name)
        if name is None:
            continue
        kind = options.kinds.get(name, properties.TEXT)
        said, faults = column.read(
            partial(
                properties.read,
                kind=kind,
                decimal=options.decimal,
                date_style=options.date_style,
                zone=zone,
            )
        )
        kept.append((name, column.codes, said))
        wrong = np.flatnonzero(column.spread([bool(fault) for fault in faults], bool))
        shown = [
            example(batch.line[r], {name: column.text(r)}, {name: ""}) for r in wrong[:EXAMPLES]
        ]
        findings.add("property_unread", len(wrong), shown)
    return kept

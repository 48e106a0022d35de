"""Rows of a catalogue: columns of text → products, one per code, the last row of a code counts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from ingestion.preprocess import codes, titles, values
from ingestion.preprocess.columns import Column, Refusals
from ingestion.preprocess.faults import Fault
from ingestion.preprocess.findings import Findings
from ingestion.preprocess.records import Batch


@dataclass(frozen=True)
class Options:
    """How to read one catalogue."""

    decimal: str = "."
    currency: str = "GBP"


@dataclass(frozen=True)
class Row:
    """One product. `price` is in ten-thousandths; None and empty texts: the file is silent."""

    sku: str
    name: str
    category: str
    price: int | None
    currency: str
    url: str
    image_url: str
    stock: int | None
    active: bool


@dataclass
class Clean:
    """Clean rows of one batch."""

    faults: list[Fault]
    duplicates: int
    findings: Findings
    rows: list[Row] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.rows)


def clean(batch: Batch, columns: Mapping[str, Column], options: Options) -> Clean:
    """Clean one batch."""
    blank = Column(np.zeros(len(batch.line), np.int64), [""] if len(batch.line) else [])
    refused, findings = Refusals(len(batch.line)), Findings()

    def column(name: str) -> Column:
        return columns.get(name, blank)

    def required(text: str) -> str:
        return "" if text else "missing"

    skus = [codes.unify(text) for text in column("sku").texts]
    names = [titles.tidy(text)[:300] for text in column("name").texts]
    refused.by_text(
        column("sku"),
        [required(s) or ("text_too_long" if len(s) > 60 else "") for s in skus],
        "sku",
    )
    refused.by_text(column("name"), [required(name) for name in names], "name")

    def optional(reader: partial[tuple[int, str]], text: str) -> tuple[int | None, str]:
        return reader(text) if text.strip() else (None, "")

    prices, faults = column("price").read(
        partial(optional, partial(values.price, decimal=options.decimal))
    )
    refused.by_text(column("price"), faults, "price")
    negative = column("price").spread([(price or 0) < 0 for price in prices], bool)
    refused.by_row(negative, "negative_price", "price")
    stocks, faults = column("stock").read(
        partial(optional, partial(values.integer, decimal=options.decimal))
    )
    refused.by_text(column("stock"), faults, "stock")
    actives, faults = column("active").read(values.flag)
    refused.by_text(column("active"), faults, "active")
    currencies, faults = column("currency").read(values.currency)
    refused.by_text(column("currency"), faults, "currency")
    plain = {
        name: [titles.tidy(text)[:limit] for text in column(name).texts]
        for name, limit in (("category", 100), ("url", 500), ("image_url", 500))
    }
    by_sku: dict[str, Row] = {}
    rows = np.flatnonzero(~refused.bad).tolist()
    for row in rows:
        active = actives[column("active").codes[row]]
        made = Row(
            skus[column("sku").codes[row]],
            names[column("name").codes[row]],
            plain["category"][column("category").codes[row]],
            prices[column("price").codes[row]],
            currencies[column("currency").codes[row]] or options.currency,
            plain["url"][column("url").codes[row]],
            plain["image_url"][column("image_url").codes[row]],
            stocks[column("stock").codes[row]],
            True if active is None else active,
        )
        by_sku[made.sku] = made
    duplicates = len(rows) - len(by_sku)
    findings.add("exact_duplicates", duplicates)
    return Clean(
        faults=sorted(
            [*batch.faults, *refused.faults(batch, columns)], key=lambda fault: fault.line
        ),
        duplicates=duplicates,
        findings=findings,
        rows=list(by_sku.values()),
    )

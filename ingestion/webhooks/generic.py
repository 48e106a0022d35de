"""Deliveries of any shape: rows by mapping → recipe → the cleaning and storing that files use."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from ingestion import rollups
from ingestion.imports import running
from ingestion.imports.wording import fault as fault_words
from ingestion.models import ImportJob, WebhookEndpoint
from ingestion.preprocess import paths
from ingestion.preprocess.faults import RAW_LIMIT, Fault
from ingestion.preprocess.recipe.applying import Context
from ingestion.preprocess.recipe.measures import Rates
from ingestion.preprocess.recipe.statistics import Statistics
from ingestion.preprocess.texts import Ints, column_of
from ingestion.recipes import rates, using, versions
from ingestion.webhooks.said import Unclear
from marketing.core import brand

OPTIONS = {"date_style": "iso", "decimal": "."}


@dataclass
class Rows:
    """The items of a delivery, as cleaning sees a batch of a file."""

    items: list[Any]
    faults: list[Fault] = field(default_factory=list)

    @property
    def line(self) -> Ints:
        return np.arange(1, len(self.items) + 1, dtype=np.int64)

    @property
    def received(self) -> int:
        return len(self.items) + len(self.faults)

    def raw(self, index: int) -> str:
        """One item as JSON."""
        return json.dumps(self.items[index], ensure_ascii=False)[:RAW_LIMIT].replace("\0", "")


@dataclass
class Stored:
    """What storing a delivery came to, by row."""

    counts: dict[str, int]
    faults: list[Fault]
    names: set[str]

    @property
    def why(self) -> tuple[str, str, str]:
        """(code, what is wrong, what to do) of the first row that was set aside."""
        fault = self.faults[0]
        return (fault.code, *fault_words(fault.code, fault.field, fault.facts))


def store(*, endpoint: WebhookEndpoint, body: Any, delivery_id: str, now: datetime) -> Stored:
    """Store the rows of one delivery inside the caller's transaction."""
    if not endpoint.mapping.get("fields"):
        raise Unclear("fields", "no_mapping")
    try:
        mapping = paths.parse_mapping(endpoint.mapping)
        items = paths.items_of(mapping, body)
    except paths.Faulty as faulty:
        raise Unclear(faulty.path, faulty.code) from None
    rows = [
        {name: paths.cell(paths.find(path, item, body)) for name, path in mapping.fields.items()}
        for item in items
    ]
    _fill(rows, endpoint.kind, delivery_id, now)
    names = list(rows[0]) if rows else []
    columns = {name: column_of(row[name] for row in rows) for name in names}
    options = {
        **OPTIONS,
        "timezone": brand.now().timezone,
        "currency": brand.now().currency,
        **endpoint.source.options,
    }
    batch, columns, outcome = _recipe(endpoint, options).apply(Rows(items), columns)
    handler = running.HANDLERS[endpoint.kind]
    clean = handler.clean(batch, columns, handler.options(options, now))
    record = ImportJob(source=endpoint.source, kind=endpoint.kind)
    done = handler.store_chunk(clean=clean, record=record, now=now)
    using.keep_originals(source_id=endpoint.source_id, originals=outcome.originals)
    if endpoint.kind == ImportJob.Kind.ORDERS and done.customer_ids:
        rollups.refresh(customer_ids=done.customer_ids)
    faults = [*clean.faults, *done.faults]
    told = {
        "received": len(items),
        "stored": done.stored,
        "duplicate": clean.duplicates + outcome.duplicates + done.duplicate,
        "quarantined": len(faults),
        "left_out": outcome.left_out,
    }
    spoken = {row[n].strip().lower() for row in rows for n in ("email", "customer_id") if n in row}
    return Stored(told, faults, {name[:254] for name in spoken if name})


def _fill(rows: list[dict[str, str]], kind: str, delivery_id: str, now: datetime) -> None:
    """Events without a number of their own are known by their delivery and their place in it."""
    if kind != ImportJob.Kind.EVENTS:
        return
    for place, row in enumerate(rows, 1):
        row["message_id"] = row.get("message_id") or f"{delivery_id[:80]}:{place}"
        row["at"] = row.get("at") or now.isoformat(timespec="seconds")


def _recipe(endpoint: WebhookEndpoint, options: dict[str, Any]) -> using.Prepared:
    """The recipe of the source. Limits and medians are those of its latest file."""
    version = versions.current(source=endpoint.source, kind=endpoint.kind)
    table = Rates.of(rates.table(source=endpoint.source))
    known = Statistics(values=dict(version.statistics)) if version else None
    context = Context(using.reading_of(options), table, known)
    return using.Prepared(versions.recipe_of(version), context, [])

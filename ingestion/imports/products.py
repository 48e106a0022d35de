"""One chunk of a catalogue → products."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ingestion import catalogue
from ingestion.imports.outcome import Stored
from ingestion.models import ImportJob
from ingestion.preprocess import products
from ingestion.preprocess.products import Clean

clean = products.clean


def options(chosen: Mapping[str, Any], now: datetime) -> products.Options:
    """The reading options of an import as the pure side takes them."""
    return products.Options(chosen["decimal"], chosen["currency"])


def store_chunk(*, clean: Clean, record: ImportJob, now: datetime) -> Stored:
    """Store one chunk inside the caller's transaction; an unchanged row is a duplicate."""
    items = [
        catalogue.Item(
            sku=row.sku,
            name=row.name,
            category=row.category,
            price=None if row.price is None else row.price / 10_000,
            currency=row.currency,
            url=row.url,
            image_url=row.image_url,
            stock=row.stock,
            active=row.active,
        )
        for row in clean.rows
    ]
    stored = len(catalogue.upsert(items=items, now=now))
    return Stored(stored, len(items) - stored)

"""Bring a file in by the real path: received, mapped, and run as a job."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.cache import cache
from rest_framework.test import APIClient

from ingestion.imports import choosing, starting, uploads
from ingestion.models import ImportJob
from marketing.core import auth, jobs

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
Bring = Callable[..., ImportJob]


@pytest.fixture
def bring(db: None) -> Bring:
    """bring(bytes, kind=…, mapping={field: column name}, **options) → the ended import."""

    def run(
        content: bytes,
        *,
        kind: str = "orders",
        mapping: dict[str, str] | None = None,
        source: str = "shop",
        name: str = "file.csv",
        **options: Any,
    ) -> ImportJob:
        record = uploads.receive(
            chunks=[content], name=name, kind=kind, source_name=source, user=None, now=NOW
        )
        header = record.options["header"]
        chosen = dict(record.mapping)
        for field, column in (mapping or {}).items():
            chosen[field] = header.index(column)
        choosing.choose(
            record=record, kind=kind, mapping=chosen, options={**record.options, **options}, now=NOW
        )
        job = starting.start(record=record, now=NOW)
        jobs.run(job_id=job.pk)
        job.refresh_from_db()
        assert job.state == "done", job.error + "\n" + str(job.log)
        record.refresh_from_db()
        return record

    return run


@pytest.fixture
def api(db: None) -> APIClient:
    """A client whose key may do everything."""
    cache.clear()
    _key, secret = auth.create_key(name="all", scopes=list(auth.SCOPES), user=None)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client

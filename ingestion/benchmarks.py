"""Workloads of this app against their limits, both sides measured in the same run, interleaved.

They empty and fill the tables of facts, so they refuse to run in a database that holds any.
Each returns {name, value, unit, n, limit, peer, ratio, runs, spread}: `value` and `limit` in units
per second, `ratio` = value / limit, `spread` = (slowest - fastest) / median of our own runs.
"""

import io
import itertools
import json
import lzma
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from rest_framework.test import APIClient

from ingestion import events
from ingestion.imports import demo, uploads
from ingestion.models import Customer, EventKey, ImportJob, Order
from marketing.core import auth, jobs
from marketing.core.db import copy_rows
from marketing.core.errors import Refused

Line = dict[str, Any]
RUNS = 3
ORDERS_SMALL = 120_000
EVENTS = {"small": 100_000, "full": 1_000_000}
FACTS = ("customer", "identity", "consent", "product", "order", "orderline", "customerrollup")
STREAM = ("customer", "identity", "eventkey", "event")


def import_orders(*, size: str = "small") -> Line:
    """Order lines from CSV to customers, products, orders, lines, rollups; against bare COPY."""
    with tempfile.TemporaryDirectory() as folder:
        path = demo.FILE
        if size != "full":
            path = Path(folder) / "orders.csv"
            with lzma.open(demo.FILE, "rb") as whole, path.open("wb") as part:
                part.writelines(itertools.islice(whole, ORDERS_SMALL + 1))
        options = {**demo.OPTIONS}
        return _import("import.orders", path, "orders", FACTS, options)


def import_events(*, size: str = "small") -> Line:
    """An event file parsed, cleaned, identified and deduplicated; against bare COPY."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.csv"
        _write_events(path, EVENTS[size])
        return _import("import.events", path, "events", STREAM, {})


def _import(name: str, path: Path, kind: str, tables: tuple[str, ...], options: Line) -> Line:
    _refuse_if_filled()
    ours: list[float] = []
    bare: list[float] = []
    rows = 0
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(RUNS):
            _empty()
            seconds, record = _run_import(path, kind, options)
            ours.append(seconds)
            rows = record.received
            files = _dump(Path(folder), tables)
            _empty(keep_sources=True)
            bare.append(_load(files))
    _empty()
    return _line(
        name, rows, ours, bare, "bare COPY into the same tables with their indexes", "rows/s"
    )


def _run_import(path: Path, kind: str, options: Line) -> tuple[float, ImportJob]:
    now = timezone.now()
    record = uploads.register(
        path=path, name=path.name, kind=kind, source_name="bench", is_demo=kind == "orders",
        now=now, options=options,
    )  # fmt: skip
    uploads.choose(
        record=record, kind=kind, mapping=record.mapping, options=record.options, now=now
    )
    job = uploads.start(record=record, now=now)
    began = time.perf_counter()
    jobs.run(job_id=job.pk)
    seconds = time.perf_counter() - began
    record.refresh_from_db()
    if record.state != ImportJob.State.DONE:
        raise Refused(f"the import ended as {record.state}: {record.job and record.job.error}")
    return seconds, record


def _dump(folder: Path, tables: tuple[str, ...]) -> list[tuple[str, Path]]:
    """The rows that the import made, as COPY text, table by table in the order of their keys."""
    files = []
    with connection.cursor() as cursor:
        for table in tables:
            path = folder / table
            with path.open("wb") as file:
                cursor.copy_expert(
                    f"COPY (SELECT * FROM ingestion_{table} ORDER BY 1) TO STDOUT", file
                )
            files.append((table, path))
    return files


def _load(files: list[tuple[str, Path]]) -> float:
    began = time.perf_counter()
    with transaction.atomic(), connection.cursor() as cursor:
        for table, path in files:
            with path.open("rb") as file:
                cursor.copy_expert(f"COPY ingestion_{table} FROM STDIN", file, 1 << 18)
    return time.perf_counter() - began


def api_batch(*, size: str = "small") -> Line:
    """100 events a request through the whole view, durable; against decoding and COPY alone."""
    _refuse_if_filled()
    requests = 200 if size == "full" else 60
    _key, secret = auth.create_key(name="bench", scopes=["events:write"], user=None)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    now = timezone.now()
    ours: list[float] = []
    bare: list[float] = []
    host = settings.ALLOWED_HOSTS[0]
    for run in range(RUNS):
        bodies = [
            orjson.dumps([_event(n, f"{run}-{request}-{n}", now) for n in range(100)])
            for request in range(requests)
        ]
        began = time.perf_counter()
        for body in bodies:
            answer = client.generic(
                "POST",
                "/api/v1/events/",
                body.decode(),
                content_type="application/json",
                HTTP_HOST=host,
            )
            if answer.status_code != 200:
                raise Refused(f"the API answered {answer.status_code}")
        ours.append(time.perf_counter() - began)
        began = time.perf_counter()
        for number, body in enumerate(bodies):
            _bare_batch(body, f"bare-{run}-{number}", now)
        bare.append(time.perf_counter() - began)
    _key.delete()
    _empty()
    return _line(
        "api.batch", requests * 100, ours, bare, "orjson and COPY in the same process", "events/s"
    )


def _bare_batch(body: bytes, prefix: str, now: datetime) -> None:
    rows = io.StringIO()
    for number, event in enumerate(orjson.loads(body)):
        properties = orjson.dumps(event["properties"]).decode()
        rows.write(
            f"{event['at']}\t{now.isoformat()}\t\\N\t\t{event['type']}\t{properties}\tbench"
            f"\t{prefix}-{number}\n"
        )
    with transaction.atomic(), connection.cursor() as cursor:
        copy_rows(cursor, "ingestion_event", events.COLUMNS, [rows.getvalue().encode()])


def _event(number: int, name: str, now: datetime) -> Line:
    return {
        "type": ("view", "cart", "search")[number % 3],
        "at": (now - timedelta(seconds=number)).isoformat(),
        "message_id": name,
        "external_id": str(number % 40),
        "properties": {"sku": f"{20_000 + number}", "page": "/p/teapot", "price": 12.5},
    }


def _write_events(path: Path, count: int) -> None:
    chance = random.Random(7)
    start = datetime(2026, 9, 1, tzinfo=UTC)
    with path.open("w") as file:
        file.write("type,at,message_id,customer_id,properties\n")
        for number in range(count):
            at = start + timedelta(seconds=number * 5)
            properties = json.dumps({"sku": str(chance.randrange(4000)), "price": 12.5})
            quoted = properties.replace('"', '""')
            file.write(
                f'view,{at:%Y-%m-%dT%H:%M:%SZ},m{number},{chance.randrange(20_000)},"{quoted}"\n'
            )


def _refuse_if_filled() -> None:
    if Customer.objects.exists() or Order.objects.exists() or EventKey.objects.exists():
        raise Refused(
            "These workloads empty the tables of facts, and this database holds some.",
            code="database_filled",
            remedy="Point DATABASE_URL at an empty database.",
        )


def _empty(*, keep_sources: bool = False) -> None:
    tables = {*FACTS, *STREAM, "importtouch", "reject"}
    if not keep_sources:
        tables |= {"importjob", "source"}
    names = ", ".join(f"ingestion_{table}" for table in sorted(tables))
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {names} CASCADE")


def _line(name: str, n: int, ours: list[float], bare: list[float], peer: str, unit: str) -> Line:
    value, limit = n / statistics.median(ours), n / statistics.median(bare)
    return {
        "name": name,
        "value": round(value),
        "unit": unit,
        "n": n,
        "limit": round(limit),
        "peer": peer,
        "ratio": round(value / limit, 3),
        "runs": len(ours),
        "spread": round((max(ours) - min(ours)) / statistics.median(ours), 3),
        "seconds": round(statistics.median(ours), 2),
    }


WORKLOADS: dict[str, Callable[..., Line]] = {
    "import.orders": import_orders,
    "import.events": import_events,
    "api.batch": api_batch,
}

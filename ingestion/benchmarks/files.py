"""Files by their whole path, against bare COPY of the rows that came of them."""

import itertools
import json
import lzma
import os
import random
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from ingestion import rollups
from ingestion.benchmarks import measuring
from ingestion.benchmarks.measuring import FACTS, STREAM, Line
from ingestion.imports import choosing, demo, starting, uploads
from ingestion.models import Customer, ImportJob
from marketing.core.errors import Refused

RUNS = 3
ORDERS = {"small": 120_000, "middle": 400_000, "full": 1_000_000}
EVENTS = {"small": 100_000, "middle": 1_000_000, "full": 5_000_000}


def import_orders(*, size: str = "small") -> Line:
    """Order lines from CSV to customers, products, orders, lines, rollups; against bare COPY."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "orders.csv"
        _write_orders(path, ORDERS[size])
        return _import("import.orders", path, "orders", FACTS, {**demo.OPTIONS})


def ingest_rollups(*, size: str = "small") -> Line:
    """The same import with its figures per person kept up, against the same without them."""
    measuring.refuse_if_filled()
    ours: list[float] = []
    bare: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "orders.csv"
        _write_orders(path, ORDERS[size])
        for _ in range(RUNS):
            measuring.empty()
            seconds, _peak, record = _run_import(path, "orders", {**demo.OPTIONS})
            ours.append(seconds)
            bare.append(seconds - _upkeep())
    measuring.empty()
    peer = "the same import without rollups"
    return measuring.line("ingest.rollups", record.received, ours, bare, peer, "rows/s")


def _upkeep() -> float:
    """Seconds that the figures of everybody take when none are there."""
    ids = list(Customer.objects.order_by("pk").values_list("pk", flat=True))
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE ingestion_customerrollup")
    began = time.perf_counter()
    rollups.refresh(customer_ids=ids)
    return time.perf_counter() - began


def _write_orders(path: Path, count: int) -> None:
    """So many lines of the shipped history, again with other order numbers when it ends."""
    left = count
    with path.open("wb") as file:
        for again in itertools.count():
            with lzma.open(demo.FILE, "rb") as whole:
                header = next(whole)
                if not again:
                    file.write(header)
                for line in itertools.islice(whole, left):
                    number, rest = line.split(b",", 1)
                    file.write(b"%b-%d,%b" % (number, again, rest) if again else line)
                    left -= 1
            if not left:
                return


def import_events(*, size: str = "small") -> Line:
    """An event file parsed, cleaned, identified and deduplicated; against bare COPY."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.csv"
        _write_events(path, EVENTS[size])
        return _import("import.events", path, "events", STREAM, {})


def _import(name: str, path: Path, kind: str, tables: tuple[str, ...], options: Line) -> Line:
    measuring.refuse_if_filled()
    ours: list[float] = []
    bare: list[float] = []
    peaks: list[int] = []
    rows = 0
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(RUNS):
            measuring.empty()
            seconds, peak, record = _run_import(path, kind, options)
            ours.append(seconds)
            peaks.append(peak)
            rows = record.received
            files = _dump(Path(folder), tables)
            measuring.empty(keep_sources=True)
            bare.append(_load(files))
    measuring.empty()
    peer = "bare COPY into the same tables with their indexes"
    return measuring.line(name, rows, ours, bare, peer, "rows/s") | {"memory_mb": max(peaks)}


def _run_import(path: Path, kind: str, options: Line) -> tuple[float, int, ImportJob]:
    """Import a file in a process of its own: its seconds, its megabytes, and the import."""
    now = timezone.now()
    record = uploads.register(
        path=path, name=path.name, kind=kind, source_name="bench", is_demo=kind == "orders",
        now=now, options=options,
    )  # fmt: skip
    choosing.choose(
        record=record, kind=kind, mapping=record.mapping, options=record.options, now=now
    )
    job = starting.start(record=record, now=now)
    done = subprocess.run(
        [sys.executable, "-m", "ingestion.benchmarks.job_process", str(job.pk)],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "marketing.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Refused(f"the import ended: {done.stderr[-1000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    record.refresh_from_db()
    if record.state != ImportJob.State.DONE:
        raise Refused(f"the import ended as {record.state}: {record.job and record.job.error}")
    return found["seconds"], found["memory_mb"], record


def _dump(folder: Path, tables: tuple[str, ...]) -> list[tuple[str, Path]]:
    """The rows that the import made, as COPY text, table by table in the order of their keys.

    The ledger's keys are hashes: its rows keep the order in which they came.
    """
    files = []
    with connection.cursor() as cursor:
        for table in tables:
            path = folder / table
            with path.open("wb") as file:
                order = "ctid" if table == "eventkey" else "1"
                cursor.copy_expert(
                    f"COPY (SELECT * FROM ingestion_{table} ORDER BY {order}) TO STDOUT", file
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


def _write_events(path: Path, count: int) -> None:
    chance = random.Random(7)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with path.open("w") as file:
        file.write("type,at,message_id,customer_id,properties\n")
        for number in range(count):
            at = start + timedelta(seconds=number * 5)
            properties = json.dumps({"sku": str(chance.randrange(4000)), "price": 12.5})
            quoted = properties.replace('"', '""')
            person = 1 + chance.randrange(20_000)
            file.write(f'view,{at:%Y-%m-%dT%H:%M:%SZ},m{number},{person},"{quoted}"\n')

"""The job that carries one file in: read, clean, store, chunk by chunk.

A chunk is one transaction which also moves the ledger on the ImportJob row, so a kill between two
chunks loses nothing and does nothing twice: the next run skips what is committed. The next chunk is
read and cleaned in a thread while PostgreSQL stores this one. Memory stays flat: two chunks.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Any

from django.db import OperationalError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from ingestion import demo_people, rollups
from ingestion.imports import customers as customer_rows
from ingestion.imports import events as event_rows
from ingestion.imports import finishing, rejects, uploads
from ingestion.imports import orders as order_rows
from ingestion.imports import products as product_rows
from ingestion.models import ImportJob
from ingestion.preprocess import columns, findings, reading, records
from ingestion.preprocess.faults import Unreadable
from marketing.core import bus, jobs
from marketing.core.errors import Conflict, NotFound

_QUEUED_CHUNKS = 1
_LARGE = 10_000  # rows after which the planner is told
_TRIES = 5
_RETRIED = ("40001", "40P01")  # serialization failure, deadlock


HANDLERS: dict[str, Any] = {
    ImportJob.Kind.ORDERS: order_rows,
    ImportJob.Kind.CUSTOMERS: customer_rows,
    ImportJob.Kind.PRODUCTS: product_rows,
    ImportJob.Kind.EVENTS: event_rows,
}


def run(*, import_job_id: int, job: jobs.Running, now: datetime) -> dict[str, Any]:
    """Do or continue one import; its ledger as the result."""
    record = ImportJob.objects.select_related("source").filter(pk=import_job_id).first()
    if record is None:
        raise NotFound(_("This import is gone; nothing was changed."), code="import_unknown")
    if record.state == ImportJob.State.DONE:
        return summary(record)
    record.started_at = record.started_at or now
    record.state, record.finished_at = ImportJob.State.RUNNING, None
    record.save(update_fields=["started_at", "state", "finished_at"])
    try:
        job.step(1, _("Storing rows"), total=_count_lines(record), unit="rows")
        _store_all(record, job, now)
        job.step(2, _("Matching returns and adding up"), unit="rows")
        _finish(record, job, now)
    except jobs.Cancelled:
        if not job.lost:
            _end(record, ImportJob.State.CANCELLED)
        raise
    except Unreadable as error:
        _end(record, ImportJob.State.FAILED)
        raise uploads.refusal(error) from error
    except Exception:
        if not connection.connection or not connection.connection.closed:
            _end(record, ImportJob.State.FAILED)
        raise
    return summary(record)


def summary(record: ImportJob) -> dict[str, Any]:
    """The ledger of an import as the result of its job."""
    return {
        "import_id": str(record.public_id),
        "received": record.received,
        "stored": record.stored,
        "duplicate": record.duplicate,
        "quarantined": record.quarantined,
    }


def _end(record: ImportJob, state: str) -> None:
    ImportJob.objects.filter(pk=record.pk).update(state=state, finished_at=timezone.now())


def _count_lines(record: ImportJob) -> int:
    """Lines of the file, counted once, as the total that progress is measured against."""
    if "lines" not in record.options:
        path = uploads.path_of(record)
        lines = sum(piece.count(b"\n") for piece in reading.pieces(path))
        record.options["lines"] = max(lines - bool(record.options["has_header"]), 1)
        record.save(update_fields=["options"])
    return int(record.options["lines"])


def _store_all(record: ImportJob, job: jobs.Running, now: datetime) -> None:
    handler = HANDLERS[record.kind]
    stop = threading.Event()
    chunks = _ahead(lambda: _clean_chunks(record, handler, now), stop)
    try:
        for received, clean in chunks:
            job.check()
            _store_patiently(record, handler, received, clean, now)
            job.progress(record.received, max(int(record.options["lines"]), record.received))
    finally:
        stop.set()


def _clean_chunks(record: ImportJob, handler: Any, now: datetime) -> Iterator[tuple[int, Any]]:
    """(rows received, clean rows) by chunk, from where the ledger stands. Touches no database."""
    options = record.options
    width = int(options["columns"])
    batches = records.scan(
        uploads.path_of(record),
        encoding=options["encoding"],
        delimiter=options["delimiter"],
        columns=width,
        header=bool(options["has_header"]),
    )
    reading_options = handler.options(options, now)
    for batch in records.skip(batches, record.offset):
        texts = columns.read(
            batch, delimiter=options["delimiter"], columns=width, mapping=record.mapping
        )
        yield batch.received, handler.clean(batch, texts, reading_options)


def _ahead(make: Callable[[], Iterator[Any]], stop: threading.Event) -> Iterator[Any]:
    """Run an iterator in a thread, a little ahead of whoever takes its items."""
    box: queue.Queue[tuple[str, Any]] = queue.Queue(maxsize=_QUEUED_CHUNKS)

    def put(kind: str, item: Any) -> bool:
        while not stop.is_set():
            try:
                box.put((kind, item), timeout=0.2)
                return True
            except queue.Full:
                continue
        return False

    def produce() -> None:
        try:
            for item in make():
                if not put("item", item):
                    return
            put("end", None)
        except BaseException as error:
            put("error", error)

    threading.Thread(target=produce, daemon=True).start()
    while True:
        kind, item = box.get()
        if kind == "end":
            return
        if kind == "error":
            raise item
        yield item


def _store_patiently(
    record: ImportJob, handler: Any, received: int, clean: Any, now: datetime
) -> None:
    """Store one chunk; try again when PostgreSQL chose it to resolve a deadlock."""
    for attempt in range(_TRIES):
        try:
            return _store_chunk(record, handler, received, clean, now)
        except OperationalError as error:
            if getattr(error.__cause__, "pgcode", "") not in _RETRIED or attempt == _TRIES - 1:
                raise
            record.refresh_from_db()
            time.sleep(0.1 * 2**attempt)
    return None


def _store_chunk(record: ImportJob, handler: Any, received: int, clean: Any, now: datetime) -> None:
    """Store one chunk and move the ledger, or do neither."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
            # Two imports of one source take turns, so that neither waits for the other's rows.
            cursor.execute("SELECT pg_advisory_xact_lock(7321, %s)", [record.source_id])
        offset = (
            ImportJob.objects.select_for_update().values_list("offset", flat=True).get(pk=record.pk)
        )
        if offset != record.offset:
            raise Conflict(_("Another worker went on with this import."), code="import_taken")
        done = handler.store_chunk(clean=clean, record=record, now=now)
        faults = [*clean.faults, *done.faults]
        rejects.store(import_job_id=record.pk, faults=faults)
        if done.customer_ids:
            finishing.touch(import_job_id=record.pk, customer_ids=done.customer_ids)
        rules = findings.merge(record.report.get("rules", {}), clean.findings.rules)
        record.report = {**record.report, "rules": findings.merge(rules, done.rules)}
        record.received += received
        record.stored += done.stored
        record.duplicate += clean.duplicates + done.duplicate
        record.quarantined += len(faults)
        record.offset += received
        if record.received != record.stored + record.duplicate + record.quarantined:
            raise ValueError(
                f"ledger of import {record.pk} does not add up at line {record.received}"
            )
        record.save(
            update_fields=["report", "received", "stored", "duplicate", "quarantined", "offset"]
        )


def _finish(record: ImportJob, job: jobs.Running, now: datetime) -> None:
    """What can only be known at the end; each part may be done again."""
    rules: dict[str, Any] = {}
    if record.stored >= _LARGE:
        finishing.analyse_tables(kind=record.kind)
    if record.kind == ImportJob.Kind.ORDERS:
        matches = finishing.match_returns(import_job_id=record.pk)
        if matches.matched:
            rules["returns_matched"] = {"rows": matches.matched, "examples": matches.examples}
        if matches.open:
            rules["returns_open"] = {"rows": matches.open, "examples": []}
        job.check()
        rules |= finishing.flag_outliers(source_id=record.source_id)
        ids = finishing.touched(import_job_id=record.pk)
        job.check()
        rollups.refresh(customer_ids=ids)
    if record.source.is_demo:
        demo_people.fill(source=record.source.name, now=now)
    with transaction.atomic():
        record.report = {**record.report, "rules": record.report.get("rules", {}) | rules}
        record.state, record.finished_at = ImportJob.State.DONE, timezone.now()
        record.save(update_fields=["report", "state", "finished_at"])
        finishing.forget_touched(import_job_id=record.pk)
        bus.announce("import.finished", import_id=record.pk)
        transaction.on_commit(partial(uploads.discard, record))

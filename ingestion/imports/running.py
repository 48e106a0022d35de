"""The job that carries one file in: read, clean, store, chunk by chunk.

A chunk is one transaction which also moves the ledger on the ImportJob row, so a kill between two
chunks loses nothing and does nothing twice: the next run skips what is committed. The next chunk is
read and cleaned in a thread while PostgreSQL stores this one. Memory stays flat: two chunks.
"""

import gc
import queue
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import OperationalError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ingestion import demo_people, rollups
from ingestion.imports import customers as customer_rows
from ingestion.imports import events as event_rows
from ingestion.imports import finishing, rejects, uploads
from ingestion.imports import orders as order_rows
from ingestion.imports import products as product_rows
from ingestion.models import ImportJob
from ingestion.preprocess import files, findings
from ingestion.preprocess.faults import Unreadable
from ingestion.preprocess.records import Batch
from ingestion.preprocess.texts import Column
from ingestion.recipes import using
from marketing.core import bus, jobs
from marketing.core.cells import plain_cell
from marketing.core.collecting import without_pauses
from marketing.core.errors import Conflict, NotFound

_QUEUED_CHUNKS = 1
_LARGE = 10_000  # rows after which the planner is told
_TRIES = 5
_HOPELESS = ("too_much_unpacked", "damaged_archive", "nested_archive")
_LINE_THERE = "\0line"  # asked for beside the mapped fields where lines are mended
_LINE = re.compile(r"[0-9]{1,15}")
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
    # From here the rate is measured: a continued import has not done the first part just now.
    record.report["since"] = {"at": timezone.now().isoformat(), "received": record.received}
    record.save(update_fields=["started_at", "state", "finished_at", "report"])
    try:
        job.step(1, gettext_lazy("Storing rows"), total=_count_lines(record), unit="rows")
        _store_all(record, job, now)
        job.step(2, gettext_lazy("Matching returns and adding up"), unit="rows")
        _finish(record, job, now)
    except jobs.Cancelled:
        if not job.lost:
            if record.kind == ImportJob.Kind.ORDERS:
                rollups.refresh(customer_ids=finishing.touched(import_job_id=record.pk))
            _end(record, ImportJob.State.CANCELLED)
        raise
    except Unreadable as error:
        _end(record, ImportJob.State.FAILED)
        if error.code in _HOPELESS:
            uploads.discard(record)
        raise uploads.refusal(error) from error
    except Exception as error:
        # Who was overtaken leaves the import to the worker that has it now.
        overtaken = isinstance(error, Conflict) and error.code == "import_taken"
        if not overtaken and (not connection.connection or not connection.connection.closed):
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
        "left_out": record.left_out,
    }


def _end(record: ImportJob, state: str) -> None:
    ImportJob.objects.filter(pk=record.pk).update(state=state, finished_at=timezone.now())


@dataclass
class Chunk:
    """Clean rows of one batch, and which lines of a first import they mend."""

    received: int
    clean: Any
    columns: dict[str, Column]
    mends: list[tuple[int, int]] = field(default_factory=list)  # line here, line there
    recipe: using.Outcome = field(default_factory=using.Outcome)


def _count_lines(record: ImportJob) -> int | None:
    """Rows of the file, counted once, as the total that progress is measured against."""
    if "lines" not in record.options:
        path = uploads.path_of(record)
        record.options["lines"] = files.count(path, uploads.shape_of(record))
        record.save(update_fields=["options"])
    lines = record.options["lines"]
    return None if lines is None else int(lines)


@without_pauses()
def _store_all(record: ImportJob, job: jobs.Running, now: datetime) -> None:
    handler = HANDLERS[record.kind]
    stop = threading.Event()
    lines = record.options["lines"]
    recipe = using.prepare(record, check=job.check)
    chunks = _ahead(lambda: clean_chunks(record, handler, now, recipe=recipe), stop)
    try:
        for chunk in chunks:
            job.check()
            _store_patiently(record, handler, chunk, now)
            total = None if lines is None else max(int(lines), record.received)
            job.progress(record.received, total)
            gc.collect(1)  # what is young; a chunk's rows are gone by now
    finally:
        stop.set()


def clean_chunks(
    record: ImportJob,
    handler: Any,
    now: datetime,
    *,
    recipe: using.Prepared,
    first: int | None = None,
) -> Iterator[Chunk]:
    """Clean rows by chunk, from where the ledger stands. Touches no database.

    `first`: no more than so many rows.
    """
    shape, source = uploads.shape_of(record), record.source.name
    wanted = recipe.wanted(record.mapping)
    if record.mends_id:
        wanted[_LINE_THERE] = rejects.LINE
    reading_options = handler.options(record.options, now)
    batches = files.batches(
        uploads.path_of(record),
        shape,
        wanted=list(wanted.values()),
        after=record.offset,
        block=getattr(handler, "BLOCK", None),
    )
    left = first
    for batch in _soon(batches, getattr(handler, "FIRST", None)):
        if left is not None:
            batch = batch.part(0, left) if batch.received > left else batch
            left -= batch.received
        texts = files.read(batch, shape, wanted)
        there = texts.pop(_LINE_THERE, None)
        if record.mends_id and rejects.is_safe(shape.header):
            texts = {name: _plain(column) for name, column in texts.items()}
        rows, texts, outcome = recipe.apply(batch, texts)
        clean = handler.clean(rows, texts, reading_options)
        outcome.add_to(clean)
        if hasattr(handler, "prepare"):
            handler.prepare(clean, source=source, now=now)
        pairs = [] if there is None else _pairs(batch, there)
        yield Chunk(batch.received, clean, texts, pairs, outcome)
        if left is not None and left <= 0:
            return


def _soon(batches: Iterator[Batch], rows: int | None) -> Iterator[Batch]:
    """The first batch in two parts, so that storing begins while most of it is cleaned."""
    first = next(batches, None)
    if first is None:
        return
    if rows and first.received > 2 * rows:
        yield first.part(0, rows)
        yield first.part(rows, first.received)
    else:
        yield first
    yield from batches


def _plain(column: Column) -> Column:
    return Column(column.codes, [plain_cell(text) for text in column.texts])


def _pairs(batch: Batch, there: Column) -> list[tuple[int, int]]:
    """(line in this file, line in the first one) of the rows that name one."""
    numbers = [int(text) if _LINE.fullmatch(text.strip()) else 0 for text in there.texts]
    lines = zip(batch.line.tolist(), there.codes.tolist(), strict=True)
    return [(here, numbers[code]) for here, code in lines if numbers[code]]


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


def _store_patiently(record: ImportJob, handler: Any, chunk: Chunk, now: datetime) -> None:
    """Store one chunk; try again when PostgreSQL chose it to resolve a deadlock."""
    for attempt in range(_TRIES):
        try:
            return store_chunk(record, handler, chunk, now)
        except OperationalError as error:
            if getattr(error.__cause__, "pgcode", "") not in _RETRIED or attempt == _TRIES - 1:
                raise
            record.refresh_from_db()
            time.sleep(0.1 * 2**attempt)
    return None


def store_chunk(record: ImportJob, handler: Any, chunk: Chunk, now: datetime) -> None:
    """Store one chunk and move the ledger, or do neither."""
    received, clean = chunk.received, chunk.clean
    with transaction.atomic():
        with connection.cursor() as cursor:
            # A crash may lose the last chunks whole, with the ledger's moves: they come again.
            cursor.execute(
                "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0;"
                " SET LOCAL synchronous_commit = off"
            )
            # Two imports of one source take turns, so that neither waits for the other's rows.
            cursor.execute("SELECT pg_advisory_xact_lock(7321, %s)", [record.source_id])
        offset = (
            ImportJob.objects.select_for_update().values_list("offset", flat=True).get(pk=record.pk)
        )
        if offset != record.offset:
            raise Conflict(_("Another worker went on with this import."), code="import_taken")
        done = handler.store_chunk(clean=clean, record=record, now=now)
        using.keep_originals(source_id=record.source_id, originals=chunk.recipe.originals)
        faults = [*clean.faults, *done.faults]
        rejects.store(import_job_id=record.pk, faults=faults)
        if chunk.mends:
            refused = {fault.line for fault in faults}
            mended = [there for here, there in chunk.mends if here not in refused]
            rejects.mend(import_job=record, lines=mended)
        if done.customer_ids:
            finishing.touch(import_job_id=record.pk, customer_ids=done.customer_ids)
        rules = findings.merge(record.report.get("rules", {}), clean.findings.rules)
        record.report = {**record.report, "rules": findings.merge(rules, done.rules)}
        record.received += received
        record.stored += done.stored
        record.duplicate += clean.duplicates + done.duplicate
        record.quarantined += len(faults)
        record.left_out += chunk.recipe.left_out
        record.offset += received
        told = record.stored + record.duplicate + record.quarantined + record.left_out
        if record.received != told:
            raise ValueError(
                f"ledger of import {record.pk} does not add up at line {record.received}"
            )
        record.save(
            update_fields=[
                "report",
                "received",
                "stored",
                "duplicate",
                "quarantined",
                "left_out",
                "offset",
            ]
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

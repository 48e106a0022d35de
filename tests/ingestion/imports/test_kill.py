"""kill -9 in mid-import, several times: every row is stored once and the ledger adds up."""

import os
import random
import signal
import time
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from ingestion.imports import starting, uploads
from ingestion.models import ImportJob, Order, OrderLine, Source
from marketing.core import jobs
from marketing.core.models import Job

HEAD = b"InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
WORKER = """
import os, django
django.setup()
from ingestion.preprocess import reading
reading.BLOCK = 100_000
from marketing.core import jobs
jobs.run(job_id=int(os.environ["IMPORT_JOB"]))
"""


def write(path: Path, orders: int) -> int:
    """Orders of six lines each with a repeat in each tenth; how many lines."""
    lines = []
    for order in range(orders):
        tail = f"2011-03-05 10:00,2.50,{order % 300},UK\n"
        lines += [f"{order},SKU{(order + n) % 500},THING,{n + 1},{tail}" for n in range(6)]
        if order % 10 == 0:
            lines.append(lines[-1])
    path.write_bytes(HEAD + "".join(lines).encode())
    return len(lines)


def backends() -> set[int]:
    """Process ids of the database's connections other than ours."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        return {row[0] for row in cursor.fetchall()}


@pytest.mark.faults
@pytest.mark.django_db(transaction=True)
def test_an_import_that_is_killed_again_and_again_ends_with_every_row_once(
    tmp_path: Path, start_process, wait_for
) -> None:
    path = tmp_path / "orders.csv"
    rows = write(path, 5_000)
    record = uploads.register(path=path, name="orders.csv", source_name="kills", now=timezone.now())
    job = starting.start(record=record, now=timezone.now())
    chance = random.Random(3)

    def received() -> int:
        return ImportJob.objects.values_list("received", flat=True).get(pk=record.pk)

    for _ in range(2):
        before, others = received(), backends()
        process = start_process("-c", WORKER, IMPORT_JOB=str(job.pk))
        wait_for(lambda before=before: received() > before or received() == rows)
        time.sleep(chance.random() * 0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        # The killed process's connection must be gone, and with it what it had not committed.
        wait_for(lambda others=others: backends() <= others)
        row = ImportJob.objects.get(pk=record.pk)
        assert row.received == row.stored + row.duplicate + row.quarantined
        assert OrderLine.objects.count() == row.stored
        Job.objects.filter(pk=job.pk).update(state="queued")
    jobs.run(job_id=job.pk)
    record.refresh_from_db()
    assert record.state == "done"
    assert (record.received, record.stored, record.duplicate) == (rows, 30_000, 500)
    assert (Order.objects.count(), OrderLine.objects.count()) == (5_000, 30_000)
    assert Source.objects.count() == 1

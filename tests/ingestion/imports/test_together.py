"""Imports that run side by side: neither fails, and no row is stored twice."""

import threading

import pytest
from django.db import connection, connections

from ingestion.imports import starting, uploads
from ingestion.models import Customer, ImportJob, Order, OrderLine, Product
from ingestion.preprocess import reading
from marketing.core import jobs
from tests.ingestion.conftest import NOW

HEAD = b"InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"


def rows(numbers: range) -> bytes:
    return HEAD + b"".join(
        b"%d,SKU%d,THING,%d,2011-03-05 10:00,2.50,%d,UK\n"
        % (n // 4, n * 7 % 60, n % 4 + 1, n // 4 % 30 + 1)
        for n in numbers
    )


@pytest.mark.faults
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("sources", [("shop", "shop", "shop"), ("shop", "till", "web")])
def test_three_imports_at_once_store_each_row_once(monkeypatch, sources) -> None:
    monkeypatch.setattr(reading, "BLOCK", 3_000)
    started = []
    for source, numbers in zip(sources, (range(800), range(799, -1, -1), range(800)), strict=True):
        record = uploads.receive(
            chunks=[rows(numbers)], name="f.csv", source_name=source, user=None, now=NOW
        )
        started.append(starting.start(record=record, now=NOW))

    def work(job_id: int) -> None:
        try:
            jobs.run(job_id=job_id)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=[job.pk]) for job in started]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for job in started:
        job.refresh_from_db()
        assert job.state == "done", job.error
    ledgers = list(ImportJob.objects.values_list("received", "stored", "duplicate", "quarantined"))
    times = len(set(sources))
    assert all(received == stored + twice + bad for received, stored, twice, bad in ledgers)
    assert sum(stored for _, stored, _, _ in ledgers) == 800 * times
    assert (Order.objects.count(), OrderLine.objects.count()) == (200 * times, 800 * times)
    assert (Customer.objects.count(), Product.objects.count()) == (30, 60)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM ingestion_order o WHERE total <> (SELECT sum(total)"
            " FROM ingestion_orderline l WHERE l.order_id = o.id)"
        )
        assert cursor.fetchone()[0] == 0

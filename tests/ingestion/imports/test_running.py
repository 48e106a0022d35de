"""A file goes in whole and once: by its ledger, again, and after any stop."""

import gzip
import threading
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from ingestion.imports import begin_demo, orders, running, starting, uploads
from ingestion.models import (
    Customer,
    CustomerRollup,
    Identity,
    ImportJob,
    ImportTouch,
    Order,
    OrderLine,
    Product,
    Reject,
)
from ingestion.preprocess import reading
from marketing.core import jobs
from marketing.core.errors import Refused
from marketing.core.models import Job
from tests.ingestion.conftest import NOW

HEAD = b"InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
SMALL = HEAD + (
    b"536365,85123A,WHITE HOLDER,6,2010-12-01 08:26,2.55,17850,United Kingdom\n"
    b"536365,71053,LANTERN,2,2010-12-01 08:26,3.39,17850,United Kingdom\n"
    b"536365,71053,LANTERN,2,2010-12-01 08:26,3.39,17850,United Kingdom\n"
    b"536366,22633,HAND WARMER,4,2010-12-01 08:28,1.85,,EIRE\n"
    b"536366,POST,POSTAGE,1,2010-12-01 08:28,18,,EIRE\n"
    b"C536379,85123A,WHITE HOLDER,-6,2010-12-05 10:00,2.55,17850,United Kingdom\n"
    b"A563186,B,Adjust bad debt,1,2011-08-12 14:51,-11062.06,,United Kingdom\n"
    b"536367,22633,HAND WARMER,many,2010-12-02 08:28,1.85,13047,France\n"
)


def ledger(record: ImportJob) -> tuple[int, int, int, int]:
    return record.received, record.stored, record.duplicate, record.quarantined


def everything() -> list[tuple]:
    lines = OrderLine.objects.values_list(
        "order__external_id",
        "line_no",
        "sku",
        "quantity",
        "unit_price",
        "total",
        "kind",
        "customer__external_id",
        "product__sku",
        "placed_at",
        "cancels__order__external_id",
        "outlier",
    )
    return sorted(lines, key=str)


def test_a_file_of_orders_becomes_people_products_orders_and_lines(bring) -> None:
    record = bring(SMALL)
    assert ledger(record) == (8, 5, 1, 2)
    assert record.state == "done"
    order = Order.objects.get(external_id="536365")
    assert (order.total, order.customer.external_id, order.country) == (
        Decimal("22.08"),
        "17850",
        "GB",
    )
    assert list(order.lines.order_by("line_no").values_list("line_no", "sku", "total")) == [
        (1, "85123A", Decimal("15.30")),
        (2, "71053", Decimal("6.78")),
    ]
    assert Order.objects.get(external_id="536366").customer is None
    assert set(Product.objects.values_list("sku", "name", "price")) == {
        ("85123A", "White holder", Decimal("2.55")),
        ("71053", "Lantern", Decimal("3.39")),
        ("22633", "Hand warmer", Decimal("1.85")),
    }
    fee = OrderLine.objects.get(sku="POST")
    assert (fee.kind, fee.product) == ("fee", None)
    rollup = CustomerRollup.objects.get(customer__external_id="17850")
    assert (rollup.orders, rollup.units, rollup.revenue, rollup.returns, rollup.products) == (
        1,
        8,
        Decimal("6.78"),
        1,
        2,
    )
    assert Identity.objects.get(kind="external", value="17850").customer == order.customer
    assert ImportTouch.objects.count() == 0


def test_a_return_points_at_the_line_it_takes_back(bring) -> None:
    bring(SMALL)
    back = OrderLine.objects.get(order__external_id="C536379")
    assert back.cancels == OrderLine.objects.get(order__external_id="536365", sku="85123A")
    states = dict(Order.objects.values_list("external_id", "status"))
    assert states == {"536365": "part_returned", "536366": "placed", "C536379": "cancelled"}


def test_the_same_file_again_changes_nothing(bring) -> None:
    bring(SMALL)
    before, people = everything(), list(Customer.objects.values())
    again = bring(SMALL)
    assert ledger(again) == (8, 0, 6, 2)
    assert everything() == before
    assert list(Customer.objects.values()) == people


def test_a_longer_export_adds_only_what_is_new(bring) -> None:
    bring(SMALL)
    longer = SMALL + b"536366,84029G,HOT WATER BOTTLE,3,2010-12-01 08:28,3.00,,EIRE\n"
    assert ledger(bring(longer)) == (9, 1, 6, 2)
    order = Order.objects.get(external_id="536366")
    assert (order.total, order.lines.count()) == (Decimal("34.40"), 3)
    assert list(order.lines.order_by("line_no").values_list("line_no", flat=True)) == [1, 2, 3]


def test_two_sources_may_use_the_same_order_numbers(bring) -> None:
    bring(SMALL)
    assert ledger(bring(SMALL, source="other shop")) == (8, 5, 1, 2)
    assert Order.objects.filter(external_id="536365").count() == 2


@pytest.mark.parametrize("block", [64, 200])
def test_chunks_of_any_size_give_the_same_rows(bring, monkeypatch, block) -> None:
    bring(SMALL)
    whole = everything()
    OrderLine.objects.all().delete()
    Order.objects.all().delete()
    monkeypatch.setattr(reading, "BLOCK", block)
    record = bring(SMALL)
    assert ledger(record) == (8, 5, 1, 2)
    assert everything() == whole


def test_quarantined_lines_keep_text_reason_and_remedy(bring) -> None:
    record = bring(SMALL)
    rows = list(record.rejects.values_list("line", "code", "field", "message"))
    assert rows == [
        (8, "negative_price", "unit_price", "The price -11062.06 is negative."),
        (9, "not_a_number", "quantity", "Quantity: “many” is not a number."),
    ]
    assert record.rejects.get(line=9).raw.startswith("536367,22633,HAND WARMER,many")
    assert "decimal mark" in record.rejects.get(line=9).remedy


def test_the_report_tells_each_rule_with_lines_before_and_after(bring) -> None:
    rules = bring(SMALL).report["rules"]
    assert {name: entry["rows"] for name, entry in rules.items()} == {
        "exact_duplicates": 1,
        "cancellations": 1,
        "missing_customer": 2,
        "not_goods": 1,
        "negative_price": 1,
        "country_normalised": 5,
        "returns_matched": 1,
    }
    assert rules["country_normalised"]["examples"][0] == {
        "line": 2,
        "before": {"country": "United Kingdom"},
        "after": {"country": "GB"},
    }
    assert rules["returns_matched"]["examples"] == [
        {
            "before": {"order_id": "C536379", "sku": "85123A", "quantity": -6},
            "after": {"cancels": "536365", "quantity": 6},
        }
    ]


def test_an_unterminated_quote_at_row_10_costs_that_row_only(bring) -> None:
    rows = [b"%d,A1,TEA,1,2011-01-05 10:00,2.00,7,UK\n" % n for n in range(1, 40)]
    rows[8] = b'9,A1,"TEA,1,2011-01-05 10:00,2.00,7,UK\n'
    record = bring(HEAD + b"".join(rows))
    assert ledger(record) == (39, 38, 0, 1)
    assert list(record.rejects.values_list("line", "code")) == [(10, "open_quote")]


def test_short_rows_and_zero_bytes_are_set_aside(bring) -> None:
    record = bring(SMALL + b"1,2,3\n536400,\0,X,1,2011-01-05 10:00,2.00,7,UK\n")
    assert ledger(record) == (10, 5, 1, 4)
    assert list(record.rejects.values_list("line", "code"))[2:] == [
        (10, "field_count"),
        (11, "nul_byte"),
    ]


def test_a_field_of_50_mb_is_set_aside_and_the_rest_goes_in(bring) -> None:
    huge = b"536500,A1," + b"z" * 50_000_000 + b",1,2011-01-05 10:00,2.00,7,UK\n"
    record = bring(HEAD + huge + SMALL.removeprefix(HEAD))
    assert ledger(record) == (9, 5, 1, 3)
    reject = record.rejects.get(line=2)
    assert (reject.code, len(reject.raw)) == ("line_too_long", 2000)


def test_other_encodings_delimiters_and_marks_go_in(bring) -> None:
    text = (
        "Bestellung;Artikel;Name;Menge;Datum;Preis;Kunde\n"
        "1;T1;Teekanne für große;2;31.12.2011 10:00;1.234,50;7\n"
    )
    record = bring(
        text.encode("cp1252"),
        encoding="cp1252",
        date_style="dmy",
        decimal=",",
        currency="EUR",
        mapping={
            "order_id": "Bestellung",
            "sku": "Artikel",
            "description": "Name",
            "quantity": "Menge",
            "placed_at": "Datum",
            "unit_price": "Preis",
            "customer_id": "Kunde",
        },
    )
    assert ledger(record) == (1, 1, 0, 0)
    line = OrderLine.objects.get()
    assert (line.description, line.total, line.order.currency) == (
        "Teekanne für große",
        Decimal("2469.00"),
        "EUR",
    )


def test_formula_cells_are_stored_as_they_came(bring) -> None:
    bring(HEAD + b"1,T1,=cmd|'/c calc'!A1,1,2011-01-05 10:00,2.00,+7,UK\n")
    assert OrderLine.objects.get().description == "=cmd|'/c calc'!A1"


def test_compressed_files_go_in_alike(bring) -> None:
    assert ledger(bring(gzip.compress(SMALL), name="file.csv.gz")) == (8, 5, 1, 2)


def test_outliers_are_flagged_and_kept(bring) -> None:
    rows = [b"%d,A1,TEA,%d,2011-01-05 10:00,2.00,7,UK\n" % (n, n % 9 + 1) for n in range(1, 200)]
    rows.append(b"900,A1,TEA,80995,2011-01-06 10:00,2.00,8,UK\n")
    rows.append(b"C901,A1,TEA,-80995,2011-01-06 10:12,2.00,8,UK\n")
    record = bring(HEAD + b"".join(rows))
    assert record.stored == 201
    assert sorted(OrderLine.objects.filter(outlier=True).values_list("quantity", flat=True)) == [
        -80995,
        80995,
    ]
    assert record.report["rules"]["outlier_quantity"]["rows"] == 2
    assert Order.objects.get(external_id="900").status == "returned"


class Stopper:
    """Raises once after so many chunks, like a kill between two commits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
        self.calls, self.after = 0, after
        self.real = orders.store_chunk
        monkeypatch.setattr(orders, "store_chunk", self)

    def __call__(self, **values):
        self.calls += 1
        if self.calls == self.after:
            raise ConnectionError("the worker died")
        return self.real(**values)


@pytest.mark.parametrize("after", [1, 2, 4])
def test_a_killed_import_goes_on_where_it_stood(bring, monkeypatch, after) -> None:
    bring(SMALL)
    whole = everything()
    OrderLine.objects.all().delete()
    Order.objects.all().delete()
    monkeypatch.setattr(reading, "BLOCK", 130)
    stopper = Stopper(monkeypatch, after)
    record = uploads.receive(chunks=[SMALL], name="f.csv", source_name="shop", user=None, now=NOW)
    job = starting.start(record=record, now=NOW)
    jobs.run(job_id=job.pk)
    job.refresh_from_db()
    record.refresh_from_db()
    assert (job.state, record.state) == ("failed", "failed")
    assert record.received == record.offset
    assert record.received < 8
    assert record.stored == OrderLine.objects.count()
    jobs.retry(job_id=job.pk)
    jobs.run(job_id=job.pk)
    job.refresh_from_db()
    record.refresh_from_db()
    assert stopper.calls > after
    assert (job.state, ledger(record)) == ("done", (8, 5, 1, 2))
    assert everything() == whole
    assert Reject.objects.filter(import_job=record).count() == 2


def test_a_cancelled_import_keeps_what_it_stored_and_can_go_on(bring, monkeypatch) -> None:
    monkeypatch.setattr(reading, "BLOCK", 130)
    record = uploads.receive(chunks=[SMALL], name="f.csv", source_name="shop", user=None, now=NOW)
    job = starting.start(record=record, now=NOW)
    real = orders.store_chunk

    def cancel_after_the_first(**values):
        done = real(**values)
        running_job._stop.set()
        return done

    monkeypatch.setattr(orders, "store_chunk", cancel_after_the_first)
    Job.objects.filter(pk=job.pk).update(state="running")
    running_job = jobs.Running(Job.objects.get(pk=job.pk))
    with pytest.raises(jobs.Cancelled):
        running.run(import_job_id=record.pk, job=running_job, now=NOW)
    record.refresh_from_db()
    assert record.state == "cancelled"
    assert 0 < record.received < 8
    monkeypatch.setattr(orders, "store_chunk", real)
    running.run(import_job_id=record.pk, job=jobs.Running(Job.objects.get(pk=job.pk)), now=NOW)
    record.refresh_from_db()
    assert (record.state, ledger(record)) == ("done", (8, 5, 1, 2))


def test_a_worker_that_fell_behind_another_writes_nothing(bring, monkeypatch) -> None:
    record = uploads.receive(chunks=[SMALL], name="f.csv", source_name="shop", user=None, now=NOW)
    job = starting.start(record=record, now=NOW)
    real = running._store_all

    def after_somebody_else(one, *rest):
        ImportJob.objects.filter(pk=one.pk).update(offset=5)
        return real(one, *rest)

    monkeypatch.setattr(running, "_store_all", after_somebody_else)
    with pytest.raises(Refused):
        running.run(import_job_id=record.pk, job=jobs.Running(Job.objects.get(pk=job.pk)), now=NOW)
    assert OrderLine.objects.count() == 0
    record.refresh_from_db()
    assert (record.state, record.finished_at) == ("running", None)  # it is the other worker's


def test_the_uploaded_copy_is_kept_so_that_cleaning_can_run_on_it_again(bring) -> None:
    record = bring(SMALL)
    assert record.state == "done"
    assert (Path(settings.MEDIA_ROOT) / record.path).read_bytes() == SMALL


def test_a_vanished_file_is_told(bring) -> None:
    record = uploads.receive(chunks=[SMALL], name="f.csv", source_name="shop", user=None, now=NOW)
    job = starting.start(record=record, now=NOW)
    uploads.path_of(record).unlink()
    jobs.run(job_id=job.pk)
    job.refresh_from_db()
    assert job.state == "failed"
    assert "Upload it again" in job.error


def test_no_thread_stays_behind(bring) -> None:
    bring(SMALL)
    before = threading.active_count()
    bring(SMALL)
    assert threading.active_count() <= before


def test_the_shipped_history_is_a_demo_import(db, monkeypatch, tmp_path: Path) -> None:
    from ingestion.imports import demo

    path = tmp_path / "history.csv"
    path.write_bytes(SMALL)
    monkeypatch.setattr(demo, "FILE", path)
    record = begin_demo(user=None, now=NOW)
    assert begin_demo(user=None, now=NOW) == record
    jobs.run(job_id=record.job_id)
    record.refresh_from_db()
    assert ledger(record) == (8, 5, 1, 2)
    person = Customer.objects.get(external_id="17850")
    assert person.is_demo
    assert person.email.endswith("17850@example.com")
    assert person.first_name
    assert person.identities.filter(kind="email", value=person.email).exists()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM ingestion_consent WHERE NOT proof @> '{\"demo\": true}'"
        )
        assert cursor.fetchone()[0] == 0

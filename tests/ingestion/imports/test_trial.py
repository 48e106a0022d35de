"""A dry run tells what the import will come to, and stores nothing."""

import pytest
from django.db import connection

from ingestion.imports import choosing, running, starting, uploads
from ingestion.models import Customer, EventKey, Identity, ImportJob, Order, OrderLine, Product
from ingestion.preprocess import reading
from ingestion.recipes import versions
from marketing.core import jobs
from marketing.core.errors import Conflict
from tests.ingestion.conftest import NOW

pytestmark = pytest.mark.django_db
HEAD = b"order,sku,qty,date,price,customer\n"
LINES = (
    b"1,A,2,2011-01-05,3.50,17850\n"
    b"1,A,2,2011-01-05,3.50,17850\n"
    b"2,B,x,2011-01-05,3.50,17850\n"
    b"3,B,1,2011-01-06,2.50,17851\n"
    b"1,A,2,2011-01-05,3.50,17850\n"
)


def received(content: bytes = HEAD + LINES, kind: str = "orders") -> ImportJob:
    return uploads.receive(
        chunks=[content], name="f.csv", kind=kind, source_name="shop", user=None, now=NOW
    )


def tried(record: ImportJob, rows: int | None = None) -> dict:
    job = starting.try_out(record=record, rows=rows, now=NOW)
    jobs.run(job_id=job.pk)
    job.refresh_from_db()
    assert job.state == "done", job.error + str(job.log)
    record.refresh_from_db()
    return record.trial


def counts(trial: dict) -> tuple:
    return tuple(trial[name] for name in ("received", "stored", "duplicate", "quarantined"))


def nothing_is_stored() -> bool:
    tables = (Customer, Identity, Product, Order, OrderLine, EventKey)
    return not any(table.objects.exists() for table in tables)


def test_a_dry_run_counts_what_the_import_then_comes_to(bring) -> None:
    record = received()
    trial = tried(record)
    assert counts(trial) == (5, 2, 2, 1)
    assert nothing_is_stored()
    reason = trial["reasons"][0]
    assert (reason["rows"], reason["code"], reason["field"], reason["line"]) == (
        1, "not_a_number", "quantity", 4,
    )  # fmt: skip
    assert reason["remedy"]
    record.refresh_from_db()
    assert (record.received, record.state) == (0, "uploaded")
    jobs.run(job_id=starting.start(record=record, now=NOW).pk)
    record.refresh_from_db()
    assert (record.received, record.stored, record.duplicate, record.quarantined) == (5, 2, 2, 1)


def test_rows_that_repeat_an_earlier_chunk_are_counted_as_duplicates(monkeypatch) -> None:
    monkeypatch.setattr(reading, "BLOCK", 60)
    assert counts(tried(received())) == (5, 2, 2, 1)
    assert nothing_is_stored()


def test_what_is_stored_already_is_counted_as_duplicate(bring) -> None:
    bring(HEAD + LINES)
    assert counts(tried(received())) == (5, 0, 4, 1)


def test_the_first_rows_alone_can_be_tried() -> None:
    record = received()
    trial = tried(record, rows=3)
    assert counts(trial) == (3, 1, 1, 1)
    assert not trial["whole"]
    assert counts(tried(record, rows=10_000)) == (5, 2, 2, 1)
    assert record.trial["whole"]


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("customers", b"email,country\na@example.com,UK\na@example.com,UK\nno,UK\n"),
        ("products", b"sku,name\nA,Pot\nA,Pot\n,Cup\n"),
        ("events", b"type,at,customer_id\nview,2026-10-01T10:00:00Z,1\n"
                   b"view,2026-10-01T10:00:00Z,1\nview,never,1\n"),
    ],
)  # fmt: skip
def test_every_kind_of_rows_can_be_tried(kind, content) -> None:
    assert counts(tried(received(content, kind))) == (3, 1, 1, 1)
    assert nothing_is_stored()


def test_rows_that_a_recipe_leaves_out_are_counted_once() -> None:
    record = received()
    rules = [{"id": "drop", "rule": "drop_rows", "where": 'sku = "B"'}]
    versions.save(source=record.source, kind="orders", body={"rules": rules}, user=None, now=NOW)
    trial = tried(record)
    assert (*counts(trial), trial["left_out"]) == (5, 1, 2, 0, 2)
    told = trial["stored"] + trial["duplicate"] + trial["quarantined"] + trial["left_out"]
    assert trial["received"] == told


def test_other_choices_make_an_earlier_dry_run_void() -> None:
    record = received()
    tried(record)
    choosing.choose(
        record=record, kind="orders", mapping=record.mapping, options={"decimal": ","}, now=NOW
    )
    assert record.trial == {}


def test_starting_stops_a_dry_run_and_none_begins_after() -> None:
    record = received()
    trial = starting.try_out(record=record, rows=None, now=NOW)
    starting.start(record=record, now=NOW)
    trial.refresh_from_db()
    assert trial.state == "stopped"
    with pytest.raises(Conflict):
        starting.try_out(record=record, rows=None, now=NOW)


def test_a_dry_run_holds_no_lock_when_it_is_over() -> None:
    tried(received())
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 7321"
            " AND pid <> pg_backend_pid()"
        )
        assert cursor.fetchone()[0] == 0
    assert running.HANDLERS

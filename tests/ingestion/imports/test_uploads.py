"""A bad file is refused with what is wrong, where, and what to do; nothing of it is kept."""

import csv
import io
from pathlib import Path

import pytest
from django.conf import settings
from django.test import override_settings

from ingestion.imports import choosing, rejects, starting, uploads
from ingestion.models import ImportJob, OrderLine
from marketing.core.errors import Conflict, Invalid, NotFound, TooLarge, Unavailable
from marketing.core.models import Job
from tests.ingestion.conftest import NOW

pytestmark = pytest.mark.django_db
GOOD = b"order,sku,qty,date,price\n1,A,2,2011-01-05,3.50\n"


def receive(content: bytes, **values) -> ImportJob:
    return uploads.receive(chunks=[content], user=None, now=NOW, **{"name": "file.csv", **values})


def kept_files() -> list[Path]:
    folder = Path(settings.MEDIA_ROOT) / "imports"
    return list(folder.iterdir()) if folder.exists() else []


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (b"", "empty_file", "The file is empty"),
        (b"\n\n", "empty_file", "The file is empty"),
        (b"\x89PNG\r\n\x1a\n...", "not_a_table", "a picture"),
        (b"PK\x03\x04...", "damaged_archive", "damaged"),
        (bytes(range(1, 256)) * 40, "not_a_table", "not text"),
        (b"<html><body>", "not_a_table", "web page"),
        (b"\x1f\x8b\x08broken", "damaged_archive", "damaged"),
    ],
)
def test_what_is_no_table_is_refused_and_not_kept(content, code, words) -> None:
    with pytest.raises(Invalid) as refused:
        receive(content)
    assert refused.value.code == code
    assert words in refused.value.message
    assert refused.value.message.endswith("Nothing was stored.")
    assert refused.value.remedy
    assert (kept_files(), ImportJob.objects.count()) == ([], 0)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"order,Order,sku,qty,date,price\n1,1,A,2,2011-01-05,3\n", "duplicate_header"),
        (b"order,,sku,qty,date,price\n1,1,A,2,2011-01-05,3\n", "empty_header"),
        (b"order,sku,qty,date,price\n", "header_only"),
    ],
)
def test_a_header_that_would_mix_columns_up_cannot_be_started(content, code) -> None:
    record = receive(content, kind="orders")
    assert choosing.look(record).blocked
    with pytest.raises(Invalid) as refused:
        starting.start(record=record, now=NOW)
    assert refused.value.code == code
    assert (Job.objects.count(), ImportJob.objects.get().state) == (0, "uploaded")


def test_a_needed_field_without_a_column_is_named() -> None:
    record = receive(b"order,thing,qty,date,price\n1,A,2,2011-01-05,3\n", kind="orders")
    with pytest.raises(Invalid) as refused:
        starting.start(record=record, now=NOW)
    assert (refused.value.field, refused.value.message) == (
        "sku",
        "Choose a column for Product code.",
    )


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("timezone", "Mars/Base"),
        ("encoding", "utf-7"),
        ("delimiter", "x"),
        ("decimal", "·"),
        ("date_style", "guess"),
        ("currency", "pounds"),
    ],
)
def test_a_choice_that_is_not_on_the_list_is_refused(option, value) -> None:
    record = receive(GOOD)
    with pytest.raises(Invalid):
        choosing.choose(
            record=record, kind="orders", mapping=record.mapping, options={option: value}, now=NOW
        )
    record.refresh_from_db()
    assert record.options[option] != value


@override_settings(UPLOAD_LIMIT_BYTES=20)
def test_a_file_over_the_limit_is_refused_while_it_comes() -> None:
    with pytest.raises(TooLarge):
        receive(GOOD)
    assert kept_files() == []


def test_a_full_disk_is_told_and_leaves_nothing(monkeypatch) -> None:
    def full(*_args, **_values):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(Unavailable) as refused:
        receive(GOOD)
    assert "Free some disk space" in refused.value.remedy
    monkeypatch.undo()
    assert ImportJob.objects.count() == 0


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd.csv", "passwd.csv"),
        ("a\r\nSet-Cookie: x.csv", "aSet-Cookie: x.csv"),
        ("\u202egnp.csv", "gnp.csv"),
        ("x" * 300 + ".csv", ("x" * 300 + ".csv")[-200:]),
        ("", "file.csv"),
        ("C:\\Users\\ada\\orders.csv", "orders.csv"),
    ],
)
def test_file_names_are_shown_safely_and_never_used_on_disk(name, shown) -> None:
    record = receive(GOOD, name=name)
    assert record.original_name == shown
    assert record.path.startswith("imports/")
    assert len(kept_files()) == 1


def test_starting_twice_gives_the_same_job() -> None:
    record = receive(GOOD)
    first = starting.start(record=record, now=NOW)
    assert starting.start(record=record, now=NOW) == first
    assert Job.objects.count() == 1
    record.refresh_from_db()
    record.state = "running"
    with pytest.raises(Conflict):
        choosing.choose(record=record, kind="orders", mapping={}, options={}, now=NOW)


def test_a_choice_from_a_page_loaded_before_the_start_does_not_undo_it() -> None:
    record = receive(GOOD)
    stale = ImportJob.objects.get(pk=record.pk)
    job = starting.start(record=record, now=NOW)
    ImportJob.objects.filter(pk=record.pk).update(offset=1)
    with pytest.raises(Conflict, match="already been started"):
        choosing.choose(
            record=stale, kind="orders", mapping=stale.mapping, options=stale.options, now=NOW
        )
    record.refresh_from_db()
    assert (record.job, record.offset) == (job, 1)


def test_a_choice_for_a_deleted_upload_does_not_bring_it_back() -> None:
    record = receive(GOOD)
    stale = ImportJob.objects.get(pk=record.pk)
    starting.forget(record=record, now=NOW)
    stale_file = Path(settings.MEDIA_ROOT) / stale.path
    stale_file.write_bytes(GOOD)  # read by whoever opened it before
    with pytest.raises(NotFound):
        choosing.choose(
            record=stale, kind="orders", mapping=stale.mapping, options=stale.options, now=NOW
        )
    stale_file.unlink()
    assert not ImportJob.objects.exists()


def test_other_columns_end_a_dry_run_of_the_first_ones() -> None:
    record = receive(GOOD)
    job = starting.try_out(record=record, now=NOW)
    mapping = record.mapping | {
        "sku": record.mapping["order_id"],
        "order_id": record.mapping["sku"],
    }
    choosing.choose(record=record, kind="orders", mapping=mapping, options={}, now=NOW)
    job.refresh_from_db()
    assert job.state == "stopped"


def test_the_columns_of_last_time_are_suggested_next_time(bring) -> None:
    content = b"a,b,c,d,e\n1,A,2,2011-01-05,3.50\n"
    names = {"order_id": "a", "sku": "b", "quantity": "c", "placed_at": "d", "unit_price": "e"}
    bring(content, mapping=names, source="till")
    again = receive(content, kind="orders", source_name="till")
    assert again.mapping == {
        "order_id": 0,
        "sku": 1,
        "quantity": 2,
        "placed_at": 3,
        "unit_price": 4,
    }


def test_refused_lines_come_back_as_a_csv_that_no_spreadsheet_runs(bring) -> None:
    record = bring(
        b"order,sku,qty,date,price\n"
        b"=cmd|'/c calc'!A1,A,x,2011-01-05,3\n"
        b"@SUM(1),A,x,2011-01-05,3\n"
        b"-5+cmd,A,x,2011-01-05,3\n"
        b"7,A,x,2011-01-05,3\n"
    )
    text = b"".join(rejects.as_csv(import_job=record)).decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text)))
    lead = ["import", "line", "field", "reason", "remedy", "raw"]
    assert rows[0] == [*lead, "order", "sku", "qty", "date", "price"]
    assert [row[5:] for row in rows[1:]] == [
        ["'=cmd|'/c calc'!A1,A,x,2011-01-05,3", "'=cmd|'/c calc'!A1", "A", "x", "2011-01-05", "3"],
        ["'@SUM(1),A,x,2011-01-05,3", "'@SUM(1)", "A", "x", "2011-01-05", "3"],
        ["'-5+cmd,A,x,2011-01-05,3", "'-5+cmd", "A", "x", "2011-01-05", "3"],
        ["7,A,x,2011-01-05,3", "7", "A", "x", "2011-01-05", "3"],
    ]
    assert OrderLine.objects.count() == 0

"""The pages of an import: what was recognised, a dry run, mended lines, a file thrown away."""

import csv
import io
import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ingestion.models import ImportJob, OrderLine
from ingestion.recipes import versions
from ingestion.registry import judging, plans
from marketing.core import jobs
from tests import factories

pytestmark = pytest.mark.django_db
CONTENT = (
    "Nr;Artikel;Menge;Datum;Preis;Name des Artikels\n"
    "1;A;2;31.01.2011;3,50;Löffel\n"
    "2;A;x;31.01.2011;3,50;Löffel\n"
).encode("cp1252")


@pytest.fixture
def marketer(client: Client) -> Client:
    client.force_login(factories.user("marketer"))
    return client


def upload(client: Client, content: bytes, name: str = "f.csv", source: str = "Kasse") -> ImportJob:
    file = SimpleUploadedFile(name, content)
    client.post(reverse("ingestion:import-new"), {"file": file, "source": source})
    return ImportJob.objects.latest("id")


def address(name: str, record: ImportJob) -> str:
    return reverse(f"ingestion:import-{name}", args=[record.public_id])


def form(record: ImportJob, **more: str) -> dict[str, str]:
    mapping = {"order_id": 0, "sku": 1, "quantity": 2, "placed_at": 3, "unit_price": 4}
    columns = {f"column-{name}": str(index) for name, index in mapping.items()}
    options = {name: record.options[name] for name in ("encoding", "date_style", "decimal")}
    return {
        "kind": "orders", "was": "orders", "has_header": "on", "source": "Kasse",
        "delimiter": ";", **options, **columns, **more,
    }  # fmt: skip


def page_of(client: Client, name: str, record: ImportJob) -> str:
    return client.get(address(name, record)).content.decode()


def test_the_page_tells_what_was_recognised_and_how_sure_each_column_is(
    marketer, django_assert_max_num_queries
) -> None:
    record = upload(marketer, CONTENT)
    with django_assert_max_num_queries(20):
        page = page_of(marketer, "map", record)
    for words in ("Windows-1252", "Semicolon ;", "DD/MM/YYYY", "Comma", "90% · by a similar name"):
        assert words in page
    assert "The encoding was guessed" in page


def test_the_first_rows_show_what_is_stored_beside_the_text(marketer) -> None:
    record = upload(marketer, CONTENT)
    page = marketer.post(address("preview", record), form(record)).content.decode()
    assert "2011-01-31 00:00:00 UTC" in page
    assert "1;A;2;31.01.2011;3,50;Löffel" in page
    assert "Quantity: “x” is not a number." in page
    assert "Left out: Name des Artikels" in page


@pytest.mark.parametrize(("rows", "words"), [("10000", "Whole file"), ("1", "First 1 rows")])
def test_a_dry_run_is_started_watched_and_read_on_the_page(marketer, rows, words) -> None:
    record = upload(marketer, CONTENT)
    answer = marketer.post(address("map", record), form(record, **{"try": rows}))
    assert answer["Location"] == address("map", record) + "#trial"
    assert "data-poll" in page_of(marketer, "trial", record)
    record.refresh_from_db()
    jobs.run(job_id=record.trial_job_id)
    panel = page_of(marketer, "trial", record)
    assert "data-poll" not in panel
    assert words in panel
    assert ("is not a number" in panel) == (rows != "1")
    assert OrderLine.objects.count() == 0
    record.refresh_from_db()
    assert (record.state, record.job) == ("mapped", None)


def test_a_choice_after_a_dry_run_says_that_it_must_run_again(marketer) -> None:
    record = upload(marketer, CONTENT)
    marketer.post(address("map", record), form(record, **{"try": "all"}))
    record.refresh_from_db()
    jobs.run(job_id=record.trial_job_id)
    page = marketer.post(address("preview", record), form(record, decimal=".")).content.decode()
    assert "Run it again" in page


def done(client: Client, record: ImportJob) -> ImportJob:
    client.post(address("map", record), form(record))
    record.refresh_from_db()
    jobs.run(job_id=record.job_id)
    record.refresh_from_db()
    assert record.state == "done"
    return record


def test_refused_lines_are_downloaded_mended_and_counted_on_the_first_import(marketer) -> None:
    first = done(marketer, upload(marketer, CONTENT))
    for choice, head in (("", "import"), ("?raw=1", "import_raw")):
        answer = marketer.get(address("rejects", first) + choice)
        text = b"".join(answer.streaming_content).decode("utf-8-sig")
        table = list(csv.reader(io.StringIO(text)))
        assert table[0][0] == head
    table[1][8] = "5"
    out = io.StringIO()
    csv.writer(out).writerows(table)
    second = upload(marketer, out.getvalue().encode(), "mended.csv", source="")
    assert "These are mended lines of f.csv" in page_of(marketer, "map", second)
    columns = {f"column-{name}": str(index) for name, index in second.mapping.items()}
    marketer.post(
        address("map", second),
        {"kind": "orders", "was": "orders", "has_header": "on", "source": "Kasse", **columns},
    )
    second.refresh_from_db()
    jobs.run(job_id=second.job_id)
    page = page_of(marketer, "live", first)
    assert "1 of 1 mended" in page
    assert address("detail", second) in page
    assert "Mended lines of" in page_of(marketer, "live", second)
    assert OrderLine.objects.get(order__external_id="2").quantity == 5


def test_the_columns_and_the_reading_of_last_time_come_again(marketer) -> None:
    done(marketer, upload(marketer, CONTENT))
    again = upload(marketer, CONTENT.replace(b"31.01", b"05.01"), source="")
    assert (again.source.name, again.kind) == ("Kasse", "orders")
    assert (again.options["date_style"], again.options["decimal"]) == ("dmy", ",")
    assert "100% · as last time" in page_of(marketer, "map", again)


def test_a_running_import_tells_its_pace_and_can_be_stopped(marketer) -> None:
    record = upload(marketer, CONTENT)
    marketer.post(address("map", record), form(record))
    began = timezone.now() - timezone.timedelta(seconds=10)
    ImportJob.objects.filter(pk=record.pk).update(
        state="running", received=40_000, stored=40_000,
        options={**record.options, "lines": 100_000},
        report={"since": {"at": began.isoformat(), "received": 10_000}},
    )  # fmt: skip
    page = page_of(marketer, "live", record)
    assert "rows/s" in page
    assert "left" in page
    record.refresh_from_db()
    assert reverse("core:job-cancel", args=[record.job.public_id]) in page


def test_an_upload_that_is_not_wanted_is_thrown_away(marketer) -> None:
    record = upload(marketer, CONTENT)
    answer = marketer.post(address("discard", record))
    assert answer["Location"] == reverse("ingestion:import-list")
    assert ImportJob.objects.count() == 0
    kept = done(marketer, upload(marketer, CONTENT))
    marketer.post(address("discard", kept))
    assert ImportJob.objects.filter(pk=kept.pk).exists()


def test_somebody_who_may_only_look_gets_no_dry_run_and_throws_nothing_away(client: Client) -> None:
    client.force_login(factories.user("marketer"))
    record = upload(client, CONTENT)
    client.force_login(factories.user("analyst"))
    assert client.get(address("trial", record)).status_code == 403
    assert client.post(address("discard", record)).status_code == 403
    assert ImportJob.objects.count() == 1


def test_a_dry_run_and_the_report_tell_what_the_tracking_plan_says(marketer) -> None:
    now = timezone.now()
    needed = {"total": {"type": "number", "required": True}}
    plans.save(name="order", policy="refuse", user=None, now=now, properties=needed)
    plans.save(name="view", policy="warn", user=None, now=now, properties=needed)
    record = upload(
        marketer,
        b"type,at,message_id,email,properties\n"
        b"order,2024-01-01 10:00,m1,ann@shop.org,{}\n"
        b"view,2024-01-01 10:00,m2,ann@shop.org,{}\n",
    )
    chosen = {f"column-{name}": str(column) for name, column in record.mapping.items()}
    options = {name: record.options[name] for name in ("encoding", "date_style", "decimal")}
    sent = {"kind": "events", "was": "events", "has_header": "on", "delimiter": ",", **options}
    marketer.post(address("map", record), {**sent, **chosen, "try": "all"})
    record.refresh_from_db()
    jobs.run(job_id=record.trial_job_id)
    panel = page_of(marketer, "trial", record)
    assert "“total” is missing; the plan needs it with every “order”." in panel
    assert "event is unlike the tracking plan, which only warns of it: it will be stored." in panel
    assert "Line 3: “total” is missing; the plan needs it with every “view”." in panel
    marketer.post(address("map", record), {**sent, **chosen})
    record.refresh_from_db()
    jobs.run(job_id=record.job_id)
    page = page_of(marketer, "detail", record)
    assert "Events unlike the tracking plan" in page
    assert "Events kept out by the tracking plan" in page
    assert "Send the property, or make it optional in the plan." in page
    judging.forget()


def test_the_page_shows_what_the_recipe_fills_and_lets_the_import_begin(
    marketer, django_assert_max_num_queries
) -> None:
    record = upload(marketer, b"order_id,placed_at,sku,unit_price\n1,2011-01-31,A,3.5\n2,x,B,4\n")
    page = page_of(marketer, "map", record)
    assert "Not in the file? A rule of the recipe can fill a needed field" in page
    assert reverse("ingestion:recipe-edit", args=[record.source_id, "orders"]) in page
    rules = [
        {"id": "n", "rule": "derive", "column": "quantity", "expression": "12"},
        {"id": "u", "rule": "derive", "column": "sku", "expression": 'sku & "-new"'},
        {"id": "d", "rule": "drop_rows", "where": 'sku = "B-new"'},
    ]
    versions.save(
        source=record.source, kind="orders", body={"rules": rules}, user=None, now=timezone.now()
    )
    with django_assert_max_num_queries(20):
        page = page_of(marketer, "map", record)
    assert "filled by the recipe" in page
    assert "Not in the file?" not in page
    assert re.search(r'<td class="nowrap">12<small>–</small></td>', page)
    assert re.search(r'<td class="nowrap">A-NEW<small>A</small></td>', page)
    assert "The recipe leaves this row out." in page
    chosen = {f"column-{name}": str(column) for name, column in record.mapping.items()}
    options = {name: record.options[name] for name in ("encoding", "date_style", "decimal")}
    sent = {"kind": "orders", "was": "orders", "has_header": "on", "delimiter": ","}
    other = {**sent, **options, **chosen, "source": "another"}
    assert (
        "filled by the recipe"
        not in marketer.post(address("preview", record), other).content.decode()
    )
    marketer.post(address("map", record), {**other, "source": record.source.name})
    record.refresh_from_db()
    jobs.run(job_id=record.job_id)
    record.refresh_from_db()
    assert (record.stored, record.left_out) == (1, 1)
    assert OrderLine.objects.get().quantity == 12

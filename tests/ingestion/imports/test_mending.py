"""Refused lines come back as a file to mend; uploaded again they go in where they belong."""

import csv
import io
import json

import pytest

from ingestion.imports import rejects, starting, uploads
from ingestion.models import Customer, ImportJob, Order, OrderLine, Reject, Source
from marketing.core import jobs
from tests.ingestion.conftest import NOW

pytestmark = pytest.mark.django_db
HEAD = b"Nr;Code;Menge;Datum;Preis;Tel\n"
NAMES = {
    "order_id": "Nr", "sku": "Code", "quantity": "Menge", "placed_at": "Datum",
    "unit_price": "Preis", "phone": "Tel",
}  # fmt: skip
LINES = (
    b"1;A;2;05.01.2011;3,50;+44 20 7946 0018\n"
    b"2;B;x;05.01.2011;3,50;+44 20 7946 0018\n"
    b"3;=cmd|'/c calc'!A1;y;06.01.2011;-2,50;'99\n"
    b"4;C;1;99.99.2011;1,00;\n"
    b"5;too;few\n"
)


def first_import(bring) -> ImportJob:
    record = bring(HEAD + LINES, mapping=NAMES, source="Kasse", date_style="dmy", decimal=",")
    assert (record.received, record.stored, record.quarantined) == (5, 1, 4)
    return record


def table(record: ImportJob, **choice) -> tuple[list[str], list[list[str]]]:
    text = b"".join(rejects.as_csv(import_job=record, **choice)).decode("utf-8-sig")
    head, *rows = csv.reader(io.StringIO(text))
    return head, rows


def upload(head: list[str], rows: list[list[str]], delimiter: str = ",") -> ImportJob:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows([head, *rows])
    return uploads.receive(chunks=[out.getvalue().encode()], name="mended.csv", user=None, now=NOW)


def run(record: ImportJob) -> ImportJob:
    job = starting.start(record=record, now=NOW)
    jobs.run(job_id=job.pk)
    job.refresh_from_db()
    assert job.state == "done", job.error + str(job.log)
    record.refresh_from_db()
    return record


def test_the_file_has_each_line_with_its_reason_and_its_columns(bring) -> None:
    record = first_import(bring)
    head, rows = table(record)
    assert head == [*rejects.LEAD, "Nr", "Code", "Menge", "Datum", "Preis", "Tel"]
    assert [row[1:3] for row in rows] == [
        ["3", "quantity"], ["4", "quantity"], ["5", "placed_at"], ["6", ""],
    ]  # fmt: skip
    assert rows[0][0] == str(record.public_id)
    assert rows[0][6:] == ["2", "B", "x", "05.01.2011", "3,50", "'+44 20 7946 0018"]
    assert rows[1][6:] == ["3", "'=cmd|'/c calc'!A1", "y", "06.01.2011", "'-2,50", "''99"]
    assert rows[3][5:] == ["5;too;few", "5", "too", "few", "", "", ""]


def test_for_programs_every_cell_is_as_it_came(bring) -> None:
    head, rows = table(first_import(bring), spreadsheet=False)
    assert head[0] == rejects.RAW_MARK
    assert rows[0][6:] == ["2", "B", "x", "05.01.2011", "3,50", "+44 20 7946 0018"]
    assert rows[1][7] == "=cmd|'/c calc'!A1"
    assert rows[1][10:] == ["-2,50", "'99"]


@pytest.mark.parametrize("spreadsheet", [True, False])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_mended_lines_go_in_with_the_columns_and_source_of_the_first_import(
    bring, spreadsheet, delimiter
) -> None:
    first = first_import(bring)
    head, rows = table(first, spreadsheet=spreadsheet)
    rows[0][8] = "7"
    rows[1][8], rows[1][10] = "1", "2,50"
    rows[3][6:] = ["5", "D", "1", "07.01.2011", "9,99", ""]
    record = upload(head, rows, delimiter)
    assert (record.mends, record.source, record.kind) == (first, first.source, "orders")
    run(record)
    assert (record.received, record.stored, record.quarantined) == (4, 3, 1)
    assert OrderLine.objects.get(order__external_id="2").quantity == 7
    assert OrderLine.objects.get(order__external_id="3").sku == "=CMD|'/C CALC'!A1"
    assert Order.objects.get(external_id="2").customer is not None
    mended = Reject.objects.filter(import_job=first, mended_by=record)
    assert sorted(mended.values_list("line", flat=True)) == [3, 4, 6]
    assert [row[1] for row in table(first)[1]] == ["5"]
    assert set(Source.objects.values_list("name", flat=True)) == {"Kasse"}


def test_mended_lines_may_be_mended_again(bring) -> None:
    first = first_import(bring)
    head, rows = table(first)
    second = run(upload(head, rows[:1]))
    assert (second.received, second.quarantined) == (1, 1)
    head, rows = table(second)
    assert head == [*rejects.LEAD, "Nr", "Code", "Menge", "Datum", "Preis", "Tel"]
    rows[0][8] = "7"
    third = run(upload(head, rows))
    assert (third.mends, third.stored) == (second, 1)


def test_the_same_mended_file_twice_changes_nothing(bring) -> None:
    first = first_import(bring)
    head, rows = table(first)
    rows[0][8] = "7"
    run(upload(head, rows[:1]))
    again = run(upload(head, rows[:1]))
    assert (again.stored, again.duplicate) == (0, 1)
    assert Reject.objects.filter(import_job=first, mended_by__isnull=False).count() == 1


def test_the_suggested_columns_of_the_source_stay_those_of_its_own_files(bring) -> None:
    first = first_import(bring)
    head, rows = table(first)
    run(upload(head, rows[:1]))
    again = uploads.receive(
        chunks=[HEAD + LINES], name="f.csv", kind="orders", source_name="Kasse", user=None, now=NOW
    )
    assert again.mapping == first.mapping
    assert again.mends is None


@pytest.mark.parametrize("change", ["name", "columns", "number"])
def test_a_file_that_only_looks_alike_is_an_ordinary_file(bring, change) -> None:
    head, rows = table(first_import(bring))
    if change == "name":
        head[2] = "champ"
    elif change == "columns":
        head[-1] = "Fax"
    else:
        rows = [["not-a-number", *row[1:]] for row in rows]
    assert upload(head, rows).mends is None


def test_lines_of_json_are_mended_by_their_columns(bring) -> None:
    objects = [
        {"order": "1", "sku": "A", "qty": "x", "date": "2011-01-05", "price": 3.50},
        {"order": "2", "sku": "B", "qty": 1, "date": "2011-01-05", "price": 3.50},
    ]
    first = bring("\n".join(map(json.dumps, objects)).encode())
    head, rows = table(first)
    assert rows[0][6:] == ["1", "A", "x", "2011-01-05", "3.5"]
    rows[0][8] = "4"
    assert run(upload(head, rows)).stored == 1
    assert OrderLine.objects.count() == 2


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_people_refused_while_storing_come_back_in_the_columns_of_their_file(bring, form) -> None:
    rows = [
        {"Vorname": "Ann", "Kunde": "K1", "Land": "DE"},
        {"Vorname": "Ann", "Kunde": "K1", "Land": "DE"},
        {"Vorname": "Bob; jr", "Kunde": "null", "Land": "FR"},
    ]
    lines = ["Vorname;Kunde;Land"] + [f'"{r["Vorname"]}";{r["Kunde"]};{r["Land"]}' for r in rows]
    text = "\n".join(lines if form == "csv" else map(json.dumps, rows))
    mapping = {"first_name": "Vorname", "customer_id": "Kunde", "country": "Land"}
    first = bring(text.encode(), kind="customers", mapping=mapping)
    assert (first.received, first.stored, first.duplicate, first.quarantined) == (3, 1, 1, 1)
    head, rows_out = table(first)
    place = {name: head.index(name) for name in ("Vorname", "Kunde", "Land")}
    assert [rows_out[0][i] for i in place.values()] == ["Bob; jr", "null", "FR"]
    rows_out[0][place["Kunde"]] = "K2"
    mended = run(upload(head, rows_out))
    assert (mended.mends, mended.stored) == (first, 1)
    assert Customer.objects.get(external_id="K2").first_name == "Bob; jr"

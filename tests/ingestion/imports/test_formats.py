"""The same orders in every format and packing give the same ledger and the same rows."""

import gzip
import io
import json
import lzma
import zipfile
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingestion.imports import choosing, running, starting, uploads
from ingestion.models import ImportJob, OrderLine, Reject
from marketing.core import jobs
from tests.ingestion.conftest import NOW
from tests.ingestion.workbooks import workbook

pytestmark = pytest.mark.django_db

HEAD = ["order", "sku", "qty", "date", "price", "customer"]
ROWS = [
    ["1", "A", 2, "2011-01-05 10:30:00", 3.5, "17850"],
    ["1", "B", 1, "2011-01-05 10:30:00", 12, "17850"],
    ["2", "A", "two", "2011-01-06 09:00:00", 3.5, "17851"],
    ["3", "C", -1, "2011-01-07 09:00:00", 0.25, "17851"],
    ["3", "C", -1, "2011-01-07 09:00:00", 0.25, "17851"],
]
STORED = [
    ("1", "A", 2, Decimal("3.5000"), "2011-01-05T10:30:00+00:00"),
    ("1", "B", 1, Decimal("12.0000"), "2011-01-05T10:30:00+00:00"),
    ("3", "C", -1, Decimal("0.2500"), "2011-01-07T09:00:00+00:00"),
]


def separated(mark: str) -> bytes:
    return "".join(mark.join(map(str, row)) + "\n" for row in [HEAD, *ROWS]).encode()


def objects() -> bytes:
    return "".join(json.dumps(dict(zip(HEAD, row, strict=True))) + "\n" for row in ROWS).encode()


def parquet() -> bytes:
    columns = [[str(row[i]) for row in ROWS] for i in range(4)]
    table = pa.table(
        {
            **dict(zip(HEAD, columns, strict=False)),
            "price": pa.array([float(row[4]) for row in ROWS]),
            "customer": pa.array([int(row[5]) for row in ROWS]).dictionary_encode(),
        }
    )
    out = io.BytesIO()
    pq.write_table(table, out, row_group_size=2)
    return out.getvalue()


def sheet() -> bytes:
    days = {"2011-01-05 10:30:00": 40548.4375, "2011-01-06 09:00:00": 40549.375}
    days["2011-01-07 09:00:00"] = 40550.375
    rows = [[*row[:3], ("n", 2, f"<v>{days[row[3]]}</v>"), *row[4:]] for row in ROWS]
    return workbook({"Orders": [HEAD, *rows]})


def zipped(content: bytes, name: str = "orders.csv", **more: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for other, body in more.items():
            archive.writestr(other.replace("_", "."), body)
        archive.writestr(name, content)
    return out.getvalue()


FORMATS = {
    "comma": lambda: separated(","),
    "semicolon": lambda: separated(";"),
    "tab": lambda: separated("\t"),
    "bar": lambda: separated("|"),
    "jsonl": objects,
    "parquet": parquet,
    "xlsx": sheet,
}
PACKINGS = {"plain": bytes, "gz": gzip.compress, "xz": lzma.compress, "zip": zipped}


def stored() -> list[tuple]:
    return [
        (line.order.external_id, line.sku, line.quantity, line.unit_price,
         line.placed_at.isoformat())
        for line in OrderLine.objects.select_related("order").order_by("order__external_id", "sku")
    ]  # fmt: skip


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("form", FORMATS)
def test_every_format_and_packing_gives_the_same_rows(bring, form, packing) -> None:
    record = bring(PACKINGS[packing](FORMATS[form]()), name="no-hint.bin", timezone="UTC")
    expected = "csv" if form in ("comma", "semicolon", "tab", "bar") else form
    assert record.options["format"] == expected
    assert (record.received, record.stored, record.duplicate, record.quarantined) == (5, 3, 1, 1)
    assert stored() == STORED
    reject = Reject.objects.get()
    assert (reject.code, reject.field) == ("not_a_number", "quantity")
    assert "two" in reject.raw
    assert "17851" in reject.raw


@pytest.mark.parametrize("form", ["comma", "jsonl", "parquet", "xlsx"])
@pytest.mark.parametrize("after", [1, 2, 3])
def test_every_format_goes_on_after_the_rows_that_are_committed(
    bring, monkeypatch, form, after
) -> None:
    """The import dies after a commit of `after` rows; the next run takes the rest."""
    content = FORMATS[form]()
    record = uploads.receive(chunks=[content], name="f", source_name="s", user=None, now=NOW)
    job = starting.start(record=record, now=NOW)
    whole = running.clean_chunks

    def only(record, handler, now, **choices):
        yield from whole(record, handler, now, **choices, first=after)
        raise RuntimeError("killed")

    monkeypatch.setattr(running, "clean_chunks", only)
    jobs.run(job_id=job.pk)
    monkeypatch.undo()
    row = ImportJob.objects.get(pk=record.pk)
    assert (row.received, row.state) == (after, "failed")
    jobs.retry(job_id=job.pk)
    jobs.run(job_id=job.pk)
    row.refresh_from_db()
    assert (row.state, row.received, row.stored, row.duplicate, row.quarantined) == (
        "done", 5, 3, 1, 1,
    )  # fmt: skip
    assert stored() == STORED


def test_one_of_several_files_in_an_archive_is_chosen(bring) -> None:
    archive = zipped(separated(","), a_txt=b"nothing,here\n1,2\n", __MACOSX_x=b"x")
    record = uploads.receive(chunks=[archive], name="two.zip", user=None, now=NOW)
    assert choosing.look(record).detected.members == [".MACOSX.x", "a.txt", "orders.csv"][1:]
    assert record.options["member"] == "a.txt"
    seen = choosing.look(record, again={"member": "orders.csv"}, kind="orders")
    assert seen.detected.header == HEAD
    choosing.choose(
        record=record, kind="orders", mapping=seen.mapping, options={"member": "orders.csv"},
        now=NOW,
    )  # fmt: skip
    jobs.run(job_id=starting.start(record=record, now=NOW).pk)
    assert stored() == STORED


def test_one_of_several_sheets_is_chosen(bring) -> None:
    days = [[*row[:3], row[3], *row[4:]] for row in ROWS]
    book = workbook({"Notes": [["a", "b"], ["1", "2"]], "Orders": [HEAD, *days]})
    record = uploads.receive(chunks=[book], name="book.xlsx", user=None, now=NOW)
    seen = choosing.look(record, again={"sheet": "Orders"}, kind="orders")
    assert (seen.detected.sheets, seen.detected.sheet) == (["Notes", "Orders"], "Orders")
    choosing.choose(
        record=record, kind="orders", mapping=seen.mapping, options={"sheet": "Orders"}, now=NOW
    )
    jobs.run(job_id=starting.start(record=record, now=NOW).pk)
    assert stored() == STORED


def test_objects_inside_objects_can_be_mapped_by_dotted_names_or_as_json(bring) -> None:
    lines = [
        {"event": "view", "ts": "2026-10-01T10:00:00Z", "who": {"id": "7", "mail": "a@b.example"},
         "props": {"price": 1.50, "tags": ["x", {"y": None}]}},
        {"event": "buy", "ts": "2026-10-01T10:00:01Z", "who": {"id": "7"}, "props": {}},
    ]  # fmt: skip
    content = "\n\n".join(map(json.dumps, lines)).encode()
    record = bring(
        content, kind="events",
        mapping={"customer_id": "who.id", "email": "who.mail", "properties": "props"},
    )  # fmt: skip
    assert record.options["header"] == [
        "event", "ts", "who", "who.id", "who.mail", "props", "props.price", "props.tags",
    ]  # fmt: skip
    assert (record.stored, record.quarantined) == (2, 0)

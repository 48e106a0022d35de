"""What strangers send: each odd file has one clear end, and every row of it is accounted for."""

import csv
import io
import os
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from ingestion import consent
from ingestion.imports import choosing, rejects, starting, uploads
from ingestion.models import Consent, Customer, ImportJob, Order, OrderLine, Product
from marketing.core.errors import Invalid
from tests import factories
from tests.ingestion.conftest import NOW
from tests.ingestion.preprocess.test_packing import bomb_zip

pytestmark = pytest.mark.django_db
HEAD = b"order,sku,qty,date,price,description\n"
NAMES = ("order", "sku", "qty", "date", "price", "description")
PEOPLE = "id,email,first name\n1,jose@example.com,José\n2,zoe@example.com,Zoë\n"


def line(number: object = 1, **cells: str) -> str:
    given = {"order": str(number), "sku": "A", "qty": "1", "date": "2011-01-05", "price": "2"}
    return ",".join({**given, "description": "Tea", **cells}[name] for name in NAMES) + "\n"


def ledger(record: ImportJob) -> tuple[int, int, int, int]:
    return record.received, record.stored, record.duplicate, record.quarantined


def faults(record: ImportJob) -> list[tuple[int, str]]:
    return list(record.rejects.values_list("line", "code"))


def refused(content: bytes, name: str = "orders.csv") -> str:
    """The code with which an upload is refused; nothing of it is kept."""
    with pytest.raises(Invalid) as error:
        uploads.receive(chunks=[content], name=name, kind="orders", user=None, now=NOW)
    folder = Path(settings.MEDIA_ROOT) / "imports"
    assert not folder.exists() or list(folder.iterdir()) == []
    assert ImportJob.objects.count() == 0
    assert error.value.remedy
    return error.value.code


# --- encodings ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("encoding", "mark", "text"),
    [
        ("utf-8", b"\xef\xbb\xbf", PEOPLE),
        ("utf-16-le", b"\xff\xfe", PEOPLE),
        ("utf-16-be", b"\xfe\xff", PEOPLE),
        ("utf-16-le", b"", PEOPLE),
        ("cp1252", b"", PEOPLE),
        ("gb18030", b"", PEOPLE.replace("José", "何塞").replace("Zoë", "佐伊")),
        ("shift_jis", b"", PEOPLE.replace("José", "ホセ").replace("Zoë", "ゾーイ")),
    ],
    ids=["utf-8 marked", "utf-16-le", "utf-16-be", "unmarked", "cp1252", "gb18030", "shift_jis"],
)
def test_names_come_out_right_whatever_the_encoding(bring, encoding, mark, text) -> None:
    record = bring(mark + text.encode(encoding), kind="customers", encoding=encoding)
    assert ledger(record) == (2, 2, 0, 0)
    shown = list(Customer.objects.order_by("external_id").values_list("first_name", flat=True))
    assert shown == [row.rsplit(",", 1)[1] for row in text.split("\n")[1:3]]
    assert not any("?" in name or "\ufffd" in name for name in shown)


def test_rows_of_another_encoding_within_a_file_are_set_aside_with_their_byte(bring) -> None:
    mixed = PEOPLE.encode() + b"3,rene@example.com,Ren\xe9\n" + "4,y@example.com,Zoë\n".encode()
    record = bring(mixed, kind="customers")
    assert ledger(record) == (4, 3, 0, 1)
    reject = record.rejects.get()
    assert (reject.line, reject.code, reject.raw) == (
        4, "undecodable", "3,rene@example.com,Ren\\xe9",
    )  # fmt: skip
    assert reject.message == "Byte 23 of the line (0xe9) is not valid utf-8."


# --- rows ----------------------------------------------------------------------------------------
def test_a_zero_byte_costs_its_row_only(bring) -> None:
    record = bring(HEAD + (line(1) + line(2, sku="A\0B") + line(3)).encode())
    assert (ledger(record), faults(record)) == ((3, 2, 0, 1), [(3, "nul_byte")])


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_a_delimiter_inside_quotes_belongs_to_its_cell(bring, mark) -> None:
    text = mark.join(NAMES) + "\n" + mark.join(["1", "A", "1", "2011-01-05", "2", f'"a{mark}b,c"'])
    record = bring(text.encode())
    assert (record.options["delimiter"], ledger(record)) == (mark, (1, 1, 0, 0))
    assert OrderLine.objects.get().description == f"a{mark}b,c".replace("\t", " ")


def test_a_file_of_one_column_is_asked_about_and_goes_in(bring) -> None:
    content = b"email\nada@example.com\nbob@example.com\n"
    record = uploads.receive(chunks=[content], name="f.csv", kind="customers", user=None, now=NOW)
    assert [code for code, _, _ in choosing.look(record).problems] == ["one_column"]
    assert ledger(bring(content, kind="customers")) == (2, 2, 0, 0)


def test_an_open_quote_at_row_10_of_many_swallows_no_later_row(bring) -> None:
    rows = [line(number) for number in range(1, 30_001)]
    rows[8] = line(9, description='"Tea')
    record = bring(HEAD + "".join(rows).encode())
    assert (ledger(record), faults(record)) == ((30_000, 29_999, 0, 1), [(10, "open_quote")])


@pytest.mark.parametrize("cell", ['"Tea"pot', 'Tea "pot"', '"Tea" '])
def test_text_beside_a_quote_is_set_aside(bring, cell) -> None:
    record = bring(HEAD + (line(1) + line(2, description=cell) + line(3)).encode())
    assert (ledger(record), faults(record)) == ((3, 2, 0, 1), [(3, "stray_quote")])


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_every_kind_of_line_end_gives_the_same_rows(bring, end) -> None:
    text = HEAD.decode() + line(1) + line(2, description='"two\nlines"') + line(3)
    record = bring(text.replace("\n", end).encode())
    assert ledger(record) == (3, 3, 0, 0)
    assert OrderLine.objects.get(order__external_id="2").description == "two lines"


def test_mixed_line_ends_in_one_file_give_the_right_rows(bring) -> None:
    text = HEAD.decode().replace("\n", "\r\n") + line(1) + line(2).replace("\n", "\r") + line(3)
    assert ledger(bring(text.encode())) == (3, 3, 0, 0)


@pytest.mark.parametrize(
    ("head", "code"),
    [
        ("order,sku,sku,date,price,qty", "duplicate_header"),
        ("order,SKU,sku,date,price,qty", "duplicate_header"),
        ("order, sku ,sku,date,price,qty", "duplicate_header"),
        ("order,,sku,date,price,qty", "empty_header"),
    ],
)
def test_a_header_that_could_be_mixed_up_cannot_start(head, code) -> None:
    content = f"{head}\n1,A,B,2011-01-05,2,1\n".encode()
    record = uploads.receive(chunks=[content], name="f.csv", kind="orders", user=None, now=NOW)
    seen = choosing.look(record)
    assert (seen.blocked, seen.problems[0][0]) == (True, code)
    with pytest.raises(Invalid) as error:
        starting.start(record=record, now=NOW)
    assert error.value.code == code


def test_names_of_columns_may_have_spaces_capitals_marks_and_emoji(bring) -> None:
    text = "\ufeff Order  ID ,SKU,Qty,DATE,Price 💶,Lieblingstee ☕\n1,A,1,2011-01-05,2,Assam\n"
    record = bring(text.encode(), mapping={"unit_price": "Price 💶"})
    assert ledger(record) == (1, 1, 0, 0)
    assert record.options["header"][0] == "Order ID"


def test_five_thousand_columns_are_refused_with_the_limit() -> None:
    head = ",".join(f"c{number}" for number in range(5_000))
    assert refused(f"{head}\n{'1,' * 4_999}1\n".encode()) == "too_many_columns"


def test_short_and_long_rows_are_set_aside_with_both_counts(bring) -> None:
    record = bring(HEAD + (line(1) + "2,A\n" + line(3).strip() + ",x,y\n" + line(4)).encode())
    assert (ledger(record), faults(record)) == (
        (4, 2, 0, 2), [(3, "field_count"), (4, "field_count")],
    )  # fmt: skip
    messages = list(record.rejects.values_list("message", flat=True))
    assert messages == [
        "2 fields where the header has 6.",
        "8 fields where the header has 6.",
    ]


def test_a_field_of_200_kb_is_cut_and_kept_and_a_row_of_100_mb_is_set_aside(bring) -> None:
    long = line(1, description="x" * 200_000)
    record = bring(
        HEAD + long.encode() + line(2, sku="y" * 100_000_000).encode() + line(3).encode()
    )
    assert (ledger(record), faults(record)) == ((3, 2, 0, 1), [(3, "line_too_long")])
    assert len(OrderLine.objects.get(order__external_id="1").description) == 300
    assert len(record.rejects.get().raw) <= 10_000


# --- whole files ---
@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", "empty_file"), (b"\n \n", "empty_file"), (b"\0", "not_a_table")],
)
def test_a_file_of_nothing_is_refused(content, code) -> None:
    assert refused(content) == code


def test_a_file_of_one_byte_or_of_a_header_alone_cannot_start() -> None:
    for content in (b"x", HEAD):
        record = uploads.receive(chunks=[content], name="f.csv", kind="orders", user=None, now=NOW)
        assert choosing.look(record).problems
        with pytest.raises(Invalid):
            starting.start(record=record, now=NOW)


def test_two_gigabytes_of_nothing_are_refused_at_the_first_look(tmp_path: Path) -> None:
    path = tmp_path / "sparse.csv"
    with path.open("wb") as file:
        os.truncate(file.fileno(), 2 << 30)
    with pytest.raises(Invalid) as error:
        uploads.register(path=path, name="sparse.csv", now=NOW)
    assert error.value.code == "not_a_table"


def test_an_archive_that_unpacks_to_ten_gigabytes_leaves_no_file(tmp_path: Path) -> None:
    content = bomb_zip(tmp_path / "bomb.zip").read_bytes()
    assert refused(content, "orders.zip") == "too_much_unpacked"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\x89PNG\r\n\x1a\n" + HEAD, "a picture"),
        (b"MZ\x90\0" + HEAD, "a program"),
        (b"\x7fELF" + HEAD, "a program"),
        (b"%PDF-1.7\n" + HEAD, "a PDF"),
        (b"<!DOCTYPE html><table>" + HEAD, "a web page or XML"),
        (b"\n  <html>" + HEAD, "a web page or XML"),
        (b"GIF89a" + HEAD, "a picture"),
        (HEAD + bytes(range(32)) * 3_000, "not text"),
    ],
)
def test_what_only_calls_itself_a_table_is_known_by_its_content(content, what) -> None:
    with pytest.raises(Invalid) as error:
        uploads.receive(chunks=[content], name="orders.csv", user=None, now=NOW)
    assert what in error.value.message


@pytest.mark.parametrize(
    "name",
    ["../../x.csv", "a\r\nSet-Cookie: x=1.csv", "\u202egnp.csv", "x" * 300 + ".csv", 'a".csv'],
)
def test_a_strange_file_name_is_shown_safely_and_sent_back_nowhere(client: Client, name) -> None:
    client.force_login(factories.user("marketer"))
    record = uploads.receive(
        chunks=[HEAD + line(1).encode()], name=name, kind="orders", user=None, now=NOW
    )
    answer = client.get(reverse("ingestion:import-rejects", args=[record.public_id]))
    b"".join(answer.streaming_content)
    assert answer["Content-Disposition"] == (
        f'attachment; filename="rejects-{record.public_id}.csv"'
    )
    assert "/" not in record.original_name
    assert record.path.startswith("imports/")


# --- cells ---
FORMULAS = ["=cmd|'/c calc'!A1", "+1+2", "-1-2", "@SUM(A1)", "＝1+1", "=1\t2"]


def test_cells_that_are_formulas_are_stored_as_they_are_and_harmless_in_a_spreadsheet(
    bring,
) -> None:
    rows = [line(n, description=cell) for n, cell in enumerate(FORMULAS, 1)]
    bad = [line(n, description=cell, qty="x") for n, cell in enumerate([*FORMULAS, "-5", "+44"], 9)]
    record = bring(HEAD + "".join(rows + bad).encode())
    stored = OrderLine.objects.order_by("id").values_list("description", flat=True)
    assert sorted(stored) == sorted(cell.replace("\t", " ") for cell in FORMULAS)

    def cells(**choice: bool) -> list[str]:
        text = b"".join(rejects.as_csv(import_job=record, **choice)).decode("utf-8-sig")
        return [row[-1] for row in list(csv.reader(io.StringIO(text)))[1:]]

    assert cells() == [*("'" + cell for cell in FORMULAS), "-5", "+44"]
    assert cells(spreadsheet=False) == [*FORMULAS, "-5", "+44"]


STRANGE = [
    "O'Brien", "<script>alert(1)</script>", "{{7*7}}", "{% include 'x' %}", "\u202eevil",
    "zero\u200bwidth", "😀" * 100, "José", "Jose\u0301", "Robert'); DROP TABLE x",
]  # fmt: skip


def test_strange_names_are_text_on_every_page_and_in_every_export(bring, client: Client) -> None:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["id", "email", "first name", "subscribed"])
    for number, name in enumerate(STRANGE):
        writer.writerow([number, f"p{number}@example.com", name, "yes"])
        writer.writerow(["", "", name, "?"])
    record = bring(out.getvalue().encode(), kind="customers")
    assert ledger(record) == (20, 10, 0, 10)
    client.force_login(factories.user("marketer"))
    people = client.get(reverse("ingestion:customer-list")).content.decode()
    detail = client.get(reverse("ingestion:import-live", args=[record.public_id])).content.decode()
    for page in (people, detail):
        assert "<script>alert(1)" not in page
        assert "&lt;script&gt;alert(1)" in page
        assert "{{7*7}}" in page
        assert ">49<" not in page
    text = b"".join(rejects.as_csv(import_job=record, spreadsheet=False)).decode("utf-8-sig")
    assert [row[8] for row in list(csv.reader(io.StringIO(text)))[1:]] == STRANGE
    # The two spellings of one name are one name.
    assert Customer.objects.filter(first_name="José").count() == 2


@pytest.mark.parametrize(
    ("style", "text", "stored"),
    [
        ("dmy", "31/12/99", "1999-12-31T00:00:00+00:00"),
        ("mdy", "12/31/99", "1999-12-31T00:00:00+00:00"),
        ("iso", "2011-01-05 24:00", None),
        ("epoch", "1294221600", "2011-01-05T10:00:00+00:00"),
        ("epoch", "1294221600000", "2011-01-05T10:00:00+00:00"),
        ("iso", "2011-01-05T10:00:00+09:00", "2011-01-05T01:00:00+00:00"),
        ("iso", "1900-02-29", None),
        ("iso", "0000-00-00", None),
        ("iso", "9999-12-31", None),
        ("iso", "292277026596-12-04", None),
        ("dmy", "12/31/99", None),
    ],
)
def test_dates_are_read_one_way_or_set_aside(bring, style, text, stored) -> None:
    rows = HEAD + (line(1, date=text) + line(2, date="")).encode()
    record = bring(rows, date_style=style, timezone="UTC")
    assert record.received == 2
    if stored is None:
        assert ledger(record) == (2, 0, 0, 2)
        return
    assert Order.objects.get(external_id="1").placed_at.isoformat() == stored


def test_day_and_month_that_may_swap_are_asked_about(client: Client) -> None:
    client.force_login(factories.user("marketer"))
    content = HEAD + b"".join(line(n, date=f"0{n}/0{n + 1}/2011").encode() for n in range(1, 9))
    record = uploads.receive(chunks=[content], name="f.csv", kind="orders", user=None, now=NOW)
    page = client.get(reverse("ingestion:import-map", args=[record.public_id])).content.decode()
    assert "Day and month cannot be told apart" in page


@pytest.mark.parametrize(
    ("decimal", "text", "stored"),
    [
        (",", '"1.234,56"', Decimal("1234.56")),
        (".", '"1,234.56"', Decimal("1234.56")),
        (".", "-0", Decimal(0)),
        (".", "\u22120", Decimal(0)),
        (".", "1e999", None),
        (".", "NaN", None),
        (".", "Infinity", None),
        (".", "9223372036854775808", None),
        (".", "9" * 4_301, None),
    ],
)
def test_numbers_are_exact_or_set_aside(bring, decimal, text, stored) -> None:
    record = bring(HEAD + line(1, price=text).encode(), decimal=decimal)
    if stored is None:
        assert ledger(record) == (1, 0, 0, 1)
        return
    assert OrderLine.objects.get().unit_price == stored


# --- people ---
def test_a_file_that_names_one_person_over_and_over_is_one_person(bring) -> None:
    record = bring(b"id,email\n" + b"7,ada@example.com\n" * 90_000, kind="customers")
    assert ledger(record) == (90_000, 1, 89_999, 0)
    assert Customer.objects.count() == 1


def test_a_file_that_says_yes_for_somebody_who_left_changes_nothing_without_new_proof(
    bring,
) -> None:
    head = b"id,email,subscribed,proof,consent date\n"
    bring(head + b"1,ada@example.com,yes,form,2020-01-01\n", kind="customers")
    ada = Customer.objects.get()
    consent.revoke(customer_ids=[ada.pk], source="unsubscribe link", now=NOW)
    consent.suppress(addresses=[ada.email], reason="unsubscribed", now=NOW)
    for row in (b"1,ada@example.com,yes,,\n", b"1,ada@example.com,yes,form,2021-01-01\n",
                b"1,ada@example.com,yes,form,\n"):  # fmt: skip
        bring(head + row, kind="customers")
        assert Consent.objects.get(customer=ada, current=True).granted is False
        assert consent.mailable([ada.pk]).get().reason == "suppressed"


def test_products_and_codes_stay_what_they_were(bring) -> None:
    bring(HEAD + line(1, sku="=1+1").encode())
    assert Product.objects.get().sku == "=1+1"

"""Whatever bytes come: every row is good or a fault, nothing else is raised, and blocks of any size
give the same rows. FUZZ=20000 tries that many examples of each instead of a few; with
`timeout -s INT 600` and FUZZ=100000000 one of them goes on for ten minutes."""

import csv
import gzip
import io
import json
import os
import zipfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ingestion import schemas
from ingestion.preprocess import (
    columns,
    customers,
    detect,
    events,
    files,
    jsonlines,
    orders,
    packing,
    preview,
    products,
    records,
    spreadsheet,
)
from ingestion.preprocess.faults import Unreadable
from ingestion.preprocess.shape import Shape
from tests.ingestion.workbooks import workbook

FUZZ = int(os.environ.get("FUZZ", "60"))
# Files are written anew for each example, so one folder for all of them is right.
fuzz = settings(
    max_examples=FUZZ, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
BLOCKS = (None, 1, 5, 64)
NOW = datetime(2026, 11, 22, tzinfo=UTC)

pieces = st.sampled_from(
    [
        b'"', b'""', b'"""', b",", b";", b"\t", b"|", b"\n", b"\r", b"\r\n", b"\n\n", b"a", b"1",
        b" ", b"\0", b"\xff", b"\xc3\xa4", b"\xe4", b"\xef\xbb\xbf", b"=1", b"'", b"\\", b"a,b,c\n",
        b'"x,y",z\n', b'"a\nb",c\n', b"\xe2\x80\xa8", b"\x85", b"\x1c", b"\x0b", b"\x0c",
    ]
)  # fmt: skip
texts = st.lists(st.one_of(pieces, st.binary(max_size=4)), max_size=40).map(b"".join)


def read(path: Path, shape: Shape, block: int | None) -> tuple[list, list, int]:
    good, bad, received = [], [], 0
    for batch in files.batches(path, shape, wanted=range(shape.width), block=block):
        assert batch.received == len(batch.line) + len(batch.faults)
        received += batch.received
        made = files.read(batch, shape, {str(i): i for i in range(shape.width)})
        for i, line in enumerate(batch.line.tolist()):
            cells = tuple(made[str(column)].text(i) for column in range(shape.width))
            good.append((line, cells, batch.raw(i)))
        bad += [(fault.line, fault.code) for fault in batch.faults]
    return good, sorted(bad), received


@fuzz
@given(
    content=texts,
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    width=st.integers(1, 4),
    header=st.booleans(),
    encoding=st.sampled_from(["utf-8", "cp1252", "utf-16-le", "gb18030"]),
)
@example(b"\xef\xbb\xbf", ",", 1, False, "utf-8")
@example(b"\n\xef\xbb\xbf", ",", 1, False, "utf-8")
@example(b'"\n"a,b,c\n', ",", 1, True, "utf-8")
@example(b"\n\n1\n2\n", ",", 1, True, "utf-8")
@example(b'"a,b,c\n\x80"a\nb",c\n', ",", 1, False, "utf-8")
@example(b'"a\n\x80\nb"\n1\n', ",", 1, False, "utf-8")
@example(b"PK\5\6", ",", 1, False, "utf-8")
def test_any_bytes_read_as_separated_text(
    tmp_path, content, delimiter, width, header, encoding
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    shape = Shape("csv", encoding, delimiter, header, [str(i) for i in range(width)])
    try:
        whole = read(path, shape, None)
    except Unreadable:
        assert packing.kind_of(content)
        return
    good, bad, received = whole
    assert received == len(good) + len(bad)
    assert max(Counter(line for line, *_ in [*good, *bad]).values(), default=1) == 1
    for _line, cells, raw in good:
        stream = io.StringIO(raw + "\n", newline="")
        assert tuple(next(csv.reader(stream, delimiter=delimiter, strict=True))) == cells
    for block in BLOCKS[1:]:
        assert read(path, shape, block) == whole, block


values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=5),
        st.sampled_from(["\0", "\ud800", "x" * 50]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@fuzz
@given(
    objects=st.lists(st.one_of(values.map(lambda v: json.dumps(v).encode()), texts), max_size=8),
    end=st.sampled_from([b"\n", b"\r\n", b"\r", b"\n \n"]),
)
@example([b"\xef\xbb\xbf"], b"\n")
@example([b"\0", b"{}"], b"\n")
@example([b"\x1f\x8b"], b"\n")
def test_any_bytes_read_as_lines_of_json(tmp_path, objects, end) -> None:
    path = tmp_path / "file"
    path.write_bytes(end.join(objects))
    shape = Shape("jsonl", header=["a", "b", "a.b", ""])
    try:
        whole = read(path, shape, None)
    except Unreadable:
        assert packing.kind_of(path.read_bytes())
        return
    for block in BLOCKS[1:]:
        assert read(path, shape, block) == whole, block
    for _line, cells, raw in whole[0]:
        assert not any("\0" in cell for cell in cells)
        value = jsonlines.parse(raw.encode())
        assert all(
            isinstance(jsonlines.pick(value, name), str) for name in jsonlines.names([value])
        )


@fuzz
@given(
    content=st.one_of(texts, st.binary(max_size=300)),
    lead=st.sampled_from([b"", b"PK\3\4", b"PK\5\6", b"\x1f\x8b\x08", b"\xfd7zXZ\0", b"{", b"[{"]),
    pack=st.booleans(),
)
def test_any_bytes_are_recognised_or_refused(tmp_path, content, lead, pack) -> None:
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(lead + content) if pack else lead + content)
    try:
        found = detect.inspect(path)
    except Unreadable:
        return
    assert all(isinstance(cell, str) for row in found.rows for cell in row)
    if any(code in ("duplicate_header", "empty_header") for code, _ in found.problems):
        return
    shape = Shape(found.format, found.encoding, found.delimiter, found.has_header, found.header)
    read(path, shape, None)


BOOK = workbook({"S": [["a", "b", 3], ["x", 1.5, ("n", 1, "<v>40000</v>")], [None, "y"]]})


@fuzz
@given(
    changes=st.lists(st.tuples(st.integers(0, len(BOOK) - 1), st.integers(0, 255)), max_size=6),
    cut=st.integers(0, 200),
)
def test_a_broken_spreadsheet_is_read_or_refused(tmp_path, changes, cut) -> None:
    body = bytearray(BOOK)
    for place, byte in changes:
        body[place] = byte
    path = tmp_path / "file"
    path.write_bytes(bytes(body[: len(body) - cut]))
    try:
        for _number, row in spreadsheet.rows(path):
            assert all(isinstance(cell, str) for cell in row)
        detect.inspect(path)
    except Unreadable:
        return


markup = st.lists(
    st.sampled_from(
        ["<row>", "</row>", "<row r='3'>", "<row r='x'>", "<c>", "</c>", "<c r='B2'>", "<c t='s'>",
         "<c r='9'>", "<c s='1'>", "<c s='99'>", "<c t='b'>", "<v>", "</v>", "1", "0.5", "-3",
         "1e300", "nan", "²", "<t>", "</t>", "<is>", "</is>", "&amp;", "<x:c>", "</x:c>", "text"]
    ),
    max_size=25,
).map("".join)  # fmt: skip


@fuzz
@given(body=markup, shared=markup)
def test_odd_markup_in_a_spreadsheet_is_read_or_refused(tmp_path, body, shared) -> None:
    path = tmp_path / "file"
    parts = {
        "xl/worksheets/sheet1.xml": f"<worksheet><sheetData>{body}</sheetData></worksheet>",
        "xl/sharedStrings.xml": f"<sst><si>{shared}</si></sst>",
    }
    path.write_bytes(workbook({"S": [["a"]]}, parts=parts))
    try:
        for number, row in spreadsheet.rows(path):
            assert number > 0
            assert all(isinstance(cell, str) for cell in row)
    except Unreadable:
        return


ZIP = io.BytesIO()
with zipfile.ZipFile(ZIP, "w", zipfile.ZIP_DEFLATED) as made:
    made.writestr("rows.csv", b"a,b\n1,2\n" * 20)


@fuzz
@given(
    changes=st.lists(
        st.tuples(st.integers(0, len(ZIP.getvalue()) - 1), st.integers(0, 255)), max_size=4
    ),
    cut=st.integers(0, 80),
)
def test_a_broken_archive_is_read_or_refused(tmp_path, changes, cut) -> None:
    body = bytearray(ZIP.getvalue())
    for place, byte in changes:
        body[place] = byte
    path = tmp_path / "file"
    path.write_bytes(bytes(body[: len(body) - cut]))
    try:
        found = detect.inspect(path)
        shape = Shape(found.format, header=found.header, member=found.member)
        read(path, shape, None)
    except Unreadable:
        return


@fuzz
@given(
    header=st.lists(
        st.one_of(
            st.text(max_size=8),
            st.sampled_from([f.name for fields in schemas.KINDS.values() for f in fields]),
            st.sampled_from([a for fs in schemas.KINDS.values() for f in fs for a in f.aliases]),
        ),
        max_size=12,
    ),
    kind=st.sampled_from(list(schemas.KINDS)),
)
def test_any_names_of_columns_give_a_mapping_that_holds(header, kind) -> None:
    mapping = schemas.suggest(kind, header)
    assert len(set(mapping.values())) == len(mapping)
    faults = schemas.check(kind, mapping, len(header))
    assert {code for code, _ in faults} <= {"field_required"}
    assert schemas.guess_kind(header) in schemas.KINDS


cells = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=12),
    st.sampled_from(
        ["1", "-1", "1.234,56", "1e999", "NaN", "Infinity", "9" * 5_000, "2011-02-30", "24:00",
         "31/12/99", "0000-00-00", "292277026596", "a@b.example", "+44 20 7946 0018", "UK", "GBP",
         "yes", "{}", '{"a":1}', "1,5", "£5", "(5)", "−0", "１２", "99999999999999999999"]
    ),
)  # fmt: skip
KINDS = {
    "orders": (orders.clean, orders.Options(now=NOW)),
    "customers": (customers.clean, customers.Options(now=NOW)),
    "products": (products.clean, products.Options()),
    "events": (events.clean, events.Options(now=NOW)),
}


@pytest.mark.parametrize("kind", KINDS)
@settings(fuzz, max_examples=max(FUZZ // 4, 1))
@given(rows=st.lists(st.lists(cells, min_size=12, max_size=12), min_size=1, max_size=12))
def test_any_cells_are_kept_or_duplicate_or_refused(tmp_path, kind, rows) -> None:
    clean, options = KINDS[kind]
    names = [field.name for field in schemas.KINDS[kind]][:12]
    rows = [row[: len(names)] for row in rows if any(row[: len(names)])]
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([names, *rows])
    path = tmp_path / "file"
    path.write_bytes(out.getvalue().replace("\r", " ").encode())
    mapping = {name: i for i, name in enumerate(names)}
    for batch in records.scan(
        path, encoding="utf-8", delimiter=",", columns=len(names), header=True
    ):
        texts_ = columns.read(batch, delimiter=",", columns=len(names), mapping=mapping)
        done = clean(batch, texts_, options)
        assert batch.received == len(done) + done.duplicates + len(done.faults)
    shown = preview.rows(kind, rows, mapping, {"timezone": "UTC", "date_style": "iso"})
    assert [len(row) for row in shown] == [len(names)] * len(rows)

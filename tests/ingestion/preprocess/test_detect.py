"""A stranger's file is recognised, or refused with the reason."""

import gzip
import lzma
from pathlib import Path

import pytest

from ingestion.preprocess import detect
from ingestion.preprocess.faults import Unreadable


@pytest.fixture
def inspect(tmp_path: Path):
    def run(content: bytes, **choices):
        path = tmp_path / "file"
        path.write_bytes(content)
        return detect.inspect(path, **choices)

    return run


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_file"),
        (b"  \n\n", "empty_file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "not_a_table"),
        (b"PK\x03\x04 spreadsheet", "damaged_archive"),
        (b"<!DOCTYPE html><html></html>", "not_a_table"),
        (b"MZ\x90\x00", "not_a_table"),
        (bytes(range(1, 256)) * 40, "not_a_table"),
        (b"\x00" * 4096, "not_a_table"),
        (b"\xff\xfe\x00\x00a\x00\x00\x00", "utf32"),
        (b"\x1f\x8b\x08\x00broken", "damaged_archive"),
        (",".join(f"c{n}" for n in range(5000)).encode(), "too_many_columns"),
    ],
)
def test_what_is_no_table_is_refused(inspect, content, code) -> None:
    with pytest.raises(Unreadable) as refused:
        inspect(content)
    assert refused.value.code == code


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_the_mark_that_splits_evenly(inspect, delimiter) -> None:
    rows = [["name", "price, net", "date"], ["Tea, green", "1", "2011-01-02"]]
    lines = [delimiter.join(f'"{c}"' if "," in c else c for c in row) for row in rows]
    assert inspect("\n".join(lines).encode()).delimiter == delimiter


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", b""),
        ("utf-8", b"\xef\xbb\xbf"),
        ("utf-16-le", b"\xff\xfe"),
        ("utf-16-be", b"\xfe\xff"),
        ("utf-16-le", b""),
    ],
)
def test_unicode_is_recognised_with_and_without_its_mark(inspect, encoding, mark) -> None:
    found = inspect(mark + "name;town\nAda;København\nBen;Oslo\n".encode(encoding))
    assert (found.encoding, found.encoding_sure, found.header) == (encoding, True, ["name", "town"])
    assert found.rows == [["Ada", "København"], ["Ben", "Oslo"]]


def test_an_old_encoding_is_a_guess_that_somebody_should_check(inspect) -> None:
    text = "Name;Straße;Größe\n" + "Jürgen Müller;Königsallee 5;groß\n" * 30
    found = inspect(text.encode("cp1252"))
    assert found.encoding_sure is False
    assert found.rows[0] == ["Jürgen Müller", "Königsallee 5", "groß"]


def test_a_few_broken_lines_leave_a_utf8_file_utf8(inspect) -> None:
    content = "name,town\n" + "Zoë,Malmö\n" * 30
    assert inspect(content.encode() + "Zoë,x\n".encode("latin-1")).encoding == "utf-8"


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_compressed_files_are_known_by_their_content(inspect, pack) -> None:
    found = inspect(pack(b"a,b\n1,2\n"))
    assert (found.compression in ("gz", "xz"), found.header, found.rows) == (
        True,
        ["a", "b"],
        [["1", "2"]],
    )


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b'a,b\n\n1,"x\ny"\n2,z\n', ['1,"x\ny"', "2,z"]),
        (b'{"a":1}\n\nbroken\n{"a":2}\n', ['{"a":1}', '{"a":2}']),
    ],
)
def test_each_first_row_stands_beside_the_text_it_came_from(inspect, content, lines) -> None:
    found = inspect(content)
    assert (found.lines, len(found.rows)) == (lines, 2)


def test_headers_that_would_be_mixed_up_are_told(inspect) -> None:
    assert inspect(b"id,Name,name\n1,2,3\n").problems == [("duplicate_header", "Name")]
    assert inspect(b"id,,name\n1,2,3\n").problems == [("empty_header", "2")]
    assert inspect(b"id,name\n").problems == [("header_only", "")]
    assert inspect(b"everything\n1\n").problems == [("one_column", "everything")]


def test_a_first_line_of_numbers_is_no_header(inspect) -> None:
    found = inspect(b"1,Tea,2011-01-02\n2,Milk,2011-01-03\n")
    assert (found.has_header, found.header) == (False, ["Column 1", "Column 2", "Column 3"])
    assert len(found.rows) == 2


@pytest.mark.parametrize(
    ("samples", "styles"),
    [
        (["2010-12-01 08:26", "2011-01-31"], ["iso"]),
        (["31/12/2010", "01/02/2011"], ["dmy"]),
        (["12/31/2010", "01/02/2011"], ["mdy"]),
        (["01/02/2011", "03/04/2011"], ["dmy", "mdy"]),
        (["2010/12/31 23:59:59"], ["ymd"]),
        (["1291191960", "1291191960123"], ["epoch"]),
        (["yesterday"], []),
        ([], []),
    ],
)
def test_date_forms_that_fit_all_samples(samples, styles) -> None:
    assert detect.date_styles(samples) == styles


def test_the_decimal_mark_is_the_last_mark_before_two_digits() -> None:
    assert detect.decimal_mark(["1.234,56", "7,5"]) == ","
    assert detect.decimal_mark(["1,234.56", "7.5"]) == "."
    assert detect.decimal_mark([]) == "."

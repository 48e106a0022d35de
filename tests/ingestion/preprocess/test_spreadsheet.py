"""Spreadsheets: values only, in the form people see; whatever would act or expand is refused."""

from pathlib import Path

import pytest

from ingestion.preprocess import detect, spreadsheet
from ingestion.preprocess.faults import Unreadable
from tests.ingestion.workbooks import letters, write


def rows(path: Path, **choice) -> list[tuple[int, list[str]]]:
    return list(spreadsheet.rows(path, **choice))


def refused(path: Path) -> str:
    with pytest.raises(Unreadable) as error:
        detect.inspect(path)
    return error.value.code


def test_cells_of_every_kind_become_the_text_people_see(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.xlsx",
        {
            "S": [
                ["name", "n", "date", "moment", "yes", "own", "formula", "error", "inline"],
                [
                    "Ada",
                    2.5499999999999998,
                    ("n", 1, "<v>40548</v>"),
                    ("n", 2, "<v>40548.4375</v>"),
                    ("b", 0, "<v>1</v>"),
                    ("n", 3, "<v>3</v>"),
                    ("str", 0, "<f>A1&amp;&quot;!&quot;</f><v>Ada!</v>"),
                    ("e", 0, "<v>#REF!</v>"),
                    ("inlineStr", 0, "<is><r><t>Love</t></r><r><t>lace</t></r></is>"),
                ],
                [None, 17850],
            ]
        },
    )
    assert rows(path) == [
        (1, ["name", "n", "date", "moment", "yes", "own", "formula", "error", "inline"]),
        (2, ["Ada", "2.55", "2011-01-05", "2011-01-05 10:30:00", "true", "3", "Ada!", "",
             "Lovelace"]),
        (3, ["", "17850"]),
    ]  # fmt: skip


def test_a_cell_in_error_holds_nothing(tmp_path: Path) -> None:
    failed = [("e", 0, f"<v>{text}</v>") for text in ("#N/A", "#DIV/0!", "#NAME?")]
    path = write(tmp_path / "a.xlsx", {"S": [["email", "sku", "note"], failed, failed, ["a"]]})
    assert rows(path) == [(1, ["email", "sku", "note"]), (4, ["a"])]


@pytest.mark.parametrize(
    ("is_1904", "text", "shown"),
    [
        (False, "1", "1900-01-01"),
        (False, "59", "1900-02-28"),
        (False, "61", "1900-03-01"),
        (False, "2958465", "9999-12-31"),
        (False, "2958466", "2958466"),
        (False, "-1", "-1"),
        (False, "0.4375", "10:30:00"),
        (True, "0", "1904-01-01"),
        (True, "39086", "2011-01-05"),
    ],
)
def test_days_are_counted_from_1900_or_from_1904(tmp_path: Path, is_1904, text, shown) -> None:
    day = ("n", 1, f"<v>{text}</v>")
    path = write(tmp_path / "a.xlsx", {"S": [[day]]}, is_1904=is_1904)
    assert rows(path) == [(1, [shown])]


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY a{i} "{f"&a{i - 1 or str()};" * 10}">' for i in range(1, 9))
    + "]><worksheet><sheetData><row><c><v>&a8;</v></c></row></sheetData></worksheet>"
)
OUTSIDE = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>'
    "<sst><si><t>&f;</t></si></sst>"
)


@pytest.mark.parametrize(
    ("part", "markup"),
    [
        ("xl/worksheets/sheet1.xml", BOMB),
        ("xl/sharedStrings.xml", OUTSIDE),
        ("xl/workbook.xml", '<!DOCTYPE x SYSTEM "http://example.com/x.dtd"><workbook/>'),
        ("xl/styles.xml", '<!DOCTYPE x [<!ENTITY % p SYSTEM "file:///etc/passwd">%p;]><x/>'),
    ],
)
def test_entities_that_expand_or_fetch_are_refused(tmp_path: Path, part, markup) -> None:
    path = write(tmp_path / "a.xlsx", {"S": [["a"], ["b"]]}, parts={part: markup})
    assert refused(path) == "unsafe_spreadsheet"


def test_macros_and_links_outside_are_not_looked_at(tmp_path: Path) -> None:
    outside = (
        '<Relationships><Relationship Id="rId1" Target="worksheets/sheet1.xml" '
        'Type="http://x/worksheet"/><Relationship Id="rId9" TargetMode="External" '
        'Type="http://x/worksheet" Target="file:///etc/passwd"/></Relationships>'
    )
    path = write(
        tmp_path / "a.xlsm",
        {"S": [["a", "b"], ["1", "2"]]},
        parts={
            "xl/vbaProject.bin": "Sub AutoOpen()",
            "xl/externalLinks/externalLink1.xml": OUTSIDE,
            "xl/_rels/workbook.xml.rels": outside,
        },
    )
    found = detect.inspect(path)
    assert (found.header, found.rows, found.sheets) == (["a", "b"], [["1", "2"]], ["S"])


@pytest.mark.parametrize(
    "markup",
    [
        "<worksheet><sheetData><row><c r='A1'><v>1</v>",
        "<worksheet><sheetData><row><c r='??1'><v>1</v></c></row></sheetData></worksheet>",
        "<worksheet><sheetData><row><c r='ZZZZ1'><v>1</v></c></row></sheetData></worksheet>",
        "<worksheet><sheetData><row><c t='s'><v>99</v></c></row></sheetData></worksheet>",
        "<worksheet><sheetData><row><c t='s'><v>-1</v></c></row></sheetData></worksheet>",
        "not markup",
    ],
)
def test_damaged_markup_is_told(tmp_path: Path, markup) -> None:
    path = write(tmp_path / "a.xlsx", {"S": [[1]]}, parts={"xl/worksheets/sheet1.xml": markup})
    assert refused(path) == "damaged_spreadsheet"


def test_a_row_below_the_last_one_there_can_be_is_refused(tmp_path: Path) -> None:
    markup = "<worksheet><sheetData><row r='1048577'><c><v>1</v></c></row></sheetData></worksheet>"
    path = write(tmp_path / "a.xlsx", {"S": [[1]]}, parts={"xl/worksheets/sheet1.xml": markup})
    assert refused(path) == "too_many_rows"


def test_markup_that_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    row = "<row><c><v>1</v></c></row>"
    markup = "<worksheet><sheetData>" + row * 1_050_000 + "</sheetData></worksheet>"
    path = write(tmp_path / "a.xlsx", {"S": [[1]]}, parts={"xl/worksheets/sheet1.xml": markup})
    with pytest.raises(Unreadable) as error:
        for _ in spreadsheet.rows(path):
            pass
    assert error.value.code in ("too_much_unpacked", "too_many_rows")


def test_more_columns_than_can_be_mapped_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xlsx", {"S": [[f"c{i}" for i in range(1_001)], ["x"]]})
    assert refused(path) == "too_many_columns"


def test_a_sheet_without_rows_is_empty(tmp_path: Path) -> None:
    assert refused(write(tmp_path / "a.xlsx", {"S": []})) == "empty_file"


def test_a_document_that_is_no_spreadsheet_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "a.docx", {}, parts={"word/document.xml": "<x/>"})
    assert refused(path) in ("empty_file", "no_such_sheet")


def test_letters_count_columns() -> None:
    assert [spreadsheet._column(letters(i)) for i in (0, 25, 26, 701, 702, 16_383)] == [
        0, 25, 26, 701, 702, 16_383,
    ]  # fmt: skip

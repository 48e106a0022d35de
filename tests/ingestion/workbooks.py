"""Spreadsheet files made part by part, so that a test can put into them what no program would."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
TYPES = f'{_HEAD}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'
# styles: 0 general, 1 date, 2 date and time, 3 own form with letters in quotes
STYLES = (
    f'{_HEAD}<styleSheet xmlns="{_MAIN}"><numFmts count="2">'
    '<numFmt numFmtId="164" formatCode="dd/mm/yyyy hh:mm"/>'
    '<numFmt numFmtId="165" formatCode=\'0.00" days"\'/></numFmts>'
    '<cellStyleXfs count="1"><xf numFmtId="14"/></cellStyleXfs>'
    '<cellXfs count="4"><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/>'
    '<xf numFmtId="165"/></cellXfs></styleSheet>'
)


def letters(index: int) -> str:
    """0 → A, 26 → AA."""
    text = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        text = chr(65 + rest) + text
    return text


def cell(reference: str, value: object, shared: list[str]) -> str:
    """One cell; a tuple is (kind, style, markup)."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        kind, style, body = value
        return f'<c r="{reference}" t="{kind}" s="{style}">{body}</c>'
    if isinstance(value, int | float):
        return f'<c r="{reference}"><v>{value}</v></c>'
    if value not in shared:
        shared.append(str(value))
    return f'<c r="{reference}" t="s"><v>{shared.index(str(value))}</v></c>'


def sheet(rows: Sequence[Sequence[object]], shared: list[str]) -> str:
    body = "".join(
        f'<row r="{number}">'
        + "".join(cell(f"{letters(i)}{number}", v, shared) for i, v in enumerate(row))
        + "</row>"
        for number, row in enumerate(rows, 1)
    )
    return f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetData>{body}</sheetData></worksheet>'


def workbook(
    sheets: Mapping[str, Sequence[Sequence[object]]],
    *,
    is_1904: bool = False,
    parts: Mapping[str, str] | None = None,
) -> bytes:
    """The bytes of a workbook; `parts` replace or add parts as they are."""
    shared: list[str] = []
    made = {"[Content_Types].xml": TYPES, "xl/styles.xml": STYLES}
    tabs, relations = "", ""
    for number, (name, rows) in enumerate(sheets.items(), 1):
        made[f"xl/worksheets/sheet{number}.xml"] = sheet(rows, shared)
        tabs += f'<sheet name="{escape(name)}" sheetId="{number}" r:id="rId{number}"/>'
        relations += (
            f'<Relationship Id="rId{number}" Type="{_OFFICE}/worksheet"'
            f' Target="worksheets/sheet{number}.xml"/>'
        )
    made["xl/workbook.xml"] = (
        f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}">'
        f'<workbookPr date1904="{int(is_1904)}"/><sheets>{tabs}</sheets></workbook>'
    )
    made["xl/_rels/workbook.xml.rels"] = (
        f'{_HEAD}<Relationships xmlns="{_PACKAGE}">{relations}</Relationships>'
    )
    texts = "".join(f"<si><t>{escape(text)}</t></si>" for text in shared)
    made["xl/sharedStrings.xml"] = f'{_HEAD}<sst xmlns="{_MAIN}">{texts}</sst>'
    made |= parts or {}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in made.items():
            archive.writestr(name, text)
    return out.getvalue()


def write(path: Path, *args: object, **values: object) -> Path:
    path.write_bytes(workbook(*args, **values))  # type: ignore[arg-type]
    return path

"""Spreadsheets (.xlsx) row by row: values only, memory flat but for the shared texts.

The parts are read with expat, which stops at the first document type or entity, so nothing is
expanded and nothing outside is fetched. Formulas, macros, pictures and links are not looked at.
"""

import posixpath
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from xml.parsers import expat

from ingestion.preprocess import packing
from ingestion.preprocess.faults import Unreadable

ROWS = 1_048_576
COLUMNS = 16_384
TEXTS_LIMIT = 96 << 20  # bytes of shared texts, which have to be kept while reading
PART_RATIO = 800  # markup repeats itself more than a table does
PIECE = 1 << 18
_CLOCK = re.compile(r"[hs]|\[m+\]|am/pm")
_QUOTED = re.compile(r'"[^"]*"|\\.|_.|\[(?![hms]+\])[^\]]*\]')
_BUILT_IN_DATES = {*range(14, 23), *range(27, 37), 45, 46, 47, *range(50, 59)}
_BUILT_IN_CLOCKS = {18, 19, 20, 21, 22, 32, 33, 34, 35, 45, 46, 47, 55, 56}

Start = Callable[[str, dict[str, str]], None]


@dataclass
class Book:
    """What a workbook says about its sheets: name → part, in the order of the tabs."""

    sheets: dict[str, str] = field(default_factory=dict)
    is_1904: bool = False
    styles: list[str] = field(default_factory=list)  # per style: empty, "date" or "clock"


def sheets(path: Path) -> list[str]:
    """Names of the visible sheets."""
    with packing.open_archive(path) as archive:
        return list(_book(archive).sheets)


def rows(path: Path, *, sheet: str = "") -> Iterator[tuple[int, list[str]]]:
    """(row number, texts of its cells) of each row that holds anything. Raises Unreadable."""
    with packing.open_archive(path) as archive:
        book = _book(archive)
        if not book.sheets or (sheet and sheet not in book.sheets):
            raise Unreadable("no_such_sheet", sheet=sheet[:60])
        part = book.sheets[sheet] if sheet else next(iter(book.sheets.values()))
        yield from _Sheet(book, _shared(archive)).read(archive, part)


def _parts(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    try:
        entry = archive.getinfo(name)
        stream = archive.open(entry)
    except (KeyError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise Unreadable("damaged_spreadsheet") from error
    assert archive.fp is not None
    with stream:
        yield from packing.counted(
            stream, archive.fp, PIECE, limit=packing.UNPACKED_LIMIT, ratio=PART_RATIO
        )


def _parse(
    archive: zipfile.ZipFile, name: str, start: Start, end: Any = None, text: Any = None
) -> Iterator[None]:
    """Feed one part to the handlers, piece by piece."""
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def refuse(*_facts: Any) -> None:
        raise Unreadable("unsafe_spreadsheet")

    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse  # type: ignore[assignment]
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    try:
        for piece in _parts(archive, name):
            parser.Parse(piece)
            yield
        parser.Parse(b"", True)
        yield
    except expat.ExpatError as error:
        raise Unreadable("damaged_spreadsheet") from error


def _local(tag: str) -> str:
    return tag.rsplit(":", 1)[-1] if ":" in tag else tag


def _book(archive: zipfile.ZipFile) -> Book:
    book = Book()
    tabs: list[tuple[str, str]] = []
    targets: dict[str, str] = {}

    def workbook(tag: str, given: dict[str, str]) -> None:
        tag = _local(tag)
        if tag == "workbookPr":
            book.is_1904 = given.get("date1904", "") in ("1", "true")
        elif tag == "sheet" and given.get("state", "visible") == "visible":
            reference = next((v for k, v in given.items() if _local(k) == "id" and ":" in k), "")
            tabs.append((given.get("name", ""), reference))

    def relation(tag: str, given: dict[str, str]) -> None:
        is_sheet = given.get("Type", "").endswith("/worksheet")
        if _local(tag) == "Relationship" and is_sheet and given.get("TargetMode") != "External":
            target = posixpath.normpath(posixpath.join("/xl", given.get("Target", "")))
            targets[given.get("Id", "")] = target.lstrip("/")

    for _ in _parse(archive, "xl/workbook.xml", workbook):
        pass
    for _ in _parse(archive, "xl/_rels/workbook.xml.rels", relation):
        pass
    book.sheets = {name: targets[reference] for name, reference in tabs if reference in targets}
    if "xl/styles.xml" in archive.namelist():
        book.styles = _styles(archive)
    return book


def _styles(archive: zipfile.ZipFile) -> list[str]:
    codes: dict[int, str] = {}
    found: list[str] = []
    inside = False

    def start(tag: str, given: dict[str, str]) -> None:
        nonlocal inside
        tag = _local(tag)
        if tag == "numFmt":
            number = given.get("numFmtId", "")
            if number.isdecimal() and len(number) < 6:
                codes[int(number)] = given.get("formatCode", "")
        elif tag == "cellXfs":
            inside = True
        elif tag == "xf" and inside:
            number = given.get("numFmtId", "0")
            number = number if number.isdecimal() and len(number) < 6 else "0"
            found.append(_form(int(number), codes.get(int(number), "")))

    def end(tag: str) -> None:
        nonlocal inside
        inside = inside and _local(tag) != "cellXfs"

    for _ in _parse(archive, "xl/styles.xml", start, end):
        pass
    return found


def _form(number: int, code: str) -> str:
    """Whether a number form shows a date, a moment or a plain number."""
    if code:
        bare = _QUOTED.sub("", code.split(";")[0].lower())
        if not re.search(r"[ymdhs]", bare) or "general" in bare:
            return ""
        return "clock" if _CLOCK.search(bare) else "date"
    if number in _BUILT_IN_CLOCKS:
        return "clock"
    return "date" if number in _BUILT_IN_DATES else ""


def _shared(archive: zipfile.ZipFile) -> list[str]:
    """The texts that cells name by number."""
    if "xl/sharedStrings.xml" not in archive.namelist():
        return []
    texts: list[str] = []
    parts: list[str] = []
    inside = phonetic = False
    size = 0

    def start(tag: str, _given: dict[str, str]) -> None:
        nonlocal inside, phonetic
        tag = _local(tag)
        if tag == "rPh":
            phonetic = True
        elif tag == "t":
            inside = not phonetic

    def end(tag: str) -> None:
        nonlocal inside, phonetic, size
        tag = _local(tag)
        if tag == "t":
            inside = False
        elif tag == "rPh":
            phonetic = False
        elif tag == "si":
            text = "".join(parts)
            parts.clear()
            size += len(text) + 60
            if size > TEXTS_LIMIT:
                raise Unreadable("spreadsheet_too_large")
            texts.append(text)

    def data(text: str) -> None:
        nonlocal size
        if inside:
            if size + len(text) > TEXTS_LIMIT:
                raise Unreadable("spreadsheet_too_large")
            parts.append(text)

    for _ in _parse(archive, "xl/sharedStrings.xml", start, end, data):
        pass
    return texts


class _Sheet:
    """The handlers of one worksheet."""

    def __init__(self, book: Book, shared: list[str]) -> None:
        self.book, self.shared = book, shared
        self.done: list[tuple[int, list[str]]] = []
        self.number = 0
        self.row: list[str] = []
        self.column = 0
        self.kind = self.style = ""
        self.text: list[str] = []
        self.inside = False
        self.size = 0

    def read(self, archive: zipfile.ZipFile, part: str) -> Iterator[tuple[int, list[str]]]:
        for _ in _parse(archive, part, self.start, self.end, self.data):
            if self.done:
                yield from self.done
                self.done = []

    def start(self, tag: str, given: dict[str, str]) -> None:
        tag = _local(tag)
        if tag == "c":
            reference = given.get("r", "")
            index = _column(reference.rstrip("0123456789")) if reference else len(self.row)
            if not 0 <= index < COLUMNS:
                raise Unreadable("damaged_spreadsheet")
            self.column = index
            self.kind, self.style = given.get("t", "n"), given.get("s", "")
            self.text.clear()
        elif tag == "v" or tag == "t":
            self.inside = True
        elif tag == "row":
            number = given.get("r", "")
            self.number = int(number) if number.isdecimal() else self.number + 1
            if self.number > ROWS:
                raise Unreadable("too_many_rows", limit=ROWS)
            self.row, self.size = [], 0
        elif tag == "rPh":
            self.kind = "phonetic"

    def data(self, text: str) -> None:
        if self.inside:
            self.size += len(text)
            if self.size > 4 << 20:
                raise Unreadable("spreadsheet_too_large")
            self.text.append(text)

    def end(self, tag: str) -> None:
        tag = _local(tag)
        if tag == "v" or tag == "t":
            self.inside = False
        elif tag == "c" and self.text:
            row = self.row
            while len(row) <= self.column:
                row.append("")
            row[self.column] = self.value("".join(self.text))
        elif tag == "row" and any(self.row):
            self.done.append((self.number, self.row))

    def value(self, text: str) -> str:
        if self.kind == "s":
            if not text.isdecimal() or int(text) >= len(self.shared):
                raise Unreadable("damaged_spreadsheet")
            return self.shared[int(text)]
        if self.kind == "b":
            return "true" if text == "1" else "false"
        if self.kind == "e":
            return ""  # #N/A and the like: nothing is known
        if self.kind != "n":
            return text
        styles = self.book.styles
        form = (
            styles[int(self.style)]
            if self.style.isdecimal() and int(self.style) < len(styles)
            else ""
        )
        return moment(text, form, is_1904=self.book.is_1904) if form else number(text)


@lru_cache(maxsize=1024)
def _column(letters: str) -> int:
    """`A` → 0, `AA` → 26; -1 for anything else."""
    index = 0
    for letter in letters:
        if not "A" <= letter <= "Z" or len(letters) > 3:
            return -1
        index = index * 26 + ord(letter) - 64
    return index - 1


def number(text: str) -> str:
    """A stored number as a spreadsheet shows it: 2.5499999999999998 → 2.55."""
    if text.isascii() and text.lstrip("-").isdigit():
        return text
    try:
        return format(float(text), ".15g")
    except ValueError:
        return text


def moment(text: str, form: str, *, is_1904: bool) -> str:
    """A day number as a date or a moment in ISO form; what is no day is left as it is.

    The 1900 calendar counts a 29 February 1900 that never was, so days before March are one off.
    """
    try:
        days = float(text)
        if not 0 <= days < 2_958_466:
            return text
    except ValueError:
        return text
    if days < 1 and not is_1904:
        form, base = "time", datetime(1899, 12, 31)  # noqa: DTZ001
    elif is_1904:
        base = datetime(1904, 1, 1)  # noqa: DTZ001
    else:
        base = datetime(1899, 12, 30 if days >= 61 else 31)  # noqa: DTZ001
    try:
        at = base + timedelta(seconds=round(days * 86_400, 3))
    except OverflowError:
        return text
    if form == "time":
        return f"{at:%H:%M:%S}"
    if form == "date" and at.time() == datetime.min.time():
        return f"{at:%Y-%m-%d}"
    return f"{at:%Y-%m-%d %H:%M:%S}" + (f".{at.microsecond // 1000:03d}" if at.microsecond else "")

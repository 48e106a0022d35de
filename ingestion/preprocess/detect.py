"""What a stranger's file is: compression, encoding, delimiter, header, date format, decimal mark.

Everything found here is a suggestion that a person sees and may change before anything is stored.
Only the first megabyte is looked at, except that UTF-8 is checked further in.
"""

import codecs
import contextlib
import csv
import itertools
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC
from pathlib import Path

import charset_normalizer
import orjson

from ingestion.preprocess import jsonlines, packing, reading, spreadsheet, values
from ingestion.preprocess.faults import Unreadable

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = 1 << 20
CHECKED = 64 << 20  # bytes that are checked to be UTF-8
ROWS = 200
COLUMNS = 1000
FEW, NEARLY_ALL = 10, 0.9
DELIMITERS = (",", ";", "\t", "|")
ENCODINGS = (
    "utf-8",
    "cp1252",
    "utf-16-le",
    "utf-16-be",
    "gb18030",
    "shift_jis",
    "euc_kr",
    "big5",
    "iso8859_2",
    "cp1250",
    "cp1251",
)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, ""),
    (codecs.BOM_UTF32_BE, ""),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_KINDS = {
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"%PDF": "a PDF",
    b"MZ": "a program",
    b"\x7fELF": "a program",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet",
    b"Rar!": "a RAR archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"SQLite format 3": "a database",
    b"{\\rtf": "a text document",
}


@dataclass(frozen=True)
class Detected:
    """`rows` are the first records after the header. `sure` is False where a person should look."""

    compression: str
    encoding: str
    encoding_sure: bool
    delimiter: str
    has_header: bool
    header: list[str]
    rows: list[list[str]]
    problems: list[tuple[str, str]] = field(default_factory=list)
    format: str = "csv"  # csv, jsonl, parquet or xlsx
    members: list[str] = field(default_factory=list)  # tables in a zip archive
    member: str = ""
    sheets: list[str] = field(default_factory=list)
    sheet: str = ""
    lines: list[str] = field(default_factory=list)  # the first lines as they came


def inspect(
    path: Path,
    *,
    encoding: str = "",
    delimiter: str = "",
    has_header: bool | None = None,
    member: str = "",
    sheet: str = "",
    trusted: bool = False,
) -> Detected:
    """Look at a file; what is given is used instead of guessed. Raises Unreadable."""
    with path.open("rb") as file:
        packed = file.read(16)
    if not packed:
        raise Unreadable("empty_file")
    compression = packing.kind_of(packed)
    members = packing.members(path)
    member = member or next(iter(members), "")
    is_workbook = compression == "zip" and not members
    head = b"" if is_workbook else next(packing.pieces(path, SAMPLE, member=member), b"")
    if head.startswith(b"PAR1"):
        found = _parquet(path, member)
    elif is_workbook or head.startswith(packing.ZIP):
        found = _workbook(path, member, sheet, has_header)
    else:
        if not head.strip():
            raise Unreadable("empty_file")
        _refuse_binary(head, encoding)
        if compression and not trusted:
            packing.probe(path, member=member)
        found = _text(path, head, encoding, delimiter, has_header, member)
    if len(found.header) > COLUMNS:
        raise Unreadable("too_many_columns", columns=len(found.header), limit=COLUMNS)
    return replace(
        found,
        compression="" if is_workbook else compression,
        members=members,
        member=member,
        rows=[[cell[:500] for cell in row] for row in found.rows[:ROWS]],
    )


def _parquet(path: Path, member: str) -> Detected:
    """Looked into by another process: the library for it is large, and the file a stranger's."""
    with packing.unpacked(path, member=member) as bare:
        command = [sys.executable, "-m", "ingestion.preprocess.parquet", str(bare), str(ROWS)]
        try:
            done = subprocess.run(
                command, cwd=ROOT, capture_output=True, timeout=60, check=False, close_fds=True
            )
        except subprocess.TimeoutExpired as error:
            raise Unreadable("damaged_parquet") from error
    if done.returncode or not done.stdout:
        raise Unreadable("damaged_parquet")
    answer = orjson.loads(done.stdout)
    if "code" in answer:
        raise Unreadable(answer["code"])
    header = [" ".join(name.split()) for name in answer["header"]]
    problems = _problems(header, answer["rows"], True, False)
    return _table("parquet", header, answer["rows"], problems)


def _workbook(path: Path, member: str, sheet: str, has_header: bool | None) -> Detected:
    with packing.unpacked(path, member=member) as bare:
        with packing.open_archive(bare) as archive:
            if not packing.is_workbook(archive):
                code = "nested_archive" if member else "not_a_table"
                raise Unreadable(code, what="an archive")
        sheets = spreadsheet.sheets(bare)
        stream = spreadsheet.rows(bare, sheet=sheet)
        rows = [row for _, row in itertools.islice(stream, ROWS + 1)]
    if not rows:
        raise Unreadable("empty_file")
    header_row = _looks_like_header(rows) if has_header is None else has_header
    width = len(rows[0]) if header_row else max(map(len, rows))
    rows = [row + [""] * (width - len(row)) for row in rows]
    header, body = _split_header(rows, header_row)
    problems = _problems(header, body, header_row, False)
    found = _table("xlsx", header, body, problems)
    return replace(
        found, has_header=header_row, sheets=sheets, sheet=sheet or next(iter(sheets), "")
    )


def _table(
    form: str, header: list[str], rows: list[list[str]], problems: list[tuple[str, str]]
) -> Detected:
    problems = [problem for problem in problems if problem[0] != "one_column"]
    return Detected("", "utf-8", True, ",", True, header, rows, problems, form)


def _split_header(rows: list[list[str]], header_row: bool) -> tuple[list[str], list[list[str]]]:
    if header_row:
        return [" ".join(name.split()) for name in rows[0]], rows[1:]
    return [f"Column {i}" for i in range(1, len(rows[0]) + 1)], rows


def _objects(lines: list[str]) -> tuple[list[str], list[list[str]], list[str]] | None:
    """Columns, rows and their lines of JSON Lines; None when the first line is no object."""
    values_: list[dict[str, object]] = []
    shown: list[str] = []
    for line in lines:
        if not line.strip():
            continue
        try:
            values_.append(jsonlines.parse(line.encode()))
            shown.append(line.strip()[:500])
        except (jsonlines.Broken, UnicodeEncodeError):
            if not values_:
                return None
    header = jsonlines.names(values_)
    rows = [[jsonlines.pick(v, name) for name in header] for v in values_[: ROWS + 1]]
    return header, rows, shown[: ROWS + 1]


def _text(
    path: Path,
    head: bytes,
    encoding: str,
    delimiter: str,
    has_header: bool | None,
    member: str,
) -> Detected:
    found, sure = (encoding, True) if encoding else _encoding(path, head, member)
    text = _decode(head, found)
    sample = text.splitlines(keepends=True)
    cut_off = len(head) == SAMPLE
    if cut_off and len(sample) > 1:
        sample.pop()
    start = text.lstrip()[:2_000]
    if start.startswith("{") and (objects := _objects(sample)):
        header, rows, lines = objects
        problems = _problems(header, rows, False, False)
        table = _table("jsonl", header, rows, problems)
        return replace(table, encoding=found, encoding_sure=sure, lines=lines)
    if re.match(r"\[\s*\{", start):
        raise Unreadable("json_array")
    delimiter = delimiter or _delimiter(sample)
    found_rows = _records(sample, delimiter)
    rows = [row for _, row in found_rows]
    if not rows:
        raise Unreadable("empty_file")
    header_row = _looks_like_header(rows) if has_header is None else has_header
    header, body = _split_header(rows, header_row)
    return Detected(
        "",
        found,
        sure,
        delimiter,
        header_row,
        header,
        body,
        _problems(header, body, header_row, cut_off),
        lines=[line for line, _ in found_rows[1 if header_row else 0 :]],
    )


def _refuse_binary(head: bytes, encoding: str) -> None:
    for magic, what in _KINDS.items():
        if head.startswith(magic):
            raise Unreadable("not_a_table", what=what)
    start = head[:512].lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise Unreadable("not_a_table", what="a web page or XML")
    if encoding.startswith("utf-16") or head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return
    piece = head[:65_536]
    odd = sum(piece.count(byte) for byte in range(32) if byte not in (9, 10, 12, 13, 27))
    if odd > len(piece) * 0.01 and not _wide(piece):
        raise Unreadable("not_a_table", what="not text")


def _wide(piece: bytes) -> str:
    """UTF-16 without a mark: nearly every other byte is zero."""
    if len(piece) < 4:
        return ""
    half = len(piece) // 2
    if piece[1::2].count(0) > half * 0.4 and piece[0::2].count(0) < half * 0.1:
        return "utf-16-le"
    if piece[0::2].count(0) > half * 0.4 and piece[1::2].count(0) < half * 0.1:
        return "utf-16-be"
    return ""


def _encoding(path: Path, head: bytes, member: str) -> tuple[str, bool]:
    for mark, name in _BOMS:
        if head.startswith(mark):
            if not name:
                raise Unreadable("utf32")
            return name, True
    if name := _wide(head[:65_536]):
        return name, True
    if bad := _first_not_utf8(path, member):
        guess = charset_normalizer.from_bytes(
            bad, cp_isolation=[name for name in ENCODINGS if not name.startswith("utf")]
        ).best()
        name = guess.encoding if guess else "cp1252"
        return _commoner(bad, name), False
    return "utf-8", True


def _commoner(lines: bytes, name: str) -> str:
    """The commonest of the encodings that read these lines alike."""
    if name in ("cp1250", "iso8859_2", "cp1251"):
        with contextlib.suppress(UnicodeDecodeError):
            if lines.decode("cp1252") == lines.decode(name):
                return "cp1252"
    return name


def _first_not_utf8(path: Path, member: str) -> bytes:
    """Lines which are not ASCII, when the checked part is mostly not UTF-8; else nothing.

    A file that is UTF-8 but for a few broken lines stays UTF-8: those lines are quarantined.
    """
    other: list[bytes] = []
    broken = fine = 0
    stream = packing.pieces(path, reading.BLOCK, member=member, trusted=True)
    for part in itertools.islice(stream, CHECKED // reading.BLOCK):
        if part.isascii():
            continue
        for line in part.splitlines()[:-1] or [part]:
            if line.isascii():
                continue
            try:
                line.decode()
                fine += 1
            except UnicodeDecodeError:
                broken += 1
                if len(other) < 2000:
                    other.append(line[:2000])
    return b"\n".join(other) if broken > fine else b""


def _decode(head: bytes, encoding: str) -> str:
    try:
        text = codecs.getincrementaldecoder(encoding)("replace").decode(head)
    except LookupError as error:
        raise Unreadable("unknown_encoding", encoding=encoding) from error
    return text.removeprefix("\ufeff")


def _delimiter(lines: Sequence[str]) -> str:
    """The mark that splits most of the first lines into the same number (over one) of fields."""
    best, best_score = ",", 0.0
    for mark in DELIMITERS:
        widths = Counter(len(row) for row in _rows(lines[:100], mark))
        if not widths:
            continue
        width, hits = max(widths.items(), key=lambda item: (item[1] * min(item[0], 50), item[0]))
        score = 0.0 if width < 2 else hits / sum(widths.values()) * (1 + min(width, 50) / 100)
        if score > best_score:
            best, best_score = mark, score
    return best


def _rows(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    return [row for _, row in _records(lines, delimiter)]


def _records(lines: Sequence[str], delimiter: str) -> list[tuple[str, list[str]]]:
    """Up to ROWS + 1 records with their text, lenient: a broken quote spoils one line only."""
    found: list[tuple[str, list[str]]] = []
    index = 0
    while index < len(lines) and len(found) <= ROWS:
        take = 1
        if lines[index].count('"') % 2:
            ahead = lines[index + 1 : index + 20]
            close = next((i for i, line in enumerate(ahead, 1) if line.count('"') % 2), 0)
            joined = "".join(lines[index : index + close + 1]) if close else ""
            if joined and _strict(joined, delimiter) is not None:
                take = close + 1
        record = "".join(lines[index : index + take])
        if record.strip("\r\n"):
            row = _strict(record, delimiter)
            text = record.rstrip("\r\n")
            found.append((text[:500], [cell[:500] for cell in row or text.split(delimiter)]))
        index += take
    return found


def _strict(record: str, delimiter: str) -> list[str] | None:
    try:
        return next(
            csv.reader(record.splitlines(keepends=True), delimiter=delimiter, strict=True), None
        )
    except csv.Error:
        return None


def _looks_like_header(rows: list[list[str]]) -> bool:
    """No cell of the first row is empty or a number or a date."""
    first = rows[0]
    if all(not cell.strip() for cell in first):
        return False
    typed = [cell for cell in first if values.plain_number(cell) is not None or date_styles([cell])]
    return not typed


def _problems(
    header: list[str], body: list[list[str]], has_header: bool, cut_off: bool
) -> list[tuple[str, str]]:
    """(code, detail) of what makes the header or the file unfit to import."""
    found: list[tuple[str, str]] = []
    if has_header:
        twice = [name for name, n in Counter(h.casefold() for h in header if h).items() if n > 1]
        if twice:
            shown = [next(h for h in header if h.casefold() == name) for name in twice]
            found.append(("duplicate_header", ", ".join(shown[:5])))
        empty = [str(i) for i, name in enumerate(header, 1) if not name]
        if empty:
            found.append(("empty_header", ", ".join(empty[:5])))
    if not body and not cut_off:
        found.append(("header_only", ""))
    if len(header) == 1:
        found.append(("one_column", header[0][:60]))
    return found


def date_styles(samples: Sequence[str]) -> list[str]:
    """The styles which read every sample, likeliest first; several if day and month may swap.

    Where none reads them all, those that read nearly all: a table has its odd line.
    """
    texts = [text for text in samples if text.strip()]
    if not texts:
        return []
    read = {
        style: sum(values.moment(text, style, UTC)[0] is not None for text in texts)
        for style in values.FORMATS
    }
    best = max(read.values())
    if best < len(texts) and (len(texts) < FEW or best < len(texts) * NEARLY_ALL):
        return []
    return [style for style, hits in read.items() if hits == best]


def decimal_mark(samples: Sequence[str]) -> str:
    """`,` when the samples are numbers with a decimal comma, else `.`."""
    texts = [text.strip() for text in samples if text.strip()]
    comma = sum(re.search(r"\d,\d{1,2}(\D*)$", text) is not None for text in texts)
    point = sum(re.search(r"\d\.\d{1,2}(\D*)$", text) is not None for text in texts)
    return "," if comma > point else "."

"""Bytes of any compression and encoding → blocks of whole lines in UTF-8 with LF, memory flat.

A line longer than LINE_LIMIT is dropped while it streams past and reported as a fault, so a field
of 50 MB costs no more memory than a short one. A line that does not decode is a fault with the
offset of the byte, never a question mark.
"""

from codecs import BOM_UTF8, getincrementaldecoder
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ingestion.preprocess import packing
from ingestion.preprocess.faults import Fault, show

BLOCK = 2 << 20
LINE_LIMIT = 1 << 20
GONE = b"\0\n"  # stands where a line was given up, so that no record goes on across it
WIDE = ("utf-16", "utf-16-le", "utf-16-be")


@dataclass
class Block:
    """Whole lines: UTF-8, each ended by LF. `first_line` is the number of the first (from 1)."""

    data: bytes
    first_line: int
    faults: list[Fault] = field(default_factory=list)
    last: bool = False


def blocks(
    path: Path,
    *,
    encoding: str = "utf-8",
    size: int | None = None,
    member: str = "",
    trusted: bool = False,
) -> Iterator[Block]:
    """The file as blocks of whole lines; the same file gives the same blocks every time."""
    size = size or BLOCK
    line, skipped, carry, dropped = 1, 0, b"", b""
    faults: list[Fault] = []
    stream = packing.pieces(path, size, member=member, trusted=trusted)
    for text, final in _unix_lines(stream, encoding):
        data = carry + text
        if dropped:
            cut = data.find(b"\n")
            if cut < 0 and not final:
                skipped += len(data)
                carry = b""
                continue
            end = len(data) if cut < 0 else cut + 1
            facts = {"megabytes": max(1, round((skipped + end) / 1e6))}
            faults.append(Fault(line, show(dropped), "line_too_long", "", facts))
            line, dropped, data = line + 1, b"", data[end:]
        if final and data and not data.endswith(b"\n"):
            data += b"\n"
        cut = data.rfind(b"\n") + 1
        whole, carry = data[:cut], data[cut:]
        if len(carry) > LINE_LIMIT:
            dropped, skipped, carry = carry[:2000], len(carry), b""
        block = Block(whole, line, faults, final)
        faults = []
        _drop_long(block)
        if encoding not in WIDE:
            _decode(block, encoding)
        else:
            _drop_marked(block)
        line += whole.count(b"\n")
        if block.data or block.faults or final:
            yield block


def _unix_lines(stream: Iterator[bytes], encoding: str) -> Iterator[tuple[bytes, bool]]:
    """Pieces with CRLF and CR turned into LF, and whether this is the last one."""
    decoder = getincrementaldecoder(encoding)("replace") if encoding in WIDE else None
    held, first = b"", True
    for piece in stream:
        text = held + (decoder.decode(piece).encode() if decoder else piece)
        if first and len(text) < len(BOM_UTF8):
            held = text
            continue
        if first:
            text, first = text.removeprefix(BOM_UTF8), False
        held = b"\r" if text.endswith(b"\r") else b""
        if held:
            text = text[:-1]
        yield _with_lf(text), False
    rest = held + (decoder.decode(b"", final=True).encode() if decoder else b"")
    yield _with_lf(rest.removeprefix(BOM_UTF8) if first else rest), True


def _with_lf(text: bytes) -> bytes:
    if b"\r" in text:
        return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return text


def _drop_long(block: Block) -> None:
    """Take out whole lines over the limit that came within one piece."""
    if len(block.data) <= LINE_LIMIT or not _has_long(block.data):
        return
    for number, raw in enumerate(block.data.splitlines(keepends=True), block.first_line):
        if len(raw) > LINE_LIMIT:
            facts = {"megabytes": max(1, round(len(raw) / 1e6))}
            block.faults.append(Fault(number, show(raw[:2000]), "line_too_long", "", facts))
            block.data = block.data.replace(raw, GONE, 1)


def _has_long(data: bytes) -> bool:
    """Whether a line is over the limit, its end included."""
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == 10)
    return not len(ends) or int(np.diff(ends, prepend=-1, append=len(data)).max()) > LINE_LIMIT


def _decode(block: Block, encoding: str) -> None:
    """Make the block UTF-8. Lines that do not decode leave a mark behind and a fault."""
    utf8 = encoding in ("utf-8", "utf-8-sig", "ascii")
    try:
        text = block.data.decode("utf-8" if utf8 else encoding)
    except UnicodeDecodeError:
        _decode_by_line(block, "utf-8" if utf8 else encoding)
    else:
        if not utf8:
            block.data = text.encode()


def _decode_by_line(block: Block, encoding: str) -> None:
    kept: list[bytes] = []
    for number, raw in enumerate(block.data.splitlines(keepends=True), block.first_line):
        try:
            kept.append(raw.decode(encoding).encode())
        except UnicodeDecodeError as error:
            facts = {
                "encoding": encoding,
                "byte": error.start + 1,
                "value": f"0x{raw[error.start]:02x}",
            }
            block.faults.append(Fault(number, show(raw), "undecodable", "", facts))
            kept.append(GONE)
    block.data = b"".join(kept)


def _drop_marked(block: Block) -> None:
    """In UTF-16 a broken pair was replaced while streaming: the lines that hold it are faults."""
    mark = "\N{REPLACEMENT CHARACTER}".encode()
    if mark not in block.data:
        return
    kept: list[bytes] = []
    for number, raw in enumerate(block.data.splitlines(keepends=True), block.first_line):
        if mark in raw:
            facts = {"encoding": "utf-16", "byte": raw.index(mark) + 1, "value": "?"}
            block.faults.append(Fault(number, show(raw), "undecodable", "", facts))
        kept.append(GONE if mark in raw else raw)
    block.data = b"".join(kept)

"""Packed files: gzip, xz and zip, unpacked while they are read and never believed.

What an archive says about its sizes is used to refuse it sooner, never to let it pass: bytes are
counted as they come out, against what went in.
"""

import gzip
import lzma
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, cast

from ingestion.preprocess.faults import Unreadable

PIECE = 4 << 20
UNPACKED_LIMIT = 16 << 30
RATIO_LIMIT = 250  # unpacked bytes per packed byte once past FREE_BYTES: no real table is that dull
FREE_BYTES = 32 << 20
MEMBERS_LIMIT = 1_000
DIRECTORY_LIMIT = 4 << 20
ZIP = b"PK\x03\x04"
_MAGIC = {b"\x1f\x8b": "gz", b"\xfd7zXZ\x00": "xz", ZIP: "zip", b"PK\x05\x06": "zip"}
_NESTED = (*_MAGIC, b"7z\xbc\xaf", b"Rar!", b"BZh")
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_DAMAGED = (
    gzip.BadGzipFile, lzma.LZMAError, zipfile.BadZipFile, zlib.error, EOFError, OSError,
    struct.error, NotImplementedError, RuntimeError, ValueError, OverflowError,
)  # fmt: skip


def kind_of(head: bytes) -> str:
    """`gz`, `xz`, `zip` or an empty text, by the first bytes, whatever the file is called."""
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), "")


def kind_of_file(path: Path) -> str:
    """As kind_of, for a file."""
    with path.open("rb") as file:
        return kind_of(file.read(6))


def open_archive(path: Path) -> zipfile.ZipFile:
    """A zip whose entries are few, plain files, apart from each other. Raises Unreadable."""
    _refuse_crowded(path)
    try:
        archive = zipfile.ZipFile(path)
    except _DAMAGED as error:
        raise Unreadable("damaged_archive") from error
    try:
        end = 0
        for entry in sorted(archive.infolist(), key=lambda entry: entry.header_offset):
            _refuse_entry(entry)
            if entry.header_offset < end:
                raise Unreadable("unsafe_archive")
            end = entry.header_offset + 30 + entry.compress_size
        if end > archive.start_dir:
            raise Unreadable("unsafe_archive")
    except BaseException:
        archive.close()
        raise
    return archive


def _refuse_crowded(path: Path) -> None:
    """Read how many entries there are before anything makes a list of them."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - 66_000))
        tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        raise Unreadable("damaged_archive")
    entries, directory = struct.unpack_from("<HI", tail, at + 10)
    wide = tail.rfind(b"PK\x06\x06")
    if wide >= 0 and len(tail) >= wide + 56:
        entries = max(entries, struct.unpack_from("<Q", tail, wide + 32)[0])
    if entries > MEMBERS_LIMIT or (directory > DIRECTORY_LIMIT and directory != 0xFFFFFFFF):
        raise Unreadable("too_many_members", limit=MEMBERS_LIMIT)


def _refuse_entry(entry: zipfile.ZipInfo) -> None:
    name = entry.orig_filename
    parts = name.replace("\\", "/").split("/")
    is_link = (entry.external_attr >> 16) & 0o170000 == 0o120000
    if ".." in parts or name.startswith(("/", "\\")) or ":" in parts[0] or "\0" in name or is_link:
        raise Unreadable("unsafe_archive")
    if entry.flag_bits & 0x41:
        raise Unreadable("encrypted_archive")
    if entry.compress_type not in _METHODS:
        raise Unreadable("damaged_archive")


def tables_in(archive: zipfile.ZipFile) -> list[str]:
    """Names of the files inside that may be tables, without what systems leave behind."""
    return sorted(
        entry.filename
        for entry in archive.infolist()
        if not entry.is_dir()
        and not entry.filename.startswith("__MACOSX/")
        and not entry.filename.rsplit("/", 1)[-1].startswith(".")
    )


def is_workbook(archive: zipfile.ZipFile) -> bool:
    """Whether a zip is a spreadsheet of the kind that ends in .xlsx."""
    names = set(archive.namelist())
    return "[Content_Types].xml" in names and any(name.startswith("xl/") for name in names)


def members(path: Path) -> list[str]:
    """The tables in a zip; empty for every other file and for a spreadsheet."""
    if kind_of_file(path) != "zip":
        return []
    with open_archive(path) as archive:
        if is_workbook(archive):
            return []
        if "mimetype" in archive.namelist():
            raise Unreadable("not_a_table", what="an OpenDocument file")
        found = tables_in(archive)
    if not found:
        raise Unreadable("empty_archive")
    return found


def pieces(
    path: Path,
    size: int = PIECE,
    *,
    member: str = "",
    trusted: bool = False,
    limit: int | None = None,
) -> Iterator[bytes]:
    """Unpacked bytes in pieces of `size`. Raises Unreadable for a bomb or a damaged archive.

    `trusted`: a file that we packed ourselves is not held to be a bomb for being dull.
    """
    limit = UNPACKED_LIMIT if limit is None else limit
    kind = kind_of_file(path)
    if kind == "zip":
        with open_archive(path) as archive:
            if not is_workbook(archive):
                yield from _member_pieces(archive, member, size, limit)
                return
    with path.open("rb") as file:
        stream: IO[bytes] = file
        if kind == "gz":
            stream = cast(BinaryIO, gzip.open(file))  # noqa: SIM115 `file` is closed
        elif kind == "xz":
            stream = cast(BinaryIO, lzma.LZMAFile(file))  # noqa: SIM115
        ratio = 0 if trusted or kind in ("", "zip") else RATIO_LIMIT
        yield from counted(stream, file, size, limit=limit, ratio=ratio, nested=bool(kind))


def _member_pieces(archive: zipfile.ZipFile, member: str, size: int, limit: int) -> Iterator[bytes]:
    found = tables_in(archive)
    name = member or next(iter(found), "")
    if name not in found:
        raise Unreadable("no_such_member" if member else "empty_archive", member=member[:100])
    entry = archive.getinfo(name)
    dull = entry.file_size > FREE_BYTES and entry.file_size > entry.compress_size * RATIO_LIMIT
    if entry.file_size > limit or dull:
        raise Unreadable("too_much_unpacked", gigabytes=round(limit / (1 << 30)))
    try:
        stream = archive.open(entry)
    except _DAMAGED as error:
        raise Unreadable("damaged_archive") from error
    with stream:
        file = cast(BinaryIO, archive.fp)
        yield from counted(stream, file, size, limit=limit, ratio=RATIO_LIMIT, nested=True)


def counted(
    stream: IO[bytes],
    file: IO[bytes],
    size: int,
    *,
    limit: int,
    ratio: int,
    nested: bool = False,
) -> Iterator[bytes]:
    """Pieces of `stream`, while what it made of the bytes read from `file` stays within reason."""
    total, start, first = 0, file.tell(), True
    while True:
        try:
            piece = stream.read(size)
            packed = max(file.tell() - start, 1)
        except _DAMAGED as error:
            raise Unreadable("damaged_archive") from error
        if not piece:
            return
        if first and nested and piece.startswith(_NESTED) and not piece.startswith(ZIP):
            raise Unreadable("nested_archive")
        first = False
        total += len(piece)
        if total > limit or (ratio and total > FREE_BYTES and total > packed * ratio):
            raise Unreadable("too_much_unpacked", gigabytes=round(limit / (1 << 30)))
        yield piece


def probe(path: Path, *, member: str = "") -> None:
    """Read as far as a bomb needs to show itself. Raises Unreadable."""
    seen = 0
    for piece in pieces(path, member=member):
        seen += len(piece)
        if seen > FREE_BYTES + 2 * PIECE:
            return


@contextmanager
def unpacked(path: Path, *, member: str = "", trusted: bool = False) -> Iterator[Path]:
    """A path where the bare content lies, for readers that jump about; gone afterwards."""
    kind = kind_of_file(path)
    if not kind or (kind == "zip" and not members(path)):
        yield path
        return
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix="unpacked-") as copy:
        for piece in pieces(path, member=member, trusted=trusted):
            copy.write(piece)
        copy.flush()
        yield Path(copy.name)

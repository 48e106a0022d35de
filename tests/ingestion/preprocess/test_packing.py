"""Packed files are unpacked while they are read; a bomb or a trap is refused in time."""

import gzip
import io
import lzma
import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from ingestion.preprocess import detect, packing
from ingestion.preprocess.faults import Unreadable

ROWS = b"order,sku,qty\n" + b"1,A,2\n" * 50


def refused(path: Path) -> str:
    """The code with which a look at the file is refused; nothing lies beside it afterwards."""
    with pytest.raises(Unreadable) as error:
        detect.inspect(path)
    assert [other.name for other in path.parent.iterdir()] == [path.name]
    return error.value.code


def archive(path: Path, entries: dict[str, bytes], **facts: int) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, body in entries.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = facts.get("attributes", 0)
            made.writestr(entry, body)
    return path


def deflated(line: bytes, gigabytes: int) -> tuple[bytes, int, int]:
    """A long run of one line, deflated; with its checksum and length."""
    piece = line * ((1 << 20) // len(line))
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    # The packed form of one full flush repeats itself, so ten gigabytes take no time to make.
    packer.compress(piece)
    packer.flush(zlib.Z_FULL_FLUSH)
    body = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
    count = gigabytes << 10
    return body * count + packer.flush(zlib.Z_FINISH), 0, len(piece) * count


def bomb_zip(path: Path, *, told: int | None = None) -> Path:
    """A zip of about ten megabytes that unpacks to ten gigabytes of tidy rows."""
    body, crc, length = deflated(b"1,A,2\n", 10)
    name, told = b"rows.csv", length if told is None else told
    wide = struct.pack("<HHQQ", 1, 16, told, len(body))
    head = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 45, 0, 8, 0, 0, crc, 2**32 - 1, 2**32 - 1,
                       len(name), len(wide))  # fmt: skip
    central = struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", 45, 45, 0, 8, 0, 0, crc, 2**32 - 1,
                          2**32 - 1, len(name), len(wide), 0, 0, 0, 0, 0)  # fmt: skip
    start = len(head) + len(name) + len(wide) + len(body)
    directory = central + name + wide
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 1, 1, len(directory), start, 0)
    with path.open("wb") as file:
        for part in (head, name, wide, body, directory, end):
            file.write(part)
    return path


def test_a_zip_of_ten_megabytes_that_unpacks_to_ten_gigabytes_is_refused(tmp_path: Path) -> None:
    path = bomb_zip(tmp_path / "bomb.zip")
    assert 8_000_000 < path.stat().st_size < 60_000_000
    assert refused(path) == "too_much_unpacked"


def test_a_bomb_that_says_it_is_small_is_refused_while_it_unpacks(tmp_path: Path) -> None:
    path = bomb_zip(tmp_path / "liar.zip", told=5_000_000)
    seen: list[int] = []
    with pytest.raises(Unreadable):
        seen.extend(len(piece) for piece in packing.pieces(path))
    assert sum(seen) < 100_000_000


@pytest.mark.parametrize("kind", ["gz", "xz"])
def test_a_gzip_or_xz_bomb_is_refused(tmp_path: Path, kind) -> None:
    path = tmp_path / f"bomb.{kind}"
    with gzip.open(path, "wb") if kind == "gz" else lzma.open(path, "wb", preset=0) as file:
        for _ in range(100):
            file.write(b"1,A,2\n" * 174_763)
    assert refused(path) == "too_much_unpacked"


def test_a_file_we_packed_ourselves_may_be_dull(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    with gzip.open(path, "wb") as file:
        for _ in range(40):
            file.write(b"1,A,2\n" * 174_763)
    with pytest.raises(Unreadable):
        list(packing.pieces(path))
    assert sum(map(len, packing.pieces(path, trusted=True))) == 40 * 174_763 * 6


@pytest.mark.parametrize(
    "name", ["../rows.csv", "/etc/rows.csv", "a/../../rows.csv", "..\\rows.csv", "C:rows.csv"]
)
def test_an_archive_whose_names_lead_out_of_it_is_refused(tmp_path: Path, name) -> None:
    assert refused(archive(tmp_path / "a.zip", {name: ROWS})) == "unsafe_archive"


def test_an_archive_with_a_link_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"rows.csv": b"/etc/passwd"}, attributes=0o120777 << 16)
    assert refused(path) == "unsafe_archive"


def test_a_locked_archive_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"rows.csv": ROWS})
    body = bytearray(path.read_bytes())
    body[6] |= 1
    body[body.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(bytes(body))
    assert refused(path) == "encrypted_archive"


@pytest.mark.parametrize(
    "inner",
    [gzip.compress(ROWS, mtime=0), lzma.compress(ROWS), b"7z\xbc\xaf\x27\x1c" + b"x" * 50],
)
def test_an_archive_in_an_archive_is_refused(tmp_path: Path, inner) -> None:
    assert refused(archive(tmp_path / "a.zip", {"rows.csv": inner})) == "nested_archive"
    path = tmp_path / "a.zip"
    path.unlink()
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(inner))
    assert refused(path) == "nested_archive"


def test_a_zip_in_a_zip_is_refused(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as made:
        made.writestr("rows.csv", ROWS)
    path = archive(tmp_path / "a.zip", {"rows.zip": inner.getvalue()})
    assert refused(path) == "nested_archive"


def test_an_archive_of_a_million_entries_is_refused_by_its_count_alone(tmp_path: Path) -> None:
    path = tmp_path / "many.zip"
    entry = struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0,
                        0, 0, 0) + b"a"  # fmt: skip
    size = len(entry) * 1_000_000
    wide = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 1_000_000, 1_000_000, size, 4)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, 4 + size, 1)
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 2**32 - 1, 2**32 - 1, 0)
    path.write_bytes(b"PK\3\4" + entry * 1_000_000 + wide + locator + end)
    assert refused(path) == "too_many_members"


def test_members_that_overlap_are_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"a.csv": ROWS, "b.csv": ROWS})
    body = bytearray(path.read_bytes())
    second = body.index(b"PK\1\2", body.index(b"PK\1\2") + 4)
    body[second + 42 : second + 46] = struct.pack("<I", 0)  # both begin at the start
    path.write_bytes(bytes(body))
    assert refused(path) == "unsafe_archive"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"PK\x03\x04 cut off", "damaged_archive"),
        (b"PK\x05\x06" + bytes(18), "empty_archive"),
        (b"\x1f\x8b\x08broken", "damaged_archive"),
        (gzip.compress(ROWS * 100, mtime=0)[:-20], "damaged_archive"),
        (b"\xfd7zXZ\x00broken", "damaged_archive"),
    ],
)
def test_a_damaged_archive_is_told_as_damaged(tmp_path: Path, content, code) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    assert refused(path) == code


@pytest.mark.parametrize("cut", range(0, 400, 7))
def test_an_archive_cut_anywhere_is_refused_or_read_never_a_crash(tmp_path: Path, cut) -> None:
    path = archive(tmp_path / "a.zip", {"rows.csv": ROWS, "x/": b""})
    path.write_bytes(path.read_bytes()[: -cut or None])
    try:
        assert detect.inspect(path).header == ["order", "sku", "qty"]
    except Unreadable:
        assert cut


def test_unpacking_for_readers_that_jump_about_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(ROWS))
    with packing.unpacked(path) as bare:
        assert bare.read_bytes() == ROWS
    assert [other.name for other in tmp_path.iterdir()] == ["a.gz"]

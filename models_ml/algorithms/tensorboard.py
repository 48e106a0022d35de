"""Training curves as event files that TensorBoard reads, without needing it.

A file is a row of records: the length, its masked CRC-32C, the bytes, their masked CRC-32C. The
bytes are a protocol buffer `Event` with the time (1), the step (2) and either the version of the
format (3) or a summary (5) of values (1), each with a tag (1) and a float (2).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

Scalar = tuple[str, int, float]
VERSION = b"brain.Event:2"
_POLYNOMIAL = 0x82F63B78


def _table() -> tuple[int, ...]:
    out = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (_POLYNOMIAL if crc & 1 else 0)
        out.append(crc)
    return tuple(out)


_TABLE = _table()


def write(folder: Path, scalars: Iterable[Scalar], *, at: float) -> Path:
    """One event file in `folder`; `at` is seconds since 1970 and dates every point."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"events.out.tfevents.{int(at)}.perennial"
    time = b"\x09" + struct.pack("<d", at)
    records = [time + _bytes(3, VERSION)]
    for tag, step, value in scalars:
        one = _bytes(1, tag.encode()) + b"\x15" + struct.pack("<f", value)
        records.append(time + b"\x10" + _varint(step) + _bytes(5, _bytes(1, one)))
    path.write_bytes(b"".join(_record(body) for body in records))
    return path


def scalars_of(details: dict[str, Any]) -> Iterator[Scalar]:
    """Every curve in a version's details: a recommender's epochs, a contest's networks."""
    history = details.get("history")
    for epoch in history.get("epochs", []) if isinstance(history, dict) else []:
        yield "loss", int(epoch["number"]), float(epoch["loss"])
        if epoch.get("score") is not None:
            yield "score", int(epoch["number"]), float(epoch["score"])
    table = details.get("table")
    for row in table if isinstance(table, list) else []:
        for point in row.get("curve") or [] if isinstance(row, dict) else []:
            step = int(point["epoch"])
            for name in sorted(set(point) - {"epoch"}):
                yield f"{row['name']}/{name}", step, float(point[name])


def _record(body: bytes) -> bytes:
    length = struct.pack("<Q", len(body))
    return length + _checked(length) + body + _checked(body)


def _checked(body: bytes) -> bytes:
    crc = 0xFFFFFFFF
    for byte in body:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def _bytes(field: int, body: bytes) -> bytes:
    return bytes([field << 3 | 2]) + _varint(len(body)) + body


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])

"""Fetched rows on disk: packed JSON Lines, durable batch by batch.

Every batch is a packed member of its own, so that what a killed worker had written after its last
commit is cut off at a byte and the rest stays a sound file.
"""

import gzip
import os
import uuid
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings

from ingestion.imports import uploads

_OPTIONS = orjson.OPT_NON_STR_KEYS
_LEVEL = 2  # half the time of the usual level for a file that is a little larger


def new_path() -> str:
    """A name for a new spool file, relative to the uploads."""
    return f"{uploads.FOLDER}/{uuid.uuid4().hex}"


def place(path: str) -> Path:
    """Where a spool file lies."""
    return Path(settings.MEDIA_ROOT) / path


def plain(value: Any) -> Any:
    """A value that JSON has no form for: exact numbers as written, the rest as text."""
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f")) if value.is_finite() else None
    if isinstance(value, UUID | timedelta):
        return str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    if isinstance(value, int):
        return str(value)  # longer than a machine word
    return str(value)


def packed(rows: Sequence[dict[str, Any]]) -> bytes:
    """Rows as one packed member. Unpaired surrogates, which no text may hold, are replaced."""
    lines = []
    for row in rows:
        try:
            lines.append(orjson.dumps(row, default=plain, option=_OPTIONS))
        except TypeError:
            lines.append(orjson.dumps(_mended(row), default=plain, option=_OPTIONS))
    return gzip.compress(b"\n".join(lines) + b"\n", _LEVEL, mtime=0)


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_mended(str(name)): _mended(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mended(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**64:
        return str(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return value


class Spool:
    """One file, written from a known length on."""

    def __init__(self, path: str, *, length: int) -> None:
        target = place(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(target, os.O_RDWR | os.O_CREAT, 0o600)
        found = os.fstat(self._file).st_size
        if found < length:
            os.close(self._file)
            raise FileNotFoundError(f"{target.name} is shorter than what was committed of it")
        os.ftruncate(self._file, length)
        os.lseek(self._file, length, os.SEEK_SET)
        self.length = length

    def add(self, rows: Sequence[dict[str, Any]]) -> int:
        """Write rows and wait until the disk has them; the length of the file then."""
        data = memoryview(packed(rows))
        while data:
            data = data[os.write(self._file, data) :]
        os.fsync(self._file)
        self.length = os.lseek(self._file, 0, os.SEEK_CUR)
        return self.length

    def close(self) -> None:
        os.close(self._file)


def discard(path: str) -> None:
    """Remove a spool file, if there is one."""
    if path:
        place(path).unlink(missing_ok=True)

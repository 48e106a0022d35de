"""What PostgreSQL does better than the ORM: COPY, advisory locks, statement time-outs."""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import RawIOBase
from typing import Any

from django.db import connection, transaction


class _LineReader(RawIOBase):
    """A file made of an iterable of bytes, so COPY reads while rows are still being produced."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._rest) < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            self._rest += chunk
        if size < 0:
            size = len(self._rest)
        out, self._rest = self._rest[:size], self._rest[size:]
        return out


def copy_rows(
    cursor: Any, table: str, columns: Sequence[str], chunks: Iterable[bytes], options: str = ""
) -> None:
    """COPY text-format rows (tab separated, newline ended, \\N for null) into `table`.

    `chunks` are bytes holding any number of whole rows; `options` such as "FORMAT csv".
    """
    names = ", ".join(f'"{name}"' for name in columns)
    suffix = f" WITH ({options})" if options else ""
    cursor.copy_expert(f'COPY "{table}" ({names}) FROM STDIN{suffix}', _LineReader(chunks), 1 << 18)


_SESSION_LOCKS = 0x484F4C44  # a namespace of our own among session-level locks


@contextmanager
def advisory_lock(name: str, *, wait: bool = True) -> Iterator[bool]:
    """A lock of this transaction, by name; yields whether it was got."""
    key = zlib.crc32(name.encode())
    with transaction.atomic(), connection.cursor() as cursor:
        if wait:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [key])
            yield True
        else:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [key])
            yield bool(cursor.fetchone()[0])


@contextmanager
def holding(name: str) -> Iterator[bool]:
    """A lock of this session, by name, for work that talks to others meanwhile; whether got."""
    key = zlib.crc32(name.encode())
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_SESSION_LOCKS, key - 2**31])
        mine = bool(cursor.fetchone()[0])
    try:
        yield mine
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_SESSION_LOCKS, key - 2**31])


@contextmanager
def statement_timeout(milliseconds: int) -> Iterator[None]:
    """Give up on any statement in this block that runs longer; raises OperationalError then."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = %s", [milliseconds])
        yield

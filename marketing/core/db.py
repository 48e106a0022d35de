"""What PostgreSQL does better than the ORM: COPY, advisory locks, statement time-outs, races."""

import logging
import random
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import RawIOBase
from typing import Any, TypeVar

from django.db import OperationalError, connection, transaction

T = TypeVar("T")
logger = logging.getLogger(__name__)
TRIES = 5
RACES = ("40001", "40P01")  # serialization failure, deadlock


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


# What COPY's binary form begins and ends with.
COPY_HEAD, COPY_TAIL = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"

# A text that begins with a day that there is; PostgreSQL itself tells that from release 16 on.
DAY_THERE_IS = (
    "^(?!0000)(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    "|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)"
)

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


def patiently(work: Callable[[], T]) -> T:
    """Do it again where PostgreSQL ended it to resolve a race: five times at most, then its error.

    Within a transaction nothing of it stands any more, so there the error is raised at once.
    """
    for attempt in range(1, TRIES):
        try:
            return work()
        except OperationalError as error:
            code = getattr(error.__cause__, "pgcode", "")
            if code not in RACES or connection.in_atomic_block:
                raise
            logger.warning("lost a race (%s), try %d of %d", code, attempt, TRIES)
        # Whoever met here once does not meet again at the same moment.
        time.sleep(random.uniform(0.5, 1.0) * 0.02 * 2**attempt)
    return work()

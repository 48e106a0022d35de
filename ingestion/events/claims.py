"""The ledger of message ids: each id of a source counts once, for at least 35 days.

The same id with the same content is a duplicate, with other content a conflict. The ledger keeps
hashes alone (128 bits for source and id, 64 for the content): chance never makes two ids one.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from ingestion.events.incoming import CONFLICT, DUPLICATE, STORED, key_of
from marketing.core.db import copy_rows

LEAST_DAYS = 35
STAGED_FROM = 2_000  # ids from which COPY into a staging table beats arrays
STRIDE = 256  # pages of 8 KB looked through at once
WALKED_WHOLE = 16 * STRIDE  # pages of a ledger that one look goes through
# Of a larger one, a slice each ten minutes. A day has a few of these more, so that a machine that
# is off at the same hours every day comes by the others, too.
SLICES = 139
_STAGING = """
CREATE TEMP TABLE IF NOT EXISTS event_keys (key uuid, digest bigint) ON COMMIT DELETE ROWS
"""
# In the order of keys, so that two writers never wait for each other in a ring.
_INSERT = (
    "INSERT INTO ingestion_eventkey (key, digest, at) SELECT key, digest, %s FROM {}"
    " ORDER BY key ON CONFLICT (key) DO NOTHING RETURNING key::text"
)


def claim(*, keys: Sequence[str], digests: Sequence[int], now: datetime) -> list[str]:
    """Enter keys into the ledger within the caller's transaction; an outcome for each."""
    first: dict[str, int] = {}
    for index, key in enumerate(keys):
        first.setdefault(key, index)
    with connection.cursor() as cursor:
        if len(first) < STAGED_FROM:
            pairs = array(first), array(digests[i] for i in first.values())
            source = "unnest(%s::uuid[], %s::bigint[]) AS n (key, digest)"
            cursor.execute(_INSERT.format(source), [now, *pairs])
        else:
            cursor.execute(_STAGING)
            cursor.execute("TRUNCATE event_keys")
            rows = "".join([f"{key}\t{digests[i]}\n" for key, i in first.items()])
            copy_rows(cursor, "event_keys", ("key", "digest"), [rows.encode()])
            cursor.execute(_INSERT.format("event_keys"), [now])
        new = cursor.rowcount
        if new == len(keys):
            return [STORED] * new
        fresh = {row[0].replace("-", "") for row in cursor.fetchall()}
    known = look_up(key for key in first if key not in fresh)
    return [
        STORED
        if first[key] == index and key in fresh
        else judge(digest, known.get(key, digests[first[key]]))
        for index, (key, digest) in enumerate(zip(keys, digests, strict=True))
    ]


def judge(digest: int, known: int) -> str:
    """What a repeated id is: the same call again, or another one under its name."""
    return DUPLICATE if digest == known else CONFLICT


def look_up(keys: Iterable[str]) -> Mapping[str, int]:
    """The digests that the ledger holds for these keys."""
    wanted = array(keys)
    if wanted == "{}":
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT key::text, digest FROM ingestion_eventkey WHERE key = ANY(%s::uuid[])", [wanted]
        )
        return {key.replace("-", ""): digest for key, digest in cursor.fetchall()}


def taken(*, source: str, message_ids: Iterable[str]) -> set[str]:
    """Which of these message ids of a source the ledger holds already."""
    names = {key_of(source, name): name for name in message_ids}
    return {names[key] for key in look_up(names)}


def release(*, named: Iterable[tuple[str, str]]) -> None:
    """Forget that these (source, message id) were taken."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM ingestion_eventkey WHERE key = ANY(%s::uuid[])",
            [array(key_of(source, message_id) for source, message_id in named)],
        )


def prune(*, now: datetime) -> int:
    """Delete what is older than the setting says; how many ids went.

    A small ledger is looked through whole, of a large one the slice whose turn it is: asked every
    ten minutes, this comes by everything once a day.
    """
    before = now - timedelta(days=max(LEAST_DAYS, int(settings.EVENT_ID_DAYS)))
    total = 0
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_relation_size('ingestion_eventkey') / current_setting('block_size')::int"
        )
        pages = int(cursor.fetchone()[0])
        for first, end in _turn(pages, now):
            cursor.execute(
                "DELETE FROM ingestion_eventkey"
                " WHERE ctid >= %s::tid AND ctid < %s::tid AND at < %s",
                [f"({first},0)", f"({end},0)", before],
            )
            total += cursor.rowcount
    return total


def _turn(pages: int, now: datetime) -> list[tuple[int, int]]:
    """The runs of pages to look through now, each from its first to before its end."""
    first, end = 0, pages
    if pages > WALKED_WHOLE:
        turn = int(now.timestamp() // 600) % SLICES
        first, end = pages * turn // SLICES, pages * (turn + 1) // SLICES
    return [(page, min(page + STRIDE, end)) for page in range(first, end, STRIDE)]


def array(values: Iterable[Any]) -> str:
    """A PostgreSQL array of plain words or numbers, as text."""
    return "{" + ",".join(map(str, values)) + "}"

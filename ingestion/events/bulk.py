"""The ledger's claim for tens of thousands of ids at once, held as arrays. For workers."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
from django.db import IntegrityError, connection, transaction
from numpy.typing import NDArray

from ingestion.events import claims
from marketing.core.db import COPY_HEAD, COPY_TAIL, copy_rows

_STAGING = """
CREATE TEMP TABLE IF NOT EXISTS event_claims (key uuid, digest bigint, place int)
ON COMMIT DELETE ROWS
"""
# In the order of keys, so that two writers never wait for each other in a ring.
_INSERT = """
WITH fresh AS (
    INSERT INTO ingestion_eventkey (key, digest, at)
    SELECT key, digest, %s FROM event_claims ORDER BY key
    ON CONFLICT (key) DO NOTHING RETURNING key
)
SELECT place FROM event_claims c WHERE NOT EXISTS (SELECT FROM fresh f WHERE f.key = c.key)
"""
_KNOWN = """
SELECT c.place, k.digest FROM event_claims c JOIN ingestion_eventkey k USING (key)
WHERE c.place = ANY(%s::int[])
"""
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # from which PostgreSQL counts


class Claimed(NamedTuple):
    """Places of what was claimed. `fresh` is None where everything was."""

    fresh: NDArray[np.int64] | None
    conflicts: NDArray[np.int64]
    stored: int
    duplicates: int


def claim(*, keys: Any, digests: NDArray[np.int64], now: datetime, hopeful: bool = True) -> Claimed:
    """Enter keys of 16 bytes into the ledger within the caller's transaction.

    Who is `hopeful` that none is there yet has them copied straight in first. Where one is, that
    is undone, and done again with a look at each.
    """
    count = len(keys)
    order, first = _sorted(keys)
    own = order[first[order] == order]
    if hopeful and _copied(keys, digests, own, now):
        taken: Any = np.zeros(0, np.int64)
        known = digests[first]
    else:
        taken, known = _inserted(keys, digests, own, now)
        known = known[first]
    if not len(taken) and len(own) == count:
        return Claimed(None, np.zeros(0, np.int64), count, 0)
    fresh = first == np.arange(count)
    fresh[taken] = False
    conflicts = np.flatnonzero(~fresh & (digests != known))
    stored = int(fresh.sum())
    return Claimed(np.flatnonzero(fresh), conflicts, stored, count - stored - len(conflicts))


def _copied(keys: Any, digests: Any, own: Any, now: datetime) -> bool:
    """Whether none of the keys was there, and all are now."""
    at = np.full(len(keys), (now - _EPOCH) // timedelta(microseconds=1), np.int64)
    columns = {"key": keys[own], "digest": digests[own], "at": at[own]}
    try:
        with (
            connection.wrap_database_errors,
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            _copy(cursor, "ingestion_eventkey", columns)
    except IntegrityError:
        return False
    return True


def _inserted(keys: Any, digests: Any, own: Any, now: datetime) -> tuple[Any, Any]:
    """The places whose keys the ledger held already, and its digests in all places."""
    known = digests.copy()
    places = own.astype(np.int32)
    columns = {"key": keys[own], "digest": digests[own], "place": places}
    with connection.cursor() as cursor:
        cursor.execute(_STAGING)
        cursor.execute("TRUNCATE event_claims")
        _copy(cursor, "event_claims", columns)
        cursor.execute(_INSERT, [now])
        taken = np.array([row[0] for row in cursor.fetchall()], np.int64)
        if len(taken):
            cursor.execute(_KNOWN, [claims.array(taken.tolist())])
            for place, digest in cursor.fetchall():
                known[place] = digest
    return taken, known


def _sorted(keys: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The places in the order of keys, and where the key of each stands for the first time."""
    halves = keys.view(">u8").reshape(-1, 2).astype(np.uint64)
    order = np.lexsort((halves[:, 1], halves[:, 0]))  # equal ones keep their order
    ordered = halves[order]
    starts = np.ones(len(keys), bool)
    starts[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    first = np.empty(len(keys), np.int64)
    first[order] = order[np.maximum.accumulate(np.where(starts, np.arange(len(keys)), 0))]
    return order, first


def _copy(cursor: Any, table: str, columns: Mapping[str, Any]) -> None:
    """COPY columns in the binary format."""
    fields: list[tuple[str, str]] = [("fields", ">i2")]
    for name, values in columns.items():
        form = f"V{values.itemsize}" if values.dtype.kind == "V" else f">i{values.itemsize}"
        fields += [(f"size of {name}", ">i4"), (name, form)]
    records = np.empty(len(next(iter(columns.values()))), np.dtype(fields))
    records["fields"] = len(columns)
    for name, values in columns.items():
        records[f"size of {name}"], records[name] = values.itemsize, values
    copy_rows(
        cursor, table, tuple(columns), [COPY_HEAD, records.tobytes(), COPY_TAIL], "FORMAT binary"
    )

"""What came in and what became of it, per source: received = stored + duplicate + quarantined."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction

MERGED_AFTER = timedelta(minutes=10)


@dataclass(frozen=True)
class Ledger:
    """Events of one source. `waiting` are accepted and not yet judged: they stand in the inbox."""

    source: str
    received: int
    stored: int
    duplicate: int
    quarantined: int
    waiting: int

    @property
    def adds_up(self) -> bool:
        """Whether every event that was judged is in exactly one place."""
        return self.received == self.stored + self.duplicate + self.quarantined


def add(
    *, source: str, door: str, now: datetime, received: int, stored: int, duplicate: int = 0
) -> None:
    """Note what became of a batch, in the transaction that stores it. The rest was quarantined."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ingestion_eventtally (source, door, at, received, stored, duplicate,"
            " quarantined) VALUES (%s, %s, %s, %s, %s, %s, %s)",
            [source, door, now, received, stored, duplicate, received - stored - duplicate],
        )


_LEDGERS = """
SELECT source, sum(received)::bigint, sum(stored)::bigint, sum(duplicate)::bigint,
    sum(quarantined)::bigint, sum(waiting)::bigint
FROM (
    SELECT source, received, stored, duplicate, quarantined, 0 AS waiting
    FROM ingestion_eventtally WHERE %(source)s IS NULL OR source = %(source)s
    UNION ALL
    SELECT source, 0, 0, 0, 0, items
    FROM ingestion_inbox WHERE %(source)s IS NULL OR source = %(source)s
) t GROUP BY source ORDER BY source
"""


def ledgers() -> list[Ledger]:
    """One ledger per source that ever sent an event."""
    with connection.cursor() as cursor:
        cursor.execute(_LEDGERS, {"source": None})
        return [Ledger(*row) for row in cursor.fetchall()]


def ledger(source: str) -> Ledger:
    """The ledger of one source; zeroes where it sent nothing."""
    with connection.cursor() as cursor:
        cursor.execute(_LEDGERS, {"source": source})
        row = cursor.fetchone()
    return Ledger(*row) if row else Ledger(source, 0, 0, 0, 0, 0)


def merge(*, now: datetime) -> int:
    """Make one row per source, door and hour of those that are done with; how many went."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('ingestion_eventtally'))")
        cursor.execute(
            "WITH gone AS (DELETE FROM ingestion_eventtally t USING ("
            "   SELECT source, door, date_trunc('hour', at) AS hour FROM ingestion_eventtally"
            "   WHERE at < %(until)s GROUP BY 1, 2, 3 HAVING count(*) > 1) h"
            " WHERE t.source = h.source AND t.door = h.door"
            " AND date_trunc('hour', t.at) = h.hour AND t.at < %(until)s RETURNING t.*),"
            " kept AS (INSERT INTO ingestion_eventtally (source, door, at, received, stored,"
            "   duplicate, quarantined) SELECT source, door, date_trunc('hour', at), sum(received),"
            "   sum(stored), sum(duplicate), sum(quarantined) FROM gone GROUP BY 1, 2, 3)"
            " SELECT count(*) FROM gone",
            {"until": now - MERGED_AFTER},
        )
        return int(cursor.fetchone()[0])

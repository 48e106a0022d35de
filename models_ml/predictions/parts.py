"""The table of scores in parts, one a prediction: exchanged whole, and the former one kept.

What the version before said stays in a table of the same shape, so that going back to it takes an
exchange and no scoring. When a part is to be exchanged, readers of other predictions wait for it as
long as PATIENCE at most; if the table stays busy, rows are replaced inside the part that serves.
"""

import io
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import OperationalError, connection, transaction

TABLE, FORMER = "models_ml_score", "models_ml_formerscore"
COLUMNS = "prediction_id, customer_id, value, low, high, percentile, version_id"
KEY = "PRIMARY KEY (prediction_id, customer_id) INCLUDE (value, percentile)"
PATIENCE, TRIES = "400ms", 5
LOCK_CODES = ("55P03", "40P01")


def replace(*, prediction_id: int, body: memoryview, as_of: datetime) -> None:
    """Let these rows (COPY's binary form) serve; the caller holds a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        part = _name(prediction_id)
        cursor.execute(
            f"CREATE TABLE {part} (LIKE {TABLE} INCLUDING DEFAULTS,"
            f" CHECK (prediction_id = {int(prediction_id)}))"
        )
        cursor.copy_expert(
            f"COPY {part} ({COLUMNS}) FROM STDIN (FORMAT binary, FREEZE)", io.BytesIO(body), 1 << 20
        )
        cursor.execute(f"ALTER TABLE {part} ADD {KEY}")
        cursor.execute(f"COMMENT ON TABLE {part} IS %s", [as_of.isoformat()])
        cursor.execute(f"ANALYZE {part}")
        if _serve(cursor, prediction_id, part):
            return
        cursor.execute(f"DELETE FROM {TABLE} WHERE prediction_id = %s", [prediction_id])
        cursor.execute(f"INSERT INTO {TABLE} ({COLUMNS}) SELECT {COLUMNS} FROM {part}")
        cursor.execute(f"DROP TABLE {part}")


def take_back(*, prediction_id: int, version_id: int) -> tuple[int, datetime] | None:
    """Let the former rows serve if they are this version's: how many, and as of when they speak.

    None when they are not, or the table is too busy; nothing was changed then.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        part = _part(cursor, FORMER, prediction_id)
        if part is None or _version(cursor, part) != version_id:
            return None
        cursor.execute("SELECT obj_description(%s::regclass)", [part])
        said = cursor.fetchone()[0]
        cursor.execute(f"ALTER TABLE {FORMER} DETACH PARTITION {part}")
        if not said or not _serve(cursor, prediction_id, part):
            transaction.set_rollback(True)
            return None
        cursor.execute(f"SELECT count(*) FROM {part}")
        count: int = cursor.fetchone()[0]
    return count, datetime.fromisoformat(said)


def drop(*, prediction_id: int, must: bool = False) -> bool:
    """Take all rows of a prediction away, the former ones too.

    Parts are dropped, which takes no longer for a million rows than for one. False when readers
    stayed in the way and nothing was changed; with `must` the rows are deleted one by one then.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        if _patiently(cursor, lambda: _drop(cursor, prediction_id)):
            return True
        if must:
            cursor.execute("SET LOCAL statement_timeout = 0")
            for table in (TABLE, FORMER):
                cursor.execute(f"DELETE FROM {table} WHERE prediction_id = %s", [prediction_id])
    return must


def _drop(cursor: Any, prediction_id: int) -> None:
    for table in (TABLE, FORMER):
        if part := _part(cursor, table, prediction_id):
            cursor.execute(f"DROP TABLE {part}")
    cursor.execute(f"DELETE FROM {TABLE}_rest WHERE prediction_id = %s", [prediction_id])


def let_go(*, prediction_id: int, milliseconds: int = 0) -> int:
    """Take out who was erased, merged, or said no to profiling while everybody was scored: how
    many. OperationalError where that takes longer than `milliseconds`, if they are given.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = %s", [milliseconds])
        cursor.execute(
            f"DELETE FROM {TABLE} AS s WHERE s.prediction_id = %s AND NOT EXISTS ("
            " SELECT FROM ingestion_customer AS c"
            " WHERE c.id = s.customer_id AND c.merged_into_id IS NULL)",
            [prediction_id],
        )
        gone: int = cursor.rowcount
        cursor.execute(
            f"DELETE FROM {TABLE} AS s USING ingestion_consent AS x"
            " WHERE s.prediction_id = %s AND x.customer_id = s.customer_id"
            " AND x.purpose = 'profiling' AND x.current AND NOT x.granted",
            [prediction_id],
        )
        return gone + cursor.rowcount


def _name(prediction_id: int) -> str:
    return f"{TABLE}_p{int(prediction_id)}_{uuid.uuid4().hex[:8]}"


def _serve(cursor: Any, prediction_id: int, part: str) -> bool:
    """Exchange the part that serves for this one; False when readers stayed in the way."""
    return _patiently(cursor, lambda: _exchange(cursor, prediction_id, part))


def _patiently(cursor: Any, work: Callable[[], None]) -> bool:
    """Do what nobody may read during, when nobody does; False when somebody always did."""
    for attempt in range(TRIES):
        try:
            with transaction.atomic():
                cursor.execute(f"SET LOCAL lock_timeout = '{PATIENCE}'")
                work()
                cursor.execute("SET LOCAL lock_timeout = 0")
        except OperationalError as error:
            if getattr(error.__cause__, "pgcode", None) not in LOCK_CODES:
                raise
        else:
            return True
        time.sleep(0.05 * 2**attempt)
    return False


def _exchange(cursor: Any, prediction_id: int, part: str) -> None:
    values = f"FOR VALUES IN ({int(prediction_id)})"
    serving = _part(cursor, TABLE, prediction_id)
    if serving is None:
        cursor.execute(f"DELETE FROM {TABLE}_rest WHERE prediction_id = %s", [prediction_id])
    else:
        cursor.execute(f"ALTER TABLE {TABLE} DETACH PARTITION {serving}")
        if _version(cursor, serving) in (None, _version(cursor, part)):
            cursor.execute(f"DROP TABLE {serving}")
        else:
            if older := _part(cursor, FORMER, prediction_id):
                cursor.execute(f"DROP TABLE {older}")
            cursor.execute(f"ALTER TABLE {FORMER} ATTACH PARTITION {serving} {values}")
    cursor.execute(f"ALTER TABLE {TABLE} ATTACH PARTITION {part} {values}")


def _part(cursor: Any, table: str, prediction_id: int) -> str | None:
    """The part of a table that holds a prediction, if it has one of its own."""
    cursor.execute(
        "SELECT c.oid::regclass::text FROM pg_inherits AS i"
        " JOIN pg_class AS c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = %s::regclass"
        " AND pg_get_expr(c.relpartbound, c.oid) = %s",
        [table, f"FOR VALUES IN ('{int(prediction_id)}')"],
    )
    row = cursor.fetchone()
    return row[0] if row else None


def _version(cursor: Any, part: str) -> int | None:
    """Whose word the rows of a part are; None when it is empty."""
    cursor.execute(f"SELECT version_id FROM {part} LIMIT 1")
    row = cursor.fetchone()
    return row[0] if row else None

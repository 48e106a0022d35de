"""The months of the event table: made when first needed, listed, dropped, and thinned by type."""

import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial

from django.db import connection, transaction
from django.utils.translation import gettext as _

from ingestion import changes
from marketing.core.errors import NotFound

TABLE = "ingestion_event"
AHEAD = timedelta(days=31)
OLDEST = 2000  # years before share one partition, so that wrong clocks cannot make hundreds
_BEFORE = f"{TABLE}_before_{OLDEST}"
_MONTH = re.compile(rf"{TABLE}_(\d{{4}})_(\d{{2}})")
_known: dict[str, set[tuple[int, int]]] = {}
_lock = threading.Lock()


@dataclass(frozen=True)
class Partition:
    """One month's table. `rows` is the planner's estimate; `first` is None for all before 2000."""

    name: str
    first: date | None
    rows: int
    bytes: int


def ensure_months(moments: Iterable[datetime]) -> None:
    """Make the monthly partitions that these moments need."""
    ensure({(m.year, m.month) for m in (x.astimezone(UTC) for x in moments)})


def prepare(*, now: datetime) -> None:
    """Make the present month and the next one, so that no event has to wait for its month."""
    with transaction.atomic():
        ensure_months([now, now + AHEAD])


def ensure(months: Iterable[tuple[int, int]]) -> None:
    """Make the partitions of these (year, month) in UTC, where they do not stand yet.

    What stands is remembered per database; a month that is dropped meanwhile is made again by the
    caller's next try, after `forget`.
    """
    wanted = {(year, month) if year >= OLDEST else (0, 0) for year, month in months}
    name = str(connection.settings_dict["NAME"])
    missing = sorted(wanted - _known.get(name, set()))
    if not missing:
        return
    for year, month in missing:
        _make(year, month)
    # What this transaction made or found may be its own and still be rolled back.
    transaction.on_commit(partial(_remember, name, missing))


def forget() -> None:
    """Ask the database again which months stand."""
    with _lock:
        _known.clear()


def _remember(name: str, months: Iterable[tuple[int, int]]) -> None:
    with _lock:
        _known[name] = _known.get(name, set()) | set(months)


def _make(year: int, month: int) -> None:
    name = f"{TABLE}_{year:04d}_{month:02d}" if year else _BEFORE
    low = f"'{year:04d}-{month:02d}-01Z'" if year else "MINVALUE"
    high = f"'{year + month // 12:04d}-{month % 12 + 1:02d}-01Z'" if year else f"'{OLDEST}-01-01Z'"
    if _stands(name):
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('ingestion_event_months'))")
        if _stands(name):
            return
        # Made aside and then attached: CREATE … PARTITION OF would lock all events out meanwhile.
        cursor.execute(
            f"CREATE TABLE {name} (LIKE {TABLE} INCLUDING DEFAULTS INCLUDING CONSTRAINTS"
            " INCLUDING STORAGE INCLUDING COMPRESSION)"
        )
        cursor.execute(
            f"ALTER TABLE {TABLE} ATTACH PARTITION {name} FOR VALUES FROM ({low}) TO ({high})"
        )


def _stands(name: str) -> bool:
    with connection.cursor() as cursor:
        # Not by to_regclass(): within a transaction it goes on denying what others made meanwhile.
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_class"
            " WHERE relname = %s AND relnamespace = current_schema()::regnamespace)",
            [name],
        )
        return bool(cursor.fetchone()[0])


def months() -> list[Partition]:
    """Every partition with its size, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, greatest(c.reltuples, 0)::bigint, pg_total_relation_size(c.oid)"
            " FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            f" WHERE i.inhparent = '{TABLE}'::regclass ORDER BY c.relname"
        )
        found = cursor.fetchall()
    rows = [Partition(name, _first(name), rows, size) for name, rows, size in found]
    return sorted(rows, key=lambda row: row.first or date.min)


def _first(name: str) -> date | None:
    match = _MONTH.fullmatch(name)
    return date(int(match[1]), int(match[2]), 1) if match else None


def drop(*, name: str) -> Partition:
    """Drop a month with all its events; what it held. Raises NotFound for anything else."""
    found = next((row for row in months() if row.name == name), None)
    if found is None:
        raise NotFound(_("There is no such month of events."), code="month_unknown")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {found.name}")
        changes.note(kind=changes.EVENT, people=None)
    forget()
    return found


def prune(*, type: str, before: datetime, limit: int = 10_000) -> int:
    """Delete up to `limit` events of one type that happened before a moment; how many went.

    Call it until it answers 0: each call is a short transaction of its own.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM {TABLE} WHERE (id, at) IN"
            f" (SELECT id, at FROM {TABLE} WHERE type = %s AND at < %s ORDER BY at LIMIT %s)"
            " AND at < %s",
            [type, before, limit, before],
        )
        return int(cursor.rowcount)

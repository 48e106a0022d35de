"""How large each table is, how fast it grows, and what each month of events takes."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from ingestion.models import TableSize

WEEK = timedelta(days=7)
KEPT_FOR = timedelta(days=400)


@dataclass(frozen=True)
class Size:
    """One table with its indexes. `rows` is the planner's estimate; `grown` is bytes in a week."""

    table: str
    rows: int
    bytes: int
    index_bytes: int
    grown: int | None

    @property
    def shrunk(self) -> int:
        return -(self.grown or 0)


_SIZES = """
    SELECT root, sum(greatest(reltuples, 0))::bigint, sum(pg_total_relation_size(oid))::bigint,
           sum(pg_indexes_size(oid))::bigint
    FROM (
        SELECT c.oid, c.reltuples, coalesce(p.relname, c.relname) AS root
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
        LEFT JOIN pg_class p ON p.oid = i.inhparent
        WHERE n.nspname = current_schema() AND c.relkind = 'r') AS every
    GROUP BY root ORDER BY 3 DESC"""


def sizes(*, now: datetime) -> list[Size]:
    """Every table, the largest first; a partitioned one counts as a whole."""
    week = (now - WEEK).date()
    before = dict(
        TableSize.objects.filter(day__lte=week, day__gt=week - WEEK)
        .order_by("day")
        .values_list("table", "bytes")
    )
    with connection.cursor() as cursor:
        cursor.execute(_SIZES)
        return [
            Size(table, rows, size, index, size - before[table] if table in before else None)
            for table, rows, size, index in cursor.fetchall()
        ]


def measure(*, now: datetime) -> int:
    """Note today's sizes, once a day; how many tables."""
    today = now.date()
    rows = [
        TableSize(table=size.table, day=today, bytes=size.bytes, rows=size.rows)
        for size in sizes(now=now)
    ]
    TableSize.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["table", "day"],
        update_fields=["bytes", "rows"],
    )
    TableSize.objects.filter(day__lt=(now - KEPT_FOR).date()).delete()
    return len(rows)

"""The facts of a time gone by, as they were known then: views of a connection hide what came later.

In this session alone – and never in a table – the names of the tables of facts mean the same tables
up to a moment. A question asked meanwhile is answered as it would have been then. What is kept as
it is today alone (profiles, consent, predictions, running totals) is answered as of today.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import connection

_SETTING = "perennial.then"
# An event that was told more than a day late was imported; its own time is all there is to go by.
TOLD_IN_TIME = "CASE WHEN received_at - at > interval '1 day' THEN at ELSE received_at END"
_VIEWS = {
    "ingestion_event": "received_at",
    "ingestion_order": "placed_at",
    "ingestion_orderline": "placed_at",
    "campaigns_message": "queued_at",
}


@contextmanager
def hidden(*, imported: bool = False) -> Iterator[None]:
    """Hide what came after the moment of `until`; the moment must be set before each question."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        schema = cursor.fetchone()[0]
        for table, moment in _VIEWS.items():
            column = TOLD_IN_TIME if imported and table == "ingestion_event" else moment
            cursor.execute(
                f'CREATE TEMPORARY VIEW {table} AS SELECT * FROM "{schema}".{table} '
                f"WHERE {column} <= current_setting('{_SETTING}')::timestamptz"
            )
    try:
        yield
    finally:
        if not connection.needs_rollback and connection.is_usable():
            with connection.cursor() as cursor:
                for table in _VIEWS:
                    cursor.execute(f"DROP VIEW IF EXISTS pg_temp.{table}")


def until(moment: datetime) -> None:
    """From now on nothing is known that came later."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config(%s, %s, false)", [_SETTING, moment.isoformat()])

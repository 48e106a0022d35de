"""The moment that rules count back from, and whom the time between two such moments concerns.

Nobody's next moment is kept: an answer changes as a row's moment comes to lie so many days back,
and those rows are found by their own moments when the time has gone by.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from django.db import connection
from django.utils import timezone

from campaigns.segments import once
from campaigns.segments.needs import EVENT, MESSAGE, ORDER, SCORE, Edge, Needs
from models_ml import queries

_QUARTER = timedelta(minutes=15)
_HOUR = timedelta(hours=1)
# An answer that ran out while a look was under way is found by the next one.
_OVERLAP = timedelta(seconds=60)

_TABLES = {
    ORDER: ("ingestion_order", "placed_at", ""),
    "customer": ("ingestion_customer", "", ""),
    "rollup": ("ingestion_customerrollup", "", ""),
    MESSAGE: ("campaigns_message", "", ""),
}
_COLUMNS = {
    "customer": ("first_seen_at",),
    "rollup": ("first_order_at", "last_order_at"),
    MESSAGE: ("sent_at", "opened_at", "clicked_at", "queued_at"),
}


def moment(*, now: datetime | None = None) -> datetime:
    """The moment that days count back from: now, or that of the numbers where a history is over."""
    return once.keep("moment", lambda: _moment(timezone.now())) if now is None else _moment(now)


def _moment(now: datetime) -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(placed_at) FROM ingestion_order")
        newest = cursor.fetchone()[0]
    if newest is None or not queries.is_over(newest=newest, now=now):
        return now
    return queries.as_of(now=now)


def concerned(edge: Edge, since: datetime, until: datetime) -> set[int]:
    """The people of whose rows one's moment plus the edge's offset lies between two moments."""
    first, last = since - edge.offset, until - edge.offset
    with connection.cursor() as cursor:
        if edge.source == EVENT:
            cursor.execute(
                "SELECT DISTINCT customer_id FROM ingestion_event WHERE type = %s"
                " AND at >= %s AND at <= %s AND customer_id IS NOT NULL",
                [edge.what, first, last],
            )
        elif edge.source == SCORE:
            cursor.execute(
                "SELECT customer_id FROM models_ml_score WHERE prediction_id ="
                " (SELECT id FROM models_ml_prediction WHERE key = %s)"
                " AND value >= %s AND value <= %s",
                [edge.what, first.timestamp() / 86_400, last.timestamp() / 86_400],
            )
        else:
            table, column, _ = _TABLES[edge.source]
            if not column:
                column = _COLUMNS[edge.source][_COLUMNS[edge.source].index(edge.what)]
            person = "id" if edge.source == "customer" else "customer_id"
            cursor.execute(
                f"SELECT DISTINCT {person} FROM {table} WHERE {column} >= %s AND {column} <= %s"
                f" AND {person} IS NOT NULL",
                [first, last],
            )
        return {row[0] for row in cursor.fetchall()}


def ended(since: datetime, until: datetime) -> set[int]:
    """The people one of whose answers ran out between two moments of the clock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT customer_id FROM ingestion_consent WHERE current AND expires_at IS NOT NULL"
            " AND expires_at >= %s AND expires_at <= %s",
            [since - _OVERLAP, until],
        )
        return {row[0] for row in cursor.fetchall()}


def everybody(needs: Needs, since: datetime, until: datetime) -> bool:
    """Whether so much time went by that everybody is to be looked at again."""
    return needs.midnights and midnight_between(since, until)


def midnight_between(since: datetime, until: datetime) -> bool:
    """Whether a day began somewhere on earth after the one moment and not after the other."""
    if until - since >= _HOUR:
        return True
    quarter = datetime.fromtimestamp(since.timestamp() // 900 * 900, UTC) + _QUARTER
    while quarter <= until:
        if _a_day_begins(quarter):
            return True
        quarter += _QUARTER
    return False


@lru_cache(maxsize=256)
def _a_day_begins(at: datetime) -> bool:
    shown = (at.astimezone(zone) for zone in _zones())
    return any(clock.hour == 0 and clock.minute == 0 for clock in shown)


@lru_cache(maxsize=1)
def _zones() -> Iterable[ZoneInfo]:
    return [ZoneInfo(name) for name in sorted(available_timezones())]

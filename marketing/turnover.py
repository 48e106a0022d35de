"""What was ordered in a period and the one before it: sums by day, kept where orders are many."""

import time
from contextlib import suppress
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import redis
from django.core.cache import cache
from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone

from ingestion.models import Order
from marketing.core import brand

PERIODS = (7, 28, 90)
QUIET = timedelta(days=7)
# The sums of more orders than this are kept, since adding them up takes seconds: `renew` makes them
# anew every few minutes, so that nobody waits for it. Without it they are good for an hour.
MANY, KEPT_SECONDS = 200_000, 3600
# Those are renewed that somebody looked at in the last days.
_LOOKED, _LOOKED_SECONDS = "home:looked", 3 * 86_400

Sums = dict[str, float]
Totals = dict[bool, Sums]
ByDay = dict[date, Sums]
Turnover = tuple[Totals, ByDay, str]

_RANGE = """
placed_at >= (%(start)s::timestamp AT TIME ZONE %(zone)s)
AND placed_at < (%(end)s::timestamp AT TIME ZONE %(zone)s)
"""
_BUYERS = "buyers"
_DAY = "(placed_at AT TIME ZONE %(zone)s)::date"
# One question: by day; buyers by day; buyers of this period (1) and of the one before (0).
# Amounts of other currencies than that of most orders are left out, as they cannot be added. A
# person and a day are one number, so that very many of them fit into memory.
_ADDED_UP = f"""
WITH days AS MATERIALIZED (
    SELECT currency, {_DAY} AS day, sum(total) AS revenue, count(*) FILTER (WHERE total > 0) AS n
    FROM ingestion_order WHERE {_RANGE} GROUP BY 1, 2
), main AS (
    SELECT currency FROM days GROUP BY 1 ORDER BY sum(n) DESC, 1 LIMIT 1
), bought AS MATERIALIZED (
    SELECT DISTINCT customer_id * 1024 + ({_DAY} - %(start)s::date) AS key FROM ingestion_order
    WHERE {_RANGE} AND total > 0 AND currency = (SELECT currency FROM main)
      AND customer_id IS NOT NULL
), people AS (
    SELECT DISTINCT (key >> 10) * 2 + ((key & 1023) >= %(days)s)::int AS key FROM bought
)
SELECT currency, day, revenue, n FROM days WHERE currency = (SELECT currency FROM main)
UNION ALL SELECT '{_BUYERS}', %(start)s::date + (key & 1023)::int, NULL, count(*)
          FROM bought GROUP BY key & 1023
UNION ALL SELECT '{_BUYERS}', NULL, key & 1, count(*) FROM people GROUP BY key & 1
"""


def last_day(*, now: datetime) -> date | None:
    """Today, or the day of the newest order where none is new; None before the first order."""
    newest: datetime | None = Order.objects.aggregate(newest=Max("placed_at"))["newest"]
    if newest is None:
        return None
    return timezone.localdate(now if newest > now - QUIET else newest)


def at_hand(*, since: date, days: int) -> Turnover:
    """Sums of this period (True) and the one before (False), sums by day, and the shop's currency;
    of very many orders as they were some minutes ago.
    """
    zone = str(timezone.get_current_timezone())
    with suppress(redis.RedisError, OSError):
        cache.set(_LOOKED, _looked() | {(days, zone): time.time()}, _LOOKED_SECONDS)
        kept: Turnover | None = cache.get(_key(since, days, zone))
        if kept is not None:
            return kept
    return _keep(since, days, zone)


def renew(*, now: datetime) -> int:
    """Make the kept sums of very many orders anew; how many periods."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE oid = 'ingestion_order'::regclass")
        if cursor.fetchone()[0] <= MANY:
            return 0
    wanted = {(PERIODS[1], brand.now().timezone), *_looked()}
    for days, zone in sorted(wanted):
        with timezone.override(ZoneInfo(zone)), transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = 0")
            if (until := last_day(now=now)) is not None:
                _keep(until - timedelta(days=days - 1), days, zone)
    return len(wanted)


def _looked() -> dict[tuple[int, str], float]:
    """Which periods, in days and a time zone, were looked at lately, and when."""
    with suppress(redis.RedisError, OSError):
        known: dict[tuple[int, str], float] = cache.get(_LOOKED) or {}
        limit = time.time() - _LOOKED_SECONDS
        return {which: at for which, at in known.items() if at > limit}
    return {}


def _key(since: date, days: int, zone: str) -> str:
    return f"home:orders:{since}:{days}:{zone}"


def _keep(since: date, days: int, zone: str) -> Turnover:
    found = _added_up(since, days, zone)
    if sum(one["orders"] for one in found[0].values()) > MANY:
        with suppress(redis.RedisError, OSError):
            cache.set(_key(since, days, zone), found, KEPT_SECONDS)
    return found


def _added_up(since: date, days: int, zone: str) -> Turnover:
    asked: dict[str, Any] = {
        "zone": zone,
        "days": days,
        "start": since - timedelta(days=days),
        "end": since + timedelta(days=days),
    }
    with connection.cursor() as cursor:
        cursor.execute(_ADDED_UP, asked)
        found = cursor.fetchall()
    people = {
        (bool(which) if day is None else day): n for name, day, which, n in found if name == _BUYERS
    }
    rows = [row for row in found if row[0] != _BUYERS]
    currency = rows[0][0] if rows else brand.now().currency
    by_day = {day: sums(revenue, n, people.get(day, 0)) for _name, day, revenue, n in rows}
    totals = {}
    for this in (True, False):
        mine = [row for row in rows if (row[1] >= since) == this]
        revenue = sum((row[2] for row in mine), Decimal())
        totals[this] = sums(revenue, sum(row[3] for row in mine), people.get(this, 0))
    return totals, by_day, currency


def sums(revenue: Decimal | int = 0, orders: int = 0, people: int = 0) -> Sums:
    """Figures of a day or a period; `average` is what an order came to."""
    return {
        "revenue": float(revenue),
        "orders": orders,
        "people": people,
        "average": float(revenue) / orders if orders else 0.0,
    }

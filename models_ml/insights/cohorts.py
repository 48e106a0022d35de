"""Cohorts: people who came in the same month or week, and how many of them came back when.

One statement counts everything. Periods are those of the shop's calendar, given to the database as
their beginnings, so that each row costs a search in a short list. Nothing at or after `as_of` is
seen, and the period that `as_of` lies in is not over: its figures may still grow.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import redis
from django.core.cache import cache
from django.db import connection, transaction
from django.utils.translation import gettext as _

from marketing.core import brand
from marketing.core.errors import Invalid
from models_ml.features.registry import CLICKS, MAILS, OPENS

FIRST_ORDER, FIRST_SEEN = "first_order", "first_seen"
BEGAN = (FIRST_ORDER, FIRST_SEEN)
ORDERED, DID = "ordered", "did"
ACTS = (ORDERED, DID)
MONTH, WEEK = "month", "week"
PERIODS = {MONTH: 13, WEEK: 14}
# What is done to people, or by a machine for them, is no act of theirs.
NOT_ACTS = (*MAILS, *OPENS, *CLICKS)
MOST_MS = 60_000
# Of more rows than this a page does not wait for the count, and keeps what it came to for a while.
MANY, KEPT_SECONDS = 1_500_000, 900
_AWAY = (redis.RedisError, OSError)
_ROWS = """
SELECT coalesce(sum(greatest(reltuples, 0)), 0) FROM pg_class WHERE oid = %(table)s::regclass
    OR oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = %(table)s::regclass)
"""

_FIRST = {
    FIRST_ORDER: (
        "SELECT r.customer_id AS id, r.first_order_at AS at FROM ingestion_customerrollup AS r"
        " JOIN ingestion_customer AS c ON c.id = r.customer_id"
    ),
    FIRST_SEEN: "SELECT c.id, c.first_seen_at AS at FROM ingestion_customer AS c",
}
_ACTS = {
    ORDERED: (
        "SELECT l.customer_id, width_bucket(l.placed_at, %(starts)s::timestamptz[]) AS period,"
        " bool_or(l.kind = 'product') AS came, sum(l.total)::double precision AS revenue"
        " FROM ingestion_orderline AS l WHERE l.customer_id IS NOT NULL"
        " AND l.kind IN ('product', 'return')"
        " AND l.placed_at >= %(first)s AND l.placed_at < %(as_of)s GROUP BY 1, 2"
    ),
    DID: (
        "SELECT e.customer_id, width_bucket(e.at, %(starts)s::timestamptz[]) AS period,"
        " true AS came, 0::double precision AS revenue"
        " FROM ingestion_event AS e WHERE e.customer_id IS NOT NULL"
        " AND e.type <> ALL(%(not_acts)s)"
        " AND e.at >= %(first)s AND e.at < %(as_of)s GROUP BY 1, 2"
    ),
}
_TABLE = """
WITH people AS (
    SELECT id, width_bucket(at, %(starts)s::timestamptz[]) AS cohort FROM ({first}
        WHERE c.merged_into_id IS NULL AND (%(country)s = '' OR c.country = %(country)s)) AS f
    WHERE at >= %(first)s AND at < %(as_of)s
), acts AS ({acts})
SELECT p.cohort, NULL::int AS later, count(*) AS people, 0::double precision AS revenue
FROM people AS p GROUP BY p.cohort
UNION ALL
SELECT p.cohort, a.period - p.cohort, count(*) FILTER (WHERE a.came), sum(a.revenue)
FROM people AS p JOIN acts AS a ON a.customer_id = p.id AND a.period >= p.cohort
GROUP BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which cohorts: from what people begin, what counts as coming back, in what periods."""

    began: str = FIRST_ORDER
    act: str = ORDERED
    unit: str = MONTH
    country: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cohort so many periods later. `over` is whether that period has ended; `spent` is the
    money of the whole cohort in it, `so_far` up to its end.
    """

    later: int
    people: int
    share: float
    spent: float
    so_far: float
    over: bool
    since: date
    until: date


@dataclass(frozen=True, slots=True)
class Cohort:
    """People who came in one period."""

    since: date
    until: date
    people: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Mean:
    """All cohorts together, so many periods later, as far as that period is over for them."""

    later: int
    people: int
    share: float
    spent: float
    so_far: float


@dataclass(frozen=True, slots=True)
class Table:
    as_of: datetime
    asked: Asked
    cohorts: tuple[Cohort, ...]
    means: tuple[Mean, ...]

    @property
    def people(self) -> int:
        return sum(cohort.people for cohort in self.cohorts)

    @property
    def periods(self) -> int:
        return max((len(cohort.cells) for cohort in self.cohorts), default=0)


def read(*, began: str, act: str, unit: str, country: str = "") -> Asked:
    """What is asked for; Invalid for what there is not."""
    for value, known, field in (
        (began, BEGAN, "began"), (act, ACTS, "act"), (unit, tuple(PERIODS), "unit"),
    ):  # fmt: skip
        if value not in known:
            raise Invalid(
                _("“%(value)s” is no choice here. Use one of: %(known)s.")
                % {"value": value[:40], "known": ", ".join(known)},
                code="cohorts_invalid",
                field=field,
            )
    if country and not (len(country) == 2 and country.isascii() and country.isalpha()):
        raise Invalid(
            _("A country is told by its two letters."), code="cohorts_invalid", field="country"
        )
    return Asked(began, act, unit, country.upper())


def table(*, asked: Asked, as_of: datetime) -> Table:
    """The cohorts of the last periods up to `as_of`, the oldest that has people first."""
    days = _days(asked.unit, as_of)
    zone = brand.now().zone
    starts = [datetime.combine(day, time(), zone) for day in days[:-1]]
    sql = _TABLE.format(first=_FIRST[asked.began], acts=_ACTS[asked.act])
    params: dict[str, Any] = {
        "starts": starts, "first": starts[0], "as_of": as_of, "country": asked.country,
        "not_acts": list(NOT_ACTS),
    }  # fmt: skip
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = %s", [MOST_MS])
        cursor.execute(sql, params)
        rows = cursor.fetchall()
    cohorts = _cohorts(rows, days)
    return Table(as_of, asked, cohorts, _means(cohorts))


def takes_long(*, asked: Asked) -> bool:
    """Whether so much is counted that nobody should wait for a page with it."""
    source = "ingestion_orderline" if asked.act == ORDERED else "ingestion_event"
    with connection.cursor() as cursor:
        cursor.execute(_ROWS, {"table": source})
        return bool(cursor.fetchone()[0] > MANY)


def keep(*, table: Table) -> None:
    """Have a table at hand for a while, if it took long to count."""
    if takes_long(asked=table.asked):
        with suppress(*_AWAY):
            cache.set(_key(table.asked), table, KEPT_SECONDS)


def kept(*, asked: Asked) -> Table | None:
    """The table as it was counted a while ago, if it is at hand."""
    try:
        found: Table | None = cache.get(_key(asked))
    except _AWAY:
        return None
    return found


def _key(asked: Asked) -> str:
    return f"cohorts:{asked.began}:{asked.act}:{asked.unit}:{asked.country}"


def _days(unit: str, as_of: datetime) -> list[date]:
    """The first days of the periods, and that of the one after the last."""
    today = as_of.astimezone(brand.now().zone).date()
    count = PERIODS[unit]
    if unit == WEEK:
        monday = today - timedelta(days=today.weekday())
        return [monday + timedelta(weeks=n) for n in range(1 - count, 2)]
    months = today.year * 12 + today.month - 1
    return [date((months + n) // 12, (months + n) % 12 + 1, 1) for n in range(1 - count, 2)]


def _cohorts(
    rows: Sequence[tuple[int, int | None, int, float]], days: list[date]
) -> tuple[Cohort, ...]:
    sizes = {cohort: people for cohort, later, people, _money in rows if later is None}
    came = {(cohort, later): (n, money) for cohort, later, n, money in rows if later is not None}
    periods, found = len(days) - 1, []
    if not sizes:
        return ()
    for cohort in range(min(sizes), periods + 1):
        people, so_far, cells = sizes.get(cohort, 0), 0.0, []
        for later in range(periods - cohort + 1):
            count, money = came.get((cohort, later), (0, 0.0))
            so_far += money or 0.0
            place = cohort + later
            cells.append(
                Cell(
                    later, count, count / people if people else 0.0, money or 0.0, so_far,
                    place < periods, days[place - 1], days[place],
                )
            )  # fmt: skip
        found.append(Cohort(days[cohort - 1], days[cohort], people, tuple(cells)))
    return tuple(found)


def _means(cohorts: tuple[Cohort, ...]) -> tuple[Mean, ...]:
    found = []
    for later in range(max((len(c.cells) for c in cohorts), default=0)):
        over = [
            (cohort, cohort.cells[later])
            for cohort in cohorts
            if len(cohort.cells) > later and cohort.cells[later].over and cohort.people
        ]
        people = sum(cohort.people for cohort, _cell in over)
        if not people:
            break
        count = sum(cell.people for _cohort, cell in over)
        spent = sum(cell.spent for _cohort, cell in over)
        so_far = sum(cell.so_far for _cohort, cell in over)
        found.append(Mean(later, people, count / people, spent / people, so_far / people))
    return tuple(found)


def rule(*, asked: Asked, cohort: Cohort, cell: Cell | None = None) -> dict[str, Any] | None:
    """The people of a cohort, or of one cell of it, as a rule of segments; None where rules cannot
    ask it.
    """
    field = "rollup.first_order_at" if asked.began == FIRST_ORDER else "customer.first_seen_at"
    parts: list[dict[str, Any]] = [
        {"field": field, "op": "after", "value": cohort.since.isoformat()},
        {"field": field, "op": "before", "value": cohort.until.isoformat()},
    ]
    if asked.country:
        parts.append({"field": "customer.country", "op": "=", "value": asked.country})
    if cell is not None:
        if asked.act != ORDERED:
            return None
        last = (cell.until - timedelta(days=1)).isoformat()
        when = {"since": cell.since.isoformat(), "until": last}
        parts.append({"bought": {"any": True}, "at_least": 1, "when": when})
    return {"all": parts}


def countries() -> list[str]:
    """The countries with the most people."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT country FROM ingestion_customer WHERE merged_into_id IS NULL AND country <> ''"
            " GROUP BY country ORDER BY count(*) DESC, country LIMIT 60"
        )
        return [row[0] for row in cursor.fetchall()]

"""The fixed columns of Traits: what rules, lists and the tree compare.

Every number looks at order lines before `as_of` and at nothing later; what an order's state became
afterwards is not asked. Numbers are cut to the decimals listed in COLUMNS inside the database, so
that a threshold chosen on them and a comparison made on the stored column agree exactly.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import orjson
from django.db import connection, transaction
from numpy.typing import NDArray

from ingestion import changes
from marketing.core.db import advisory_lock
from models_ml.features import compiler, registry, sweeps
from models_ml.insights import bands, lifecycle, yardsticks
from models_ml.models import Yardstick

RECENT = timedelta(days=90)
# The planner is told when there are so many more or fewer people than it knows of.
_OTHERS = 0.05
NAMES = (
    "recency_days", "orders", "units", "revenue", "avg_order_value", "tenure_days",
    "interval_days_mean", "interval_days_std", "products", "return_rate", "trend",
)  # fmt: skip
MEASURED = ("r_score", "f_score", "m_score", "stage")
_FEATURES = tuple(registry.BY_NAME[name] for name in NAMES)
_SCORED = tuple(registry.BY_NAME[axis.column] for axis in bands.AXES)


@dataclass(frozen=True, slots=True)
class Column:
    """A number of Traits: the decimals it is kept in, and whether it may be unknown."""

    name: str
    decimals: int = 0
    nullable: bool = False


COLUMNS = tuple(Column(f.name, f.decimals or 0, f.nullable) for f in _FEATURES)
# Kept for pages: people and money by their three scores, people by stage.
_TOTALS = """
(SELECT jsonb_agg(jsonb_build_array(r_score, f_score, m_score, people, revenue)) FROM (
    SELECT r_score, f_score, m_score, count(*) AS people, sum(revenue)::float8 AS revenue
    FROM {rows} WHERE r_score IS NOT NULL GROUP BY 1, 2, 3) AS cells),
(SELECT jsonb_object_agg(stage, people) FROM (
    SELECT stage, count(*) AS people FROM {rows} GROUP BY stage) AS stages)
"""
_MOMENT = "m AS (SELECT %(last)s::timestamptz AS cut)"
_JOINS = "LEFT JOIN f_orders USING (customer_id) LEFT JOIN f_goods USING (customer_id)"


def _facts(as_of: datetime) -> str:
    """CTEs giving the numbers of whoever ordered before the moment."""
    found = compiler.blocks(features=_FEATURES, params={}, first=as_of)
    return f"WITH {', '.join([_MOMENT, *found])}"


def _select(features: Sequence[registry.Feature] = _FEATURES) -> str:
    return ", ".join(
        f"{f.name}" if f.nullable else f"coalesce({f.name}, {f.empty}) AS {f.name}"
        for f in features
    )


def build(*, as_of: datetime) -> int:
    """Write the numbers of every person into Traits, all as of one moment; how many people.

    Whoever ever ordered also gets a score from 1 to 5 for recency, frequency and money, and
    everybody a stage, by the bands and bounds in use. Predictions on the row are left as they are;
    `repeat.score` follows.
    """
    names = [c.name for c in COLUMNS]
    targets = ["customer_id", "as_of", *names, *MEASURED]
    updates = ", ".join(f"{name} = n.{name}" for name in targets[1:])
    with _measuring() as (rows, params), connection.cursor() as cursor:
        params["last"] = as_of
        measured = _measured(rows, params)
        sweeps.prepare(cursor)
        cursor.execute(
            f"""
            {_facts(as_of)}, numbers AS MATERIALIZED (
                SELECT customer_id, {_select()}
                FROM (
                    SELECT id AS customer_id FROM ingestion_customer WHERE merged_into_id IS NULL
                ) AS everybody
                {_JOINS}
            ), {bands.limits_sql(bands=bands.read(rows[0].body), rows="numbers", params=params)},
            measured AS (
                SELECT customer_id, %(last)s::timestamptz AS as_of, {", ".join(names)}, {measured}
                FROM numbers, bands
            ), changed AS (
                UPDATE models_ml_traits AS t SET {updates} FROM measured AS n
                WHERE n.customer_id = t.customer_id
            ), made AS (
                INSERT INTO models_ml_traits ({", ".join(targets)})
                SELECT {", ".join(targets)} FROM measured AS n WHERE NOT EXISTS (
                    SELECT FROM models_ml_traits AS t WHERE t.customer_id = n.customer_id)
            )
            SELECT r, f, m, counted.people, counted.buyers, {_TOTALS.format(rows="measured")}
            FROM bands, (SELECT count(*) AS people, count(*) FILTER (WHERE orders > 0) AS buyers
                         FROM numbers) AS counted
            """,
            params,
        )
        found = cursor.fetchone()
        changes.note(kind=changes.TRAITS, people=None)
        _apply(rows, as_of, found)
    count: int = found[3]
    _analyze(count)
    return count


def _analyze(people: int) -> None:
    """Tell the planner of other people than it knows; other numbers it learns of by itself."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE oid = 'models_ml_traits'::regclass")
        if abs(cursor.fetchone()[0] - people) > _OTHERS * people:
            cursor.execute("ANALYZE models_ml_traits")


def measure() -> int:
    """Give everybody scores and stage by what is in use now, from stored numbers; for how many."""
    with _measuring() as (rows, params), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        limits = bands.limits_sql(
            bands=bands.read(rows[0].body), rows="models_ml_traits", params=params
        )
        cursor.execute(f"WITH {limits} SELECT r, f, m FROM bands", params)
        found = cursor.fetchone()
        cursor.execute("SELECT min(as_of), count(*), count(*) FILTER (WHERE orders > 0)"
                       " FROM models_ml_traits")  # fmt: skip
        as_of, people, buyers = cursor.fetchone()
        if as_of is None:
            _apply(rows, None, (*found, 0, 0, None, None))
            return 0
        kept = ", ".join(f"{name} = n.{name}" for name in MEASURED)
        cursor.execute(
            f"""
            WITH {limits}, numbers AS (
                SELECT customer_id, {_measured(rows, params)} FROM models_ml_traits, bands
            )
            UPDATE models_ml_traits AS t SET {kept} FROM numbers AS n
            WHERE n.customer_id = t.customer_id AND ({", ".join(f"t.{name}" for name in MEASURED)})
                IS DISTINCT FROM ({", ".join(f"n.{name}" for name in MEASURED)})
            """,
            params,
        )
        count: int = cursor.rowcount
        if count:
            changes.note(kind=changes.TRAITS, people=None)
        cursor.execute(f"SELECT {_TOTALS.format(rows='models_ml_traits')}")
        _apply(rows, as_of, (*found, people, buyers, *cursor.fetchone()))
    return count


@contextmanager
def _measuring() -> Iterator[tuple[tuple[Yardstick, Yardstick], dict[str, Any]]]:
    """Alone, with the bands and the bounds in use: two at once would write over each other."""
    with advisory_lock("models_ml.traits"):
        yield (
            (
                yardsticks.in_use(kind=bands.KIND, start=bands.START),
                yardsticks.in_use(kind=lifecycle.KIND, start=lifecycle.START),
            ),
            {},
        )


def _measured(rows: tuple[Yardstick, Yardstick], params: dict[str, Any]) -> str:
    stage = lifecycle.stage_sql(of=lifecycle.read(rows[1].body), params=params)
    return f"{bands.scores_sql()}, {stage} AS stage"


def _apply(
    rows: tuple[Yardstick, Yardstick], as_of: datetime | None, found: tuple[Any, ...]
) -> None:
    """Note on both yardsticks what they came to."""
    said = {"as_of": as_of and as_of.isoformat(), "people": found[3], "buyers": found[4]}
    limits = {axis.key: found[n] for n, axis in enumerate(bands.AXES)}
    cells, stages = (orjson.loads(text) if text else [] for text in found[5:])
    own = ({"limits": limits, "cells": cells}, {"stages": dict(stages)})
    for row, more in zip(rows, own, strict=True):
        Yardstick.objects.filter(pk=row.pk).update(applied=said | more)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """People who had ordered before a moment: id (n), x (n, columns) with nan for unknown, in the
    order of COLUMNS.
    """

    as_of: datetime
    person: NDArray[np.int64]
    x: NDArray[np.float64]

    def column(self, name: str) -> NDArray[np.float64]:
        return self.x[:, [c.name for c in COLUMNS].index(name)]


def snapshot(*, as_of: datetime) -> Snapshot:
    """The numbers of everyone who had ordered, as they stood just before `as_of`."""
    rows = _rows(
        f"{_facts(as_of)} SELECT customer_id, {_select()} FROM f_orders"
        " LEFT JOIN f_goods USING (customer_id) ORDER BY customer_id",
        {"last": as_of},
        1 + len(COLUMNS),
    )
    return Snapshot(
        as_of=as_of, person=rows[:, 0].astype(np.int64), x=np.ascontiguousarray(rows[:, 1:])
    )


def scored(*, as_of: datetime) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Who had ordered before a moment, ids (n) ascending, and their scores of recency, frequency
    and money (n, 3): by the bands in use, of the numbers as they stood just before it."""
    params: dict[str, Any] = {"last": as_of}
    found = compiler.blocks(features=_SCORED, params=params, first=as_of)
    limits = bands.limits_sql(bands=bands.chosen(), rows="numbers", params=params)
    rows = _rows(
        f"""
        WITH {", ".join([_MOMENT, *found])}, numbers AS MATERIALIZED (
            SELECT customer_id, {_select(_SCORED)}
            FROM f_orders JOIN ingestion_customer AS c ON c.id = customer_id
            WHERE c.merged_into_id IS NULL
        ), {limits}
        SELECT customer_id, {bands.scores_sql()} FROM numbers, bands ORDER BY customer_id
        """,
        params,
        1 + len(_SCORED),
    )
    return rows[:, 0].astype(np.int64), rows[:, 1:].astype(np.int64)


def ordered_within(*, since: datetime, until: datetime) -> NDArray[np.int64]:
    """Ids of the people with an order line of a product in [since, until), ascending."""
    rows = _rows(
        "SELECT DISTINCT customer_id FROM ingestion_orderline"
        " WHERE customer_id IS NOT NULL AND kind = 'product'"
        " AND placed_at >= %(since)s AND placed_at < %(until)s ORDER BY customer_id",
        {"since": since, "until": until},
        1,
    )
    return rows[:, 0].astype(np.int64)


def stored() -> Snapshot | None:
    """The people with orders in Traits now, as `snapshot` gives them; None before a build."""
    names = ", ".join(c.name for c in COLUMNS)
    rows = _rows(
        f"SELECT customer_id, {names} FROM models_ml_traits WHERE orders > 0 ORDER BY customer_id",
        {},
        1 + len(COLUMNS),
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT as_of FROM models_ml_traits LIMIT 1")
        first = cursor.fetchone()
    if first is None:
        return None
    return Snapshot(
        as_of=first[0], person=rows[:, 0].astype(np.int64), x=np.ascontiguousarray(rows[:, 1:])
    )


def _rows(sql: str, params: dict[str, Any], width: int) -> NDArray[np.float64]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(sql, params)
        chunks = []
        while batch := cursor.fetchmany(50_000):
            chunks.append(np.array(batch, dtype=np.float64))
    return np.concatenate(chunks) if chunks else np.empty((0, width))

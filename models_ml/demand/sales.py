"""What was sold of each product, by periods counted back from a moment so that the last is full."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db import connection, transaction

from ingestion.models import OrderLine
from models_ml.algorithms.demand import contest
from models_ml.algorithms.demand.series import Grain, Ints, Series, series_of
from models_ml.algorithms.errors import Unfit

LONGEST = timedelta(days=3 * 371)
LATELY = timedelta(days=56)

# Returns are no sales, a cancelled order never was one, a mistyped quantity would outweigh all.
SOLD = """
    FROM ingestion_orderline AS l
    JOIN ingestion_order AS o ON o.id = l.order_id AND o.status <> 'cancelled'
    JOIN ingestion_product AS p ON p.id = l.product_id AND p.is_goods
    WHERE l.kind = 'product' AND NOT l.outlier AND l.quantity > 0
      AND l.placed_at >= %(since)s AND l.placed_at < %(until)s
"""


@dataclass(frozen=True)
class Sales:
    """`category` is a number a product, -1 for none; `active` whether it is still on sale."""

    series: Series
    grain: Grain
    category: Ints
    active: np.ndarray
    first: datetime
    rows: int


def read(*, as_of: datetime) -> Sales:
    """Everything sold before a moment. Unfit when nothing was, or not for long enough."""
    first: datetime | None = (
        OrderLine.objects.filter(kind="product", placed_at__lt=as_of)
        .order_by("placed_at")
        .values_list("placed_at", flat=True)
        .first()
    )
    if first is None:
        raise Unfit("nothing_sold", {})
    first = max(first, as_of - LONGEST)
    grain = contest.grain_of(days=(as_of - first).days, dense=_dense(as_of))
    periods = (as_of - first).days // grain.days
    since = as_of - timedelta(days=periods * grain.days)
    found = _ask(
        "SELECT l.product_id::int8,"
        " floor(extract(epoch FROM %(until)s - l.placed_at) / 86400 / %(days)s)::int8,"
        " sum(l.quantity)::int8" + SOLD + " GROUP BY 1, 2",
        {"since": since, "until": as_of, "days": grain.days},
    )
    table = np.array(found, dtype=np.int64).reshape(-1, 3)
    if not len(table):
        raise Unfit("nothing_sold", {})
    # Exactly at the far end a moment would fall one period before the first.
    period = np.maximum(periods - 1 - table[:, 1], 0)
    series = series_of(table[:, 0], period, table[:, 2].astype(np.float64), periods=periods)
    category, active = _goods(series.product)
    return Sales(series, grain, category, active, first, len(table))


def _dense(as_of: datetime) -> float:
    """On what share of the last days the product in the middle was sold."""
    found = _ask(
        "SELECT coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY days), 0) FROM ("
        "SELECT count(DISTINCT floor(extract(epoch FROM %(until)s - l.placed_at) / 86400)) AS days"
        + SOLD
        + " GROUP BY l.product_id) AS each",
        {"since": as_of - LATELY, "until": as_of},
    )
    return float(found[0][0]) / LATELY.days


def _goods(products: Ints) -> tuple[Ints, np.ndarray]:
    found = _ask(
        "SELECT id, category, active FROM ingestion_product WHERE id = ANY(%(ids)s) ORDER BY id",
        {"ids": products.tolist()},
    )
    names = sorted({row[1] for row in found if row[1]})
    number = {name: n for n, name in enumerate(names)}
    category = np.array([number.get(row[1], -1) for row in found], dtype=np.int64)
    return category, np.array([row[2] for row in found], dtype=bool)


def _ask(sql: str, params: dict[str, Any]) -> list[Any]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(sql, params)
        found: list[Any] = cursor.fetchall()
    return found

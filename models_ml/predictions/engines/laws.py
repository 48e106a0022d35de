"""The laws of buying that are stored for a prediction, the orders they read, and what they say."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from django.db import connection, transaction
from numpy.typing import NDArray

from models_ml.algorithms.lifetime.forecast import Forecast
from models_ml.algorithms.lifetime.spend import GammaGamma
from models_ml.algorithms.lifetime.summary import Purchases, Summary, by_day
from models_ml.algorithms.lifetime.value import lifetime_value
from models_ml.features import reading
from models_ml.features.compiler import Population
from models_ml.models import Prediction
from models_ml.predictions import definitions

MONTH = 365.25 / 12
# The part of takings that is earned, unless the settings' `margin` says; `discount` is a year's.
MARGIN = 1.0
# A date further away than this is no date.
FURTHEST_DAYS = 3_650.0


@dataclass(frozen=True)
class Laws:
    """What is stored: the forecast of orders, what they are worth, and the question."""

    forecast: Forecast
    spend: GammaGamma

    def save(self, folder: Path) -> None:
        self.forecast.save(folder)
        self.spend.save(folder)

    @classmethod
    def load(cls, folder: Path) -> "Laws":
        return cls(Forecast.load(folder), GammaGamma.load(folder))


def read(*, as_of: datetime, only: Sequence[int] | None = None, share: float = 1.0) -> Purchases:
    """What everybody bought before a moment, a row a person and day; not of who refused profiling.

    A returned line is taken off what the person paid on the day of the return. `share` takes the
    same part of the people each time.
    """
    some = " AND l.customer_id = ANY(%(only)s)" if only is not None else ""
    if share < 1:
        some += " AND (hashint8extended(l.customer_id, 20111209) & 1048575) < %(sampled)s"
    sql = (
        "SELECT l.customer_id::int8, extract(epoch FROM date_trunc('day', l.placed_at))::int8,"
        " sum(l.total)::double precision"
        " FROM ingestion_orderline AS l JOIN ingestion_customer AS c ON c.id = l.customer_id"
        " WHERE l.placed_at < %(until)s AND l.kind IN ('product', 'return')"
        f" AND c.merged_into_id IS NULL{some} AND NOT EXISTS ("
        " SELECT FROM ingestion_consent AS x WHERE x.customer_id = l.customer_id"
        " AND x.purpose = 'profiling' AND x.current AND NOT x.granted)"
        " GROUP BY 1, 2 HAVING bool_or(l.kind = 'product')"
    )
    params = {"until": as_of, "only": list(only or ()), "sampled": int(share * 1048576)}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        rows = reading.copy_out(sql=sql, params=params, numbers=1)
    at = rows[:, 1].astype(np.int64).astype("datetime64[s]")
    return by_day(rows[:, 0].astype(np.int64), at, np.maximum(rows[:, 2], 0.0))


def among(
    *,
    population: Population,
    person: NDArray[np.int64],
    at: datetime,
    only: Sequence[int] | None = None,
) -> NDArray[np.bool_]:
    """Which of these buyers are in the population at a moment (n,).

    Everyone means everyone who has bought: of others the rhythm of orders says nothing.
    """
    least = population.least_orders if population.who == "buyers" else 1
    if least <= 1 and population.ordered_within_days is None:
        return np.ones(len(person), dtype=bool)
    asked = replace(population, who="buyers", least_orders=least)
    found = reading.read(features=(), population=asked, cuts=[at], only=only, levels={})
    return np.isin(person, found.asked.person)


def last_day(moment: datetime) -> np.datetime64:
    """The day that a moment belongs to."""
    return np.datetime64(moment.astimezone(UTC).date(), "D")


def end_of(day: np.datetime64) -> datetime:
    """The moment at which a day is over."""
    return reading.as_datetime(day + np.timedelta64(1, "D"))


def known_day(moment: np.datetime64) -> np.datetime64:
    """The last day that was over by a moment."""
    return (moment + np.timedelta64(1, "s")).astype("datetime64[D]") - np.timedelta64(1, "D")


def say(prediction: Prediction, laws: Laws, data: Summary) -> NDArray[np.float64]:
    kind = definitions.target_of(prediction).type
    if kind == "order":
        return laws.forecast.alive(data)
    if kind == "next_order":
        return wait(laws, data, 0.5)
    return _money(prediction, laws, data)


def wait(laws: Laws, data: Summary, share: float) -> NDArray[np.float64]:
    days = 7 * laws.forecast.next_order(data, share)
    return np.asarray(np.minimum(days, FURTHEST_DAYS))


def _money(prediction: Prediction, laws: Laws, data: Summary) -> NDArray[np.float64]:
    """CLV: the sum over months of M_t / (1 + d)^t, for the horizon."""
    wishes = prediction.settings if isinstance(prediction.settings, dict) else {}
    yearly = _number(wishes.get("discount"), 0.0)
    months = max(1, round(prediction.horizon_days / MONTH))
    length = prediction.horizon_days / 7 / months
    return lifetime_value(
        laws.forecast,
        laws.spend,
        data,
        periods=months,
        length=length,
        rate=(1 + yearly) ** (length * 7 / 365.25) - 1,
        margin=_number(wishes.get("margin"), MARGIN),
    )


def _number(value: Any, usual: float) -> float:
    fine = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 10
    return float(value) if fine else usual


def undiscounted(prediction: Prediction, laws: Laws, data: Summary) -> NDArray[np.float64]:
    weeks = prediction.horizon_days / 7
    return np.asarray(laws.forecast.expected(data, weeks) * laws.spend.mean(data))

"""Asked people and what became of them: targets laid beside rows that features were read for."""

from datetime import timedelta

import numpy as np
from django.db import connection, transaction
from numpy.typing import NDArray

from models_ml.features import compiler, reading, targets
from models_ml.features.reading import Asked
from models_ml.features.targets import Target

MOST_CUTS = 50


def of(*, target: Target, asked: Asked, horizon: timedelta) -> NDArray[np.float64]:
    """For each asked row its answer: 1 or 0 for a chance, money for an amount, else nan.

    An order's value is nan for who does not order, the days to the next order nan where none came.
    """
    if not len(asked):
        return np.empty(0)
    moments = np.unique(asked.moment)
    grid = len(moments) <= MOST_CUTS
    made = targets.question(
        target=target,
        first=reading.as_datetime(moments[0]),
        last=reading.as_datetime(moments[-1]),
        horizon=horizon,
        grid=grid,
    )
    params = dict(made.params)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        if grid:
            params["cuts"] = [reading.as_datetime(moment) for moment in moments]
            m = "m AS (SELECT unnest(%(cuts)s::timestamptz[]) AS cut)"
        else:
            reading.ask(asked=asked)
            m = f"m AS (SELECT DISTINCT customer_id, cut FROM {compiler.PAIRS})"
        cursor.execute(f"WITH {m} {made.sql}", params)
        rows = np.array(cursor.fetchall(), dtype=np.float64).reshape(-1, 3)
    missing = np.nan if target.type in ("order_value", "next_order") else 0.0
    found = _beside(asked, rows, missing)
    if target.type in ("no_order", "no_event"):
        return 1.0 - found
    if target.type == "spend_over":
        return (found > target.amount).astype(np.float64)
    return found


def _beside(asked: Asked, rows: NDArray[np.float64], missing: float) -> NDArray[np.float64]:
    """The third column of `rows` for each asked (person, moment)."""
    out = np.full(len(asked), missing)
    if not len(rows):
        return out
    moments = np.unique(asked.moment.astype("datetime64[s]").astype(np.int64))
    keys = _keys(rows[:, 0].astype(np.int64), rows[:, 1].astype(np.int64), moments)
    order = np.argsort(keys)
    wanted = _keys(asked.person, asked.moment.astype("datetime64[s]").astype(np.int64), moments)
    place = np.searchsorted(keys[order], wanted)
    place[place == len(keys)] = 0
    hit = keys[order][place] == wanted
    out[hit] = rows[order[place[hit]], 2]
    return out


def _keys(
    person: NDArray[np.int64], seconds: NDArray[np.int64], moments: NDArray[np.int64]
) -> NDArray[np.int64]:
    return person * len(moments) + np.searchsorted(moments, seconds)

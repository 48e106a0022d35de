"""The smallest reachable change of one column that would move somebody's answer far enough.

Reachable: a column somebody can act on, moved in the direction it can go, to a value that enough
people have. What else would move with it is not known, so it is an association, not a promise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Way = Literal["up", "down", "any"]

STEPS = 24
# Values that fewer people have are no example to point at.
LEAST_SHARE = 0.02


@dataclass(frozen=True)
class Lever:
    """A column that can be moved: up, down, or either way; `whole` for counts."""

    column: str
    way: Way = "any"
    whole: bool = False


@dataclass(frozen=True)
class Change:
    """`column` from `before` to `after` would move the answer from `said` to `would`.

    `effort` is the share of people whose value lies between the two (1 for a category), `there`
    the share of people who have the new value or one beyond it.
    """

    column: str
    before: float | str | None
    after: float | str
    said: float
    would: float
    effort: float
    there: float


def smallest(
    *,
    predict: Callable[[pd.DataFrame], Floats],
    row: pd.DataFrame,
    people: pd.DataFrame,
    levers: Sequence[Lever],
    wanted: float,
    least_move: float = 0.0,
) -> Change | None:
    """The change of least effort that brings the answer of `row` across `wanted`, or None.

    `wanted` above the present answer asks for a rise, below it for a fall; `least_move` asks for
    more than a hair's breadth beyond what is said now.
    """
    said = float(np.asarray(predict(row), dtype=np.float64)[0])
    up = wanted > said
    tries = [step for lever in levers for step in _steps(lever, row, people)]
    if not tries:
        return None
    asked = pd.concat([row] * len(tries), ignore_index=True)
    for column in {lever.column for lever, *_ in tries}:
        values = asked[column].astype("object").tolist()
        for place, (lever, value, _effort, _there) in enumerate(tries):
            if lever.column == column:
                values[place] = value
        asked[column] = _typed(row[column], values)
    would = np.asarray(predict(asked), dtype=np.float64)
    enough = (would >= wanted) if up else (would <= wanted)
    enough &= np.abs(would - said) >= least_move
    found = np.flatnonzero(enough)
    if not len(found):
        return None
    best = min(found, key=lambda i: (tries[i][2], -abs(would[i] - said)))
    lever, value, effort, there = tries[best]
    before = row[lever.column].iloc[0]
    return Change(
        lever.column,
        None if pd.isna(before) else (before if isinstance(before, str) else float(before)),
        value,
        said,
        float(would[best]),
        effort,
        there,
    )


def _steps(
    lever: Lever, row: pd.DataFrame, people: pd.DataFrame
) -> list[tuple[Lever, float | str, float, float]]:
    if lever.column not in row.columns or lever.column not in people.columns:
        return []
    column, mine = people[lever.column], row[lever.column].iloc[0]
    if not pd.api.types.is_numeric_dtype(column):
        shares = column.astype("object").value_counts(normalize=True)
        return [
            (lever, str(level), 1.0, float(share))
            for level, share in shares.items()
            if share >= LEAST_SHARE and str(level) != str(mine)
        ]
    known = column.to_numpy(dtype=np.float64, na_value=np.nan)
    known = np.sort(known[np.isfinite(known)])
    if not known.size or pd.isna(mine):
        return []
    here = float(mine)
    found: list[tuple[Lever, float | str, float, float]] = []
    values = np.quantile(known, np.linspace(LEAST_SHARE, 1 - LEAST_SHARE, STEPS))
    if lever.whole:
        near = here + np.arange(1, 6)
        values = np.concatenate([np.round(values), near, 2 * here - near])
    for value in np.unique(values):
        rises = value > here
        if value == here or (lever.way == "up" and not rises) or (lever.way == "down" and rises):
            continue
        beyond = np.mean(known >= value) if rises else np.mean(known <= value)
        if beyond < LEAST_SHARE:
            continue
        # How many people one passes on the way: the same for money, days and counts.
        low, high = min(here, value), max(here, value)
        effort = float(np.mean((known > low) & (known <= high)))
        found.append((lever, float(value), effort, float(beyond)))
    return found


def _typed(column: pd.Series, values: list[float | str]) -> pd.Series:
    if isinstance(column.dtype, pd.CategoricalDtype):
        known = column.cat.categories.union(pd.Index([v for v in values if isinstance(v, str)]))
        return pd.Series(pd.Categorical(values, categories=known))
    if pd.api.types.is_numeric_dtype(column):
        return pd.Series(values, dtype="float64")
    return pd.Series(values, dtype="object")

"""How the answer moves with one column while everything else stays as it is (Friedman 2001).

An association: people who differ in this column differ in others too, and moving it by hand need
not move them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models_ml.algorithms.tabular.events import Events

Floats = NDArray[np.float64]

POINTS, MOST_LEVELS, MOST_PEOPLE = 20, 20, 500


@dataclass(frozen=True)
class Dependence:
    """At each of `values` the mean answer, the answers of the middle four fifths of people, and
    the share of people at or near the value.
    """

    column: str
    values: tuple[float | str, ...]
    mean: Floats
    low: Floats
    high: Floats
    share: Floats


def partial(
    *,
    predict: Callable[[pd.DataFrame, Events | None], Floats],
    x: pd.DataFrame,
    column: str,
    events: Events | None = None,
    seed: int = 0,
    points: int = POINTS,
) -> Dependence:
    """Over the column's quantiles or commonest levels, asked of at most MOST_PEOPLE people.

    `predict` is given what they did (`events`) unchanged.
    """
    values, share = _grid(x[column], points)
    rng = np.random.default_rng(seed)
    some = np.sort(rng.permutation(len(x))[:MOST_PEOPLE])
    people = x.iloc[some].reset_index(drop=True)
    parts = []
    for value in values:
        part = people.copy()
        part[column] = _constant(x[column], value, len(part))
        parts.append(part)
    if not parts:
        empty = np.empty(0)
        return Dependence(column, (), empty, empty, empty, empty)
    done = None if events is None else events.take(np.tile(some, len(values)))
    said = np.asarray(predict(pd.concat(parts, ignore_index=True), done), dtype=np.float64)
    said = said.reshape(len(values), len(people))
    low, high = np.quantile(said, [0.1, 0.9], axis=1)
    return Dependence(column, values, said.mean(axis=1), low, high, share)


def _grid(column: pd.Series, points: int) -> tuple[tuple[float | str, ...], Floats]:
    if not (pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)):
        counts = column.dropna().astype("object").value_counts().head(MOST_LEVELS)
        shares = counts.to_numpy(dtype=np.float64) / max(len(column), 1)
        return tuple(str(level) for level in counts.index), shares
    known = column.to_numpy(dtype=np.float64, na_value=np.nan)
    known = known[np.isfinite(known)]
    if not known.size:
        return (), np.empty(0)
    # From the 2nd to the 98th in a hundred: further out the model was taught by nobody.
    wanted = np.quantile(known, np.linspace(0.02, 0.98, points), method="nearest")
    values = np.unique(wanted)
    between = (values[1:] + values[:-1]) / 2
    near = np.bincount(np.searchsorted(between, known), minlength=len(values))
    return tuple(map(float, values)), near / len(column)


def _constant(column: pd.Series, value: float | str, rows: int) -> pd.Series:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return pd.Series(pd.Categorical([value] * rows, categories=column.cat.categories))
    return pd.Series([value] * rows, dtype="float64" if isinstance(value, float) else "object")

"""Shapley shares of any function, by drawing orders of columns; the error is part of the answer.

Castro, Gomez & Tejada (2009), each order walked both ways (Mitchell et al. 2022), so that what is
linear cancels. What a column is while "unknown" is what it is for somebody drawn from `usual`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Shares:
    """base + share.sum() is the answer of the row; `error` is one standard error of each share."""

    base: float
    share: Floats
    error: Floats
    orders: int


def contributions(
    *,
    predict: Callable[[pd.DataFrame], Floats],
    row: pd.DataFrame,
    usual: pd.DataFrame,
    orders: int = 64,
    seed: int = 0,
) -> Shares:
    """Shares of one row (a frame of one) against people drawn from `usual`, which has its columns.

    `predict` is asked once, for 2 * orders * (columns + 1) rows.
    """
    if len(row) != 1 or not len(usual) or orders < 2:
        raise ValueError("one row, somebody usual and at least two orders are needed")
    rng = np.random.default_rng(seed)
    width = row.shape[1]
    ways = np.array([rng.permutation(width) for _ in range(orders)])
    ways = np.concatenate([ways, ways[:, ::-1]])
    drawn = np.tile(rng.integers(0, len(usual), orders), 2)
    # place[k, j]: how many columns are known before column j is, in way k.
    place = np.argsort(ways, axis=1)
    known = place[:, None, :] < np.arange(width + 1)[None, :, None]
    flat = known.reshape(-1, width)
    whose = np.repeat(drawn, width + 1)
    asked = {}
    for j, name in enumerate(row.columns):
        theirs = usual.iloc[whose, j].reset_index(drop=True)
        mine = row.iloc[0, j]
        if isinstance(theirs.dtype, pd.CategoricalDtype):
            theirs = theirs.astype("object")
        asked[name] = theirs.mask(pd.Series(flat[:, j]), mine)
    said = np.asarray(predict(pd.DataFrame(asked)), dtype=np.float64).reshape(len(ways), width + 1)
    steps = np.diff(said, axis=1)
    each = np.take_along_axis(steps, place, axis=1)
    pairs = (each[:orders] + each[orders:]) / 2
    error = pairs.std(axis=0, ddof=1) / np.sqrt(orders)
    return Shares(float(said[:, 0].mean()), pairs.mean(axis=0), error, orders)

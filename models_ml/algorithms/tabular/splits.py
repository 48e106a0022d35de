"""Folds by person: nobody is on both sides, and each fold has its share of yeses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def folds_of(person: NDArray[np.int64], y: NDArray[Any], folds: int, seed: int) -> NDArray[np.int8]:
    """The fold (0 … folds - 1) of each row, equal for all rows of a person.

    People are shuffled within layers of the target (any yes or none; tenths of the mean amount) and
    dealt out in turn.
    """
    _, who = np.unique(person, return_inverse=True)
    total = np.bincount(who, weights=np.asarray(y, dtype=np.float64))
    mean = total / np.bincount(who)
    if np.asarray(y).dtype == np.bool_:
        layer = (total > 0).astype(np.int64)
    else:
        layer = np.searchsorted(np.quantile(mean, np.linspace(0.1, 0.9, 9)), mean)
    shuffled = np.random.default_rng(seed).permutation(len(mean))
    order = shuffled[np.argsort(layer[shuffled], kind="stable")]
    fold = np.empty(len(mean), dtype=np.int8)
    fold[order] = np.arange(len(mean)) % folds
    return fold[who]

"""Which products go together more often than chance would have it: arrays in, arrays out.

Loads SciPy, so only workers may import it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from models_ml.algorithms.recommenders import tables
from models_ml.algorithms.recommenders.itemitem import surprise

Array = np.ndarray[Any, np.dtype[Any]]

# Of two products that have nothing to do with each other one pair in a thousand passes this: the
# 0.1% point of chi square with one degree of freedom.
SIGNIFICANT = 10.83
SHRINK = 10.0


@dataclass(frozen=True)
class Pairs:
    """Aligned: a product, another one, rank of it (1 the closest), closeness, in how many units."""

    item: Array
    other: Array
    rank: Array
    score: Array
    count: Array


def together(unit: Array, item: Array, *, k: int, at_least: int) -> Pairs:
    """Products that share units (visits, people, orders) with a product, closest first."""
    return after(unit, item, unit, item, k=k, at_least=at_least)


def after(
    unit: Array, item: Array, later_unit: Array, later: Array, *, k: int, at_least: int
) -> Pairs:
    """Products of the later part of the same units; `later_unit` numbers what follows `unit`.

    A pair counts once a unit. It is kept when at least `at_least` units have it and, by Dunning's
    log-likelihood ratio (1993), hardly by chance. Closeness is the cosine, pulled to zero for
    pairs of few units, so that it may be compared between products.
    """
    ids, codes = np.unique(np.concatenate([item, later]), return_inverse=True)
    units, numbers = np.unique(np.concatenate([unit, later_unit]), return_inverse=True)
    if not len(ids):
        return _none()
    shape = (len(units), len(ids))
    first = _ones(numbers[: len(unit)], codes[: len(unit)], shape)
    second = _ones(numbers[len(unit) :], codes[len(unit) :], shape)
    total = float(len(units))
    have = np.asarray(first.sum(axis=0)).ravel().astype(float)
    get = np.asarray(second.sum(axis=0)).ravel().astype(float)

    def weigh(row: Array, column: Array, count: Array) -> Array:
        one, other = have[row], get[column]
        good = np.flatnonzero((row != column) & (count >= at_least) & (count > one * other / total))
        count, one, other = count[good].astype(float), one[good], other[good]
        near = count / (np.sqrt(one * other) + SHRINK)
        weight = np.zeros(len(row))
        weight[good] = np.where(surprise(count, one, other, total) > SIGNIFICANT, near, 0.0)
        return weight

    close, counts = tables.strong_pairs(first.T.tocsr(), second, weigh, k)
    row = np.repeat(np.arange(len(ids)), np.diff(close.indptr))
    order = np.lexsort((close.indices, -close.data, row))
    row, column = row[order], close.indices[order]
    return Pairs(
        ids[row],
        ids[column],
        _rank(row),
        close.data[order],
        counts.data[order].astype(np.int32),
    )


def _ones(unit: Array, item: Array, shape: tuple[int, int]) -> Any:
    made = sparse.csr_matrix((np.ones(len(unit), dtype=np.float32), (unit, item)), shape=shape)
    made.sum_duplicates()
    made.data[:] = 1.0
    return made


def _rank(row: Array) -> Array:
    """1, 2, 3 … within each run of the same row."""
    if not len(row):
        return row
    first = np.flatnonzero(np.r_[True, row[1:] != row[:-1]])
    return np.arange(len(row)) - np.repeat(first, np.diff(np.append(first, len(row)))) + 1


def _none() -> Pairs:
    empty = np.zeros(0, dtype=np.int64)
    return Pairs(empty, empty, empty, np.zeros(0, dtype=np.float32), empty)

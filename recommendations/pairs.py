"""Which products go together more often than chance would have it: arrays in, arrays out.

Loads SciPy, so only workers may import it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

Array = np.ndarray[Any, np.dtype[Any]]

BLOCK = 256  # products whose pairs are held at once, dense
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
    turned = first.T.tocsr()
    parts = []
    for begin in range(0, len(ids), BLOCK):
        here = (turned[begin : begin + BLOCK] @ second).tocoo()
        row, column, count = here.row + begin, here.col, here.data
        keep = (row != column) & (count >= at_least)
        row, column, count = row[keep], column[keep], count[keep].astype(float)
        ratio = likelihood(count, have[row], get[column], total)
        expected = have[row] * get[column] / total
        keep = (ratio > SIGNIFICANT) & (count > expected)
        row, column, count = row[keep], column[keep], count[keep]
        score = count / (np.sqrt(have[row] * get[column]) + SHRINK)
        order = np.lexsort((column, -score, row))
        row, column, count, score = row[order], column[order], count[order], score[order]
        rank = _rank(row)
        best = rank <= k
        parts.append((ids[row[best]], ids[column[best]], rank[best], score[best], count[best]))
    item, other, rank, score, count = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    return Pairs(item, other, rank, score.astype(np.float32), count.astype(np.int32))


def likelihood(both: Array, one: Array, other: Array, total: float) -> Array:
    """Dunning's ratio of a pair in `both` units whose products are in `one` and `other` of all."""
    table = np.stack([both, one - both, other - both, total - one - other + both])
    table = np.maximum(table, 0.0)
    rows = np.stack([table[0] + table[1], table[2] + table[3]])
    columns = np.stack([table[0] + table[2], table[1] + table[3]])
    return 2 * (_entropy(table).sum(0) - _entropy(rows).sum(0) - _entropy(columns).sum(0)) + (
        2 * total * np.log(total) if total else 0.0
    )


def _entropy(counts: Array) -> Array:
    return counts * np.log(np.where(counts > 0, counts, 1.0))


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

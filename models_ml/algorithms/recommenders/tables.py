"""Tables of weights between items, made from sparse products a block of rows at a time.

A whole product of a large shop would not fit; what is kept of each row, its strongest pairs, does.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_matrix

from models_ml.algorithms.data import DAY, Array, IdMap, Interactions

# Numbers in one block.
BLOCK = 8_000_000
SECONDS_PER_DAY = float(DAY.astype(np.int64))


def share_of_people(data: Interactions, items: IdMap, *, half_life_days: float = 0.0) -> Array:
    """How popular each item is: its share of all pairs, each fading with its last purchase."""
    order = np.lexsort((data.at, data.item, data.user))
    user, item, at = data.user[order], data.item[order], data.at[order]
    last = np.ones(len(user), dtype=bool)
    last[:-1] = (user[1:] != user[:-1]) | (item[1:] != item[:-1])
    weight = np.ones(int(last.sum()))
    if half_life_days:
        age = (data.span[1] - at[last]).astype(np.int64) / SECONDS_PER_DAY
        weight = np.exp2(-age / half_life_days)
    counts = np.bincount(items.encode(item[last]), weights=weight, minlength=len(items))
    return (counts / max(counts.sum(), 1e-12)).astype(np.float32)


def strong_pairs(
    left: csr_matrix,
    right: csr_matrix,
    weigh: Callable[[Array, Array, Array], Array],
    keep: int,
) -> tuple[csr_matrix, csr_matrix]:
    """`left` @ `right` in blocks of rows, each value made a weight, the `keep` largest a row kept.

    `weigh(row, column, value)` returns the weights; those at or below zero are dropped. Returns the
    weights and, at the same places, the values they were made from.
    """
    shape = (left.shape[0], right.shape[1])
    made, values, ends = [], [], [np.zeros(1, dtype=np.int64)]
    for part in within_block(_work(left, right)):
        block = (left[part] @ right).tocsr()
        row = np.repeat(np.arange(block.shape[0]), np.diff(block.indptr))
        weight = weigh(row + part.start, block.indices, block.data).astype(np.float32)
        good = np.flatnonzero(weight > 0)
        good = good[np.lexsort((block.indices[good], -weight[good], row[good]))]
        good = good[np.arange(len(good)) - np.searchsorted(row[good], row[good]) < keep]
        good = good[np.lexsort((block.indices[good], row[good]))]
        made.append((weight[good], block.indices[good]))
        values.append(block.data[good])
        counts = np.bincount(row[good], minlength=block.shape[0])
        ends.append(ends[-1][-1] + np.cumsum(counts))
    if not made:
        return csr_matrix(shape, dtype=np.float32), csr_matrix(shape, dtype=np.float32)
    weights, columns = (np.concatenate(parts) for parts in zip(*made, strict=True))
    end = np.concatenate(ends)
    return (
        csr_matrix((weights, columns, end), shape=shape),
        csr_matrix((np.concatenate(values), columns, end), shape=shape),
    )


def values_at(left: csr_matrix, right: csr_matrix, pattern: csr_matrix) -> csr_matrix:
    """The values of `left` @ `right` at the places of `pattern`, worked out in blocks of rows."""
    found = np.zeros(pattern.nnz, dtype=np.float32)
    for part in within_block(_work(left, right)):
        block = (left[part] @ right).tocsr()
        block.sort_indices()
        begin, end = pattern.indptr[part.start], pattern.indptr[part.stop]
        if begin == end:
            continue
        row = np.repeat(
            np.arange(block.shape[0]), np.diff(pattern.indptr[part.start : part.stop + 1])
        )
        found[begin:end] = np.asarray(block[row, pattern.indices[begin:end]]).ravel()
    return csr_matrix((found, pattern.indices, pattern.indptr), shape=pattern.shape)


def within_block(work: Array) -> list[slice]:
    """Ranges of rows whose work stays below one block each, a row at the least."""
    parts = []
    total = np.concatenate([[0], np.cumsum(work.astype(np.int64))])
    begin = 0
    while begin < len(work):
        end = int(np.searchsorted(total, total[begin] + BLOCK, side="right")) - 1
        end = min(max(end, begin + 1), len(work))
        parts.append(slice(begin, end))
        begin = end
    return parts


def _work(left: csr_matrix, right: csr_matrix) -> Array:
    """At most how many numbers each row of `left` @ `right` holds."""
    load = np.concatenate([[0], np.cumsum(np.diff(right.indptr)[left.indices])])
    return np.minimum(np.diff(load[left.indptr]), right.shape[1])

"""What each person has, and how much each of it counts when they are answered."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from models_ml.algorithms.data import Array, IdMap, Interactions


def steps_back(data: Interactions) -> Array:
    """How many later moments of buying the same person has after each row (n,)."""
    order = np.lexsort((data.at, data.user))
    user, at = data.user[order], data.at[order]
    new = np.ones(len(user), dtype=bool)
    new[1:] = (user[1:] != user[:-1]) | (at[1:] != at[:-1])
    moment = np.cumsum(new)
    ends = np.flatnonzero(np.r_[user[1:] != user[:-1], np.ones(min(1, len(user)), dtype=bool)])
    last = np.repeat(moment[ends], np.diff(np.r_[-1, ends]))
    back = np.empty(len(user), dtype=np.int64)
    back[order] = last - moment
    return back


def of(data: Interactions, users: IdMap, items: IdMap, *, fade: float = 1.0) -> csr_matrix:
    """Users by items: `fade` to the power of the moments since it was last bought.

    1 counts everything alike, 0 counts the last basket alone. Rows sum to one; what counts nothing
    stays in the pattern, as the person still has it.
    """
    row, column = users.encode(data.user), items.encode(data.item)
    known = (row >= 0) & (column >= 0)
    row, column, back = row[known], column[known], steps_back(data)[known]
    order = np.lexsort((back, column, row))
    row, column, back = row[order], column[order], back[order]
    first = np.ones(len(row), dtype=bool)
    first[1:] = (row[1:] != row[:-1]) | (column[1:] != column[:-1])
    row, column, back = row[first], column[first], back[first]
    weight = np.power(float(fade), back)
    whole = np.bincount(row, weights=weight, minlength=len(users))[row]
    value = np.divide(weight, whole, out=np.zeros_like(weight), where=whole > 0)
    start = np.searchsorted(row, np.arange(len(users) + 1))
    return csr_matrix((value.astype(np.float32), column, start), shape=(len(users), len(items)))


def top(scores: Array, k: int) -> tuple[Array, Array]:
    """Places and values (n, k) of the k highest of each row, best first, equals by place."""
    width = min(k, scores.shape[1])
    if width < scores.shape[1]:
        places = np.argpartition(-scores, width - 1, axis=1)[:, :width]
    else:
        places = np.broadcast_to(np.arange(width), scores.shape).copy()
    values = np.take_along_axis(scores, places, axis=1)
    order = np.lexsort((places, -values), axis=1)
    return np.take_along_axis(places, order, axis=1), np.take_along_axis(values, order, axis=1)

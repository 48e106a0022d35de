"""The highest scores of each row, without putting whole rows in order."""

from __future__ import annotations

import math

import numpy as np

from models_ml.algorithms.data import Array

# Smaller groups cost more to look up than they save.
LEAST = 4


def highest(scores: Array, k: int) -> tuple[Array, Array]:
    """Places and values (n, k) of the k highest of each row (n, m), best first, equals by place.

    Columns are put in groups, each told by its highest; the k highest of a row lie in the k groups
    with the highest of those, so only their columns are compared one by one. Which of equals is
    the last to be among the k is left open.
    """
    m = scores.shape[1]
    k = min(k, m)
    size = math.isqrt(m // max(k, 1))
    if size < LEAST:
        places = _some(scores, k)
    else:
        # Group g holds the columns g, g + groups, g + 2 groups and so on.
        groups = m // size
        told = scores[:, : groups * size].reshape(len(scores), size, groups).max(axis=1)
        chosen = _some(told, k)
        inside = chosen[:, None, :] + (np.arange(size) * groups)[:, None]
        rest = np.broadcast_to(np.arange(groups * size, m), (len(scores), m - groups * size))
        columns = np.concatenate([inside.reshape(len(scores), -1), rest], axis=1)
        near = _some(np.take_along_axis(scores, columns, axis=1), k)
        places = np.take_along_axis(columns, near, axis=1)
    values = np.take_along_axis(scores, places, axis=1)
    order = np.lexsort((places, -values), axis=1)
    return np.take_along_axis(places, order, axis=1), np.take_along_axis(values, order, axis=1)


def _some(scores: Array, k: int) -> Array:
    """Places (n, k) of the k highest of each row, in any order."""
    m = scores.shape[1]
    if k >= m:
        return np.broadcast_to(np.arange(m), scores.shape)
    return np.argpartition(scores, m - k, axis=1)[:, m - k :]

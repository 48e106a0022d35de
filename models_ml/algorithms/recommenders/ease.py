"""EASE: the item table that best rebuilds what people have, in closed form.

Steck, "Embarrassingly shallow autoencoders for sparse data" (WWW 2019): with P the inverse of
X'X + penalty * I, the table is P / -diag(P) with zeros on its diagonal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack
from scipy.sparse import csr_matrix

from models_ml.algorithms.data import Array, Interactions, matrix
from models_ml.algorithms.recommenders.linear import Linear
from models_ml.algorithms.recommenders.tables import share_of_people

LITTLE = np.float32(1e-6)


@dataclass(frozen=True)
class Params:
    """`penalty`: the ridge; `most`: as many items are learned, those that most people have.

    The inverse is dense: 15,000 items take 0.9 GB and minutes. `keep` of each item's weights are
    stored, the largest by size, of both signs.
    """

    penalty: float = 250.0
    most: int = 15_000
    keep: int = 500
    fade: float = 1.0
    popular_half_life_days: float = 30.0


class EASE(Linear):
    """Weights between items, of both signs."""

    params: Params
    defaults = Params

    def learn(self, data: Interactions) -> None:
        params = self.params
        self.prior = share_of_people(data, self.items, half_life_days=params.popular_half_life_days)
        self.floor = np.full(len(self.items), LITTLE)
        has = matrix(data, self.users, self.items)
        has.data[:] = 1.0
        reach = np.bincount(has.indices, minlength=len(self.items))
        chosen = np.sort(np.lexsort((np.arange(len(reach)), -reach))[: params.most])
        dense = solve(has[:, chosen], params.penalty)
        self.table = _largest(dense, chosen, len(self.items), params.keep)


def solve(has: csr_matrix, penalty: float) -> Array:
    """The table (items, items) of float32; the Gram matrix is inverted in place by Cholesky."""
    if penalty <= 0:
        raise ValueError("the penalty must be above zero")
    gram = np.asfortranarray((has.T @ has).toarray(), dtype=np.float32)
    gram[np.diag_indices_from(gram)] += penalty
    factor, fault = lapack.spotrf(gram, lower=1, overwrite_a=1)
    if fault:
        raise ValueError("the penalty is too small for these interactions")
    inverse, _fault = lapack.spotri(factor, lower=1, overwrite_c=1)
    spread = np.array(np.diag(inverse))
    upper = np.tril(inverse, -1)
    inverse = upper + upper.T
    inverse /= -spread
    return inverse


def _largest(dense: Array, chosen: Array, items: int, keep: int) -> csr_matrix:
    """The `keep` weights of largest size in each column, at the places of all items."""
    total = len(chosen)
    width = min(keep, total)
    rows = np.empty((total, width), dtype=np.int64)
    values = np.empty((total, width), dtype=np.float32)
    step = max(1, 8_000_000 // max(1, total))
    for begin in range(0, total, step):
        part = dense[:, begin : begin + step].T
        if width < total:
            places = np.argpartition(-np.abs(part), width - 1, axis=1)[:, :width]
        else:
            places = np.broadcast_to(np.arange(total), part.shape)
        rows[begin : begin + step] = places
        values[begin : begin + step] = np.take_along_axis(part, places, axis=1)
    column = np.repeat(chosen, width)
    good = values.ravel() != 0
    row = chosen[rows.ravel()[good]]
    built = csr_matrix((values.ravel()[good], (row, column[good])), shape=(items, items))
    built.sort_indices()
    return built

"""`implicit` called as its manual says: ones where somebody had an item, its own fit and answers.

The peer that our ALS stands beside, tuned over the same parameters.
"""

from typing import Any

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from models_ml.algorithms.base import NO_ITEM
from models_ml.algorithms.data import Array, Interactions, matrix
from models_ml.algorithms.recommenders import als


class Bare:
    """The peer with the two verbs that `leaveoneout.ask` needs."""

    def __init__(self, params: als.Params) -> None:
        self.params = params

    def fit(self, data: Interactions) -> "Bare":
        self.users, self.items = data.users, data.items
        self.seen: csr_matrix = matrix(data, self.users, self.items)
        self.seen.data[:] = 1.0
        self.solver = solver(self.params, self.params.iterations)
        with threadpool_limits(limits=1, user_api="blas"):
            self.solver.fit(self.seen, show_progress=False)
        return self

    def recommend(
        self, users: Array, k: int, allowed: Any = None, skip_seen: bool = True
    ) -> tuple[Array, Array]:
        rows = self.users.encode(users)
        with threadpool_limits(limits=1, user_api="blas"):
            ids, scores = self.solver.recommend(
                rows,
                self.seen[rows],
                N=min(k, len(self.items)),
                filter_already_liked_items=skip_seen,
            )
        # Places it could not fill have the lowest number there is.
        good = scores > np.finfo(np.float32).min
        return np.where(good, self.items.ids[ids], NO_ITEM), np.where(good, scores, -np.inf)


def solver(params: als.Params, iterations: int) -> AlternatingLeastSquares:
    """The peer's own solver with our parameters."""
    return AlternatingLeastSquares(
        factors=params.factors,
        regularization=params.regularization,
        alpha=params.alpha,
        iterations=iterations,
        num_threads=params.threads,
        random_state=params.seed,
    )

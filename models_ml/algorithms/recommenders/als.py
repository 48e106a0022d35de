"""Matrix factorisation by alternating least squares for purchases without ratings.

Hu, Koren and Volinsky, "Collaborative filtering for implicit feedback datasets" (ICDM 2008): every
pair of person and product is an observation of 0 or 1, and purchases are trusted more. The solver
is the conjugate gradient of `implicit`.

A person's vector solves A x = sum of c[j] y[j] over what they bought, so their score for an item
with vector y is exactly the sum over j of c[j] y'A^-1 y[j]: what each purchase adds to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from models_ml.algorithms.base import NO_ITEM
from models_ml.algorithms.data import DAY, Array, IdMap, Interactions, chunks, matrix
from models_ml.algorithms.recommenders.factors import Factors
from models_ml.algorithms.recommenders.reasons import Reasons, strongest

SECONDS_PER_DAY = DAY.astype(np.int64)
# People whose systems are held at once when their picks are explained.
EXPLAINED = 512


@dataclass(frozen=True)
class Params:
    """`alpha`: trust in a purchase; `half_life_days`: when that trust has halved (0: never)."""

    factors: int = 64
    regularization: float = 30.0
    alpha: float = 10.0
    iterations: int = 15
    half_life_days: float = 20.0
    threads: int = 2
    seed: int = 20111209


class ALS(Factors):
    """People and products as short vectors whose product says how likely a purchase is."""

    params: Params
    defaults = Params

    def fit(self, data: Interactions) -> ALS:
        """Learn from all rows; the weight of a pair is log(1 + sum of weights), times alpha."""
        if not len(data):
            raise ValueError("no interactions to learn from")
        self.users, self.items = data.users, data.items
        self.seen = confidence(data, self.users, self.items, self.params.half_life_days)
        return self.factorise(self.seen)

    def factorise(self, confidences: csr_matrix) -> ALS:
        """Run the iterations on a users by items matrix; one BLAS thread, own threads outside."""
        params = self.params
        with threadpool_limits(limits=1, user_api="blas"):
            solver = AlternatingLeastSquares(
                factors=params.factors,
                regularization=params.regularization,
                alpha=params.alpha,
                iterations=params.iterations,
                num_threads=params.threads,
                random_state=params.seed,
            )
            solver.fit(confidences, show_progress=False)
            # The rounds end with the items: people are solved for once more, against those.
            solver.solver(
                params.alpha * confidences,
                solver.user_factors,
                solver.item_factors,
                params.regularization,
                num_threads=params.threads,
            )
        self.user_factors, self.item_factors = solver.user_factors, solver.item_factors
        return self

    def contributions(self, user: int, item: int) -> tuple[Array, Array]:
        """The person's items and what each adds to the score of `item`; they sum to the score."""
        mine = self.seen[self.users.encode(np.array([user]))]
        place = self.items.encode(np.array([item]))
        asked = self.item_factors[place].astype(np.float64)
        parts = self._parts(mine, asked[None], self._gram())
        return self.items.ids[mine.indices], parts[:, 0]

    def explain(self, users: Array, picks: Array) -> Reasons:
        """The purchase that adds most to each of the picks (n, k), by the exact decomposition."""
        users, picks = np.asarray(users, dtype=np.int64), np.asarray(picks, dtype=np.int64)
        reasons = Reasons.none(picks.shape)
        row, place = self.users.encode(users), self.items.encode(picks)
        met = np.flatnonzero(row >= 0)
        gram = self._gram()
        with threadpool_limits(limits=1, user_api="blas"):
            for part in chunks(len(met), EXPLAINED):
                mine = self.seen[row[met[part]]]
                if not mine.nnz:
                    continue
                asked = place[met[part]]
                factors = self.item_factors[np.maximum(asked, 0)].astype(np.float64)
                factors[asked < 0] = 0
                parts = self._parts(mine, factors, gram)
                entry = np.repeat(np.arange(mine.shape[0]), np.diff(mine.indptr))
                who, first, share = strongest(parts, entry, mine.indices)
                good = first >= 0
                rows = met[part][who]
                own = self.items.ids[mine.indices[np.maximum(first, 0)]]
                reasons.anchor[rows] = np.where(good, own, NO_ITEM)
                reasons.share[rows] = np.where(good, share, 0)
        return reasons

    def _gram(self) -> Array:
        table = self.item_factors.astype(np.float64)
        return table.T @ table + self.params.regularization * np.eye(table.shape[1])

    def _parts(self, mine: csr_matrix, asked: Array, gram: Array) -> Array:
        """What each entry of `mine` (e) adds to each of `asked` (n, k, factors): (e, k)."""
        table = self.item_factors.astype(np.float64)
        confidences = self.params.alpha * mine.data.astype(np.float64)
        people = np.broadcast_to(gram, (mine.shape[0], *gram.shape)).copy()
        for who in range(mine.shape[0]):
            part = slice(mine.indptr[who], mine.indptr[who + 1])
            own = table[mine.indices[part]]
            people[who] += (own * (confidences[part, None] - 1)).T @ own
        # One system a person with k right-hand sides: (n, factors, k).
        solved = np.linalg.solve(people, asked.transpose(0, 2, 1))
        entry = np.repeat(np.arange(mine.shape[0]), np.diff(mine.indptr))
        own = table[mine.indices]
        return np.einsum("ef,efk->ek", own, solved[entry]) * confidences[:, None]


def confidence(
    data: Interactions, users: IdMap, items: IdMap, half_life_days: float = 0.0
) -> csr_matrix:
    """Users by items: log(1 + purchases), each purchase fading by half every `half_life_days`."""
    weight: Any = data.weight
    if half_life_days:
        age = (data.span[1] - data.at).astype(np.int64) / SECONDS_PER_DAY
        weight = weight * np.exp2(-age / half_life_days)
    built = matrix(data, users, items, weight)
    # A pair that faded to nothing was still bought: keep it in the pattern.
    np.log1p(built.data, out=built.data)
    np.maximum(built.data, np.float32(1e-6), out=built.data)
    return built

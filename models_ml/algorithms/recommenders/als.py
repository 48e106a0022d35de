"""Matrix factorisation by alternating least squares for purchases without ratings.

Hu, Koren and Volinsky, "Collaborative filtering for implicit feedback datasets" (ICDM 2008): every
pair of person and product is an observation of 0 or 1, and purchases are trusted more. The solver
is the conjugate gradient of `implicit`.

A person's vector solves A x = sum of c[j] y[j] over what they bought, so their score for an item
with vector y is exactly the sum over j of c[j] y'A^-1 y[j]: what each purchase adds to it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from scipy.linalg import solve_triangular
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from models_ml.algorithms.base import NO_ITEM
from models_ml.algorithms.data import DAY, Array, IdMap, Interactions, chunks, matrix
from models_ml.algorithms.recommenders.factors import Factors
from models_ml.algorithms.recommenders.reasons import Reasons

SECONDS_PER_DAY = DAY.astype(np.int64)
# Purchases whose parts are solved for at once when picks are explained.
ENTRIES = 1 << 13


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
            # A round of the solver ends with the columns. Products are its rows, so that people are
            # solved for last, against the products as they stay.
            solver.fit(confidences.T.tocsr(), show_progress=False)
        self.user_factors, self.item_factors = solver.item_factors, solver.user_factors
        self.__dict__.pop("_basis", None)
        return self

    def contributions(self, user: int, item: int) -> tuple[Array, Array]:
        """The person's items and what each adds to the score of `item`; they sum to the score."""
        mine = self.seen[self.users.encode(np.array([user]))]
        asked = self.items.encode(np.array([[item]]))
        parts = self._parts(mine.indices[None], mine.data[None], asked)
        return self.items.ids[mine.indices], parts[0, 0]

    def explain(self, users: Array, picks: Array) -> Reasons:
        """The purchase that adds most to each of the picks (n, k), by the exact decomposition."""
        users, picks = np.asarray(users, dtype=np.int64), np.asarray(picks, dtype=np.int64)
        reasons = Reasons.none(picks.shape)
        row, place = self.users.encode(users), self.items.encode(picks)
        count = np.where(row >= 0, np.diff(self.seen.indptr)[row], 0) if len(self.users) else row
        met = np.flatnonzero((count > 0) & (place >= 0).any(axis=1))

        def tell(who: Array) -> None:
            own = self.seen.indptr[row[who]][:, None] + np.arange(count[who[0]])
            mine, asked = self.seen.indices[own], place[who]
            parts = self._parts(mine, self.seen.data[own], asked)
            parts[asked < 0] = 0
            # Of equals the lowest item speaks, as the items of a person are sorted.
            first = parts.argmax(axis=2)
            best, whole = parts.max(axis=2), parts.sum(axis=2)
            good = best > 0
            anchor = self.items.ids[np.take_along_axis(mine, first, axis=1)]
            reasons.anchor[who] = np.where(good, anchor, NO_ITEM)
            share = np.divide(best, whole, out=np.zeros_like(whole), where=good & (whole > 0))
            reasons.share[who] = share

        # People with as many purchases are solved for together.
        met = met[np.argsort(count[met], kind="stable")]
        ends = np.flatnonzero(np.diff(count[met])) + 1
        several = [
            group[part]
            for group in np.split(met, ends)
            if len(group)
            for part in chunks(len(group), max(1, ENTRIES // int(count[group[0]])))
        ]
        self._basis  # noqa: B018 made once, before threads ask for it
        with (
            threadpool_limits(limits=1, user_api="blas"),
            ThreadPoolExecutor(self.params.threads) as pool,
        ):
            list(pool.map(tell, several))
        return reasons

    @cached_property
    def _basis(self) -> Array:
        """Items in coordinates in which the part of A that everybody shares is the identity."""
        table = self.item_factors.astype(np.float64)
        shared = table.T @ table + self.params.regularization * np.eye(table.shape[1])
        lower = np.linalg.cholesky(shared)
        return np.ascontiguousarray(solve_triangular(lower, table.T, lower=True).T)

    def _parts(self, own: Array, said: Array, asked: Array) -> Array:
        """What each of the items `own` (n, m) adds to the scores of `asked` (n, k): (n, k, m).

        `said` (n, m) are the confidences. With W the rows of `own` in the basis and D of c - 1, the
        system of a person is I + W'DW; where they have fewer items than there are factors, the
        smaller I + WW'D is solved in its place (the identity of Sherman, Morrison and Woodbury).
        """
        mine, theirs = self._basis[own], self._basis[np.maximum(asked, 0)].transpose(0, 2, 1)
        trust = self.params.alpha * said.astype(np.float64)
        across = mine.transpose(0, 2, 1)
        if own.shape[1] <= mine.shape[2]:
            system = (mine @ across) * (trust - 1)[:, None, :]
            solved = np.linalg.solve(system + np.eye(own.shape[1]), mine @ theirs)
        else:
            system = across @ (mine * (trust - 1)[:, :, None])
            solved = mine @ np.linalg.solve(system + np.eye(mine.shape[2]), theirs)
        return np.asarray((solved * trust[:, :, None]).transpose(0, 2, 1))


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

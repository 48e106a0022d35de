"""Matrix factorisation that learns to put what somebody bought above what they did not.

Rendle et al., "BPR: Bayesian personalized ranking from implicit feedback" (UAI 2009), by the
stochastic descent of `implicit`: a purchase is drawn, a product the person does not have is drawn
beside it, and both vectors move a little apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from implicit.cpu.bpr import BayesianPersonalizedRanking
from threadpoolctl import threadpool_limits

from models_ml.algorithms.data import Interactions
from models_ml.algorithms.recommenders.als import confidence
from models_ml.algorithms.recommenders.factors import Factors


@dataclass(frozen=True)
class Params:
    """`iterations`: passes over all purchases. More than one thread is faster, and no longer the
    same from run to run, as threads write over each other."""

    factors: int = 32
    learning_rate: float = 0.05
    regularization: float = 0.01
    iterations: int = 40
    threads: int = 1
    seed: int = 20111209


class BPR(Factors):
    """The last number of each vector is how popular the product is, the same for everybody."""

    params: Params
    defaults = Params

    def fit(self, data: Interactions) -> BPR:
        if not len(data):
            raise ValueError("no interactions to learn from")
        params = self.params
        self.users, self.items = data.users, data.items
        self.seen = confidence(data, self.users, self.items)
        if len(self.items) == 1:
            # There is nothing to put it above.
            self.user_factors = np.ones((len(self.users), 1), dtype=np.float32)
            self.item_factors = np.ones((1, 1), dtype=np.float32)
            return self
        with threadpool_limits(limits=1, user_api="blas"):
            solver = BayesianPersonalizedRanking(
                factors=params.factors,
                learning_rate=params.learning_rate,
                regularization=params.regularization,
                iterations=params.iterations,
                num_threads=params.threads,
                random_state=params.seed,
            )
            solver.fit(self.seen, show_progress=False)
        self.user_factors = np.asarray(solver.user_factors, dtype=np.float32)
        self.item_factors = np.asarray(solver.item_factors, dtype=np.float32)
        return self

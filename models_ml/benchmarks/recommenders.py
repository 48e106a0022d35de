"""How fast the recommenders train, each beside its limit in the same run.

Nothing is stored: matrices are simulated. Both sides of a ratio run in turn, so that a busy machine
slows them alike; the ratio is the median of the pairs.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from models_ml.algorithms.data import Interactions
from models_ml.algorithms.recommenders import als
from models_ml.benchmarks import bare
from models_ml.benchmarks.data import pace

RUNS = 3
SEED = 20111209
START = np.datetime64("2026-01-01", "s")
# people, products, purchases
SHOPS = {"small": (20_000, 5_000, 500_000), "full": (200_000, 20_000, 5_000_000)}


def purchases(size: str) -> Interactions:
    """A shop of the given size; products are popular by a power law."""
    people, products, rows = SHOPS[size]
    rng = np.random.default_rng(SEED)
    item = np.minimum((rng.pareto(0.8, rows) * products / 100).astype(np.int64), products - 1)
    at = START + np.sort(rng.integers(0, 360 * 86_400, rows))
    return Interactions.of(rng.integers(0, people, rows), item, at)


def als_train(size: str = "small") -> dict[str, Any]:
    """Purchases to stored factors through the product, against `implicit` on the same matrix."""
    data = purchases(size)
    params = als.Params()
    matrix = als.confidence(data, data.users, data.items, params.half_life_days)
    _bare(matrix, params, iterations=1)
    ours, limit = [], []
    for _round in range(RUNS):
        fresh = Interactions(data.user, data.item, data.at, data.weight)
        began = time.perf_counter()
        als.ALS(params).fit(fresh)
        ours.append(params.iterations / (time.perf_counter() - began))
        began = time.perf_counter()
        _bare(matrix, params, params.iterations)
        limit.append(params.iterations / (time.perf_counter() - began))
    return pace("als.train", "iterations/s", len(data), ours, limit, "implicit, same matrix")


def _bare(matrix: csr_matrix, params: als.Params, iterations: int) -> None:
    with threadpool_limits(limits=1, user_api="blas"):
        bare.solver(params, iterations).fit(matrix, show_progress=False)


WORKLOADS: dict[str, Callable[[str], dict[str, Any]]] = {
    "als.train": als_train,
}

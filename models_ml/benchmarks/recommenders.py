"""How fast the recommenders train, each beside its limit in the same run.

Purchases are simulated. Both sides of a ratio run in turn, so that a busy machine slows them alike;
the ratio is the median of the pairs. How time grows is told in seconds of the processor, and drawn
into the file that PLOT names.
"""

import io
import os
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from django.db import connection
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from models_ml import interactions
from models_ml.algorithms.data import Interactions
from models_ml.algorithms.recommenders import als, markov
from models_ml.benchmarks import bare, plots, shops
from models_ml.benchmarks.data import line, pace

RUNS = 3
SEED = 20111209
START = np.datetime64("2026-01-01", "s")
# people, products, purchases
SHOPS = {"small": (20_000, 5_000, 500_000), "full": (200_000, 20_000, 5_000_000)}
# Of a shop: three sizes, in people and purchases alike.
PARTS = (0.25, 0.5, 1.0)
# What a longer history may cost more than its length.
BEND = 1.25


def purchases(size: str, part: float = 1.0) -> Interactions:
    """A shop of the given size; products are popular by a power law."""
    people, products, rows = SHOPS[size]
    people, rows = int(people * part), int(rows * part)
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
    return pace(
        "als.train", "iterations/s", len(data), ours, limit, "implicit, same matrix",
        keep=round(1 / 1.05, 4),
    )  # fmt: skip


def _bare(matrix: csr_matrix, params: als.Params, iterations: int) -> None:
    with threadpool_limits(limits=1, user_api="blas"):
        bare.solver(params, iterations).fit(matrix, show_progress=False)


def als_read(size: str = "small") -> dict[str, Any]:
    """Purchases from the database to the matrix that is learned, against COPY out alone."""
    people, lines = (shops.SHOPS if size == "small" else {size: (200_000, 5_000_000)})[size]
    ours, limit = [], []
    with shops.shop(people, lines):
        for _round in range(RUNS):
            began = time.perf_counter()
            data = interactions.read(as_of=shops.NOW)
            als.confidence(data, data.users, data.items, als.Params().half_life_days)
            ours.append(len(data) / (time.perf_counter() - began))
            began = time.perf_counter()
            with connection.cursor() as cursor:
                cursor.copy_expert(_BARE_COPY, io.BytesIO())
            limit.append(lines / (time.perf_counter() - began))
    what = "COPY of the same columns out, nothing made of it"
    return pace("als.read", "rows/s", lines, ours, limit, what, keep=0.5)


_BARE_COPY = """COPY (SELECT customer_id, product_id, placed_at FROM ingestion_orderline)
TO STDOUT (FORMAT binary)"""


def growth(size: str = "small") -> dict[str, Any]:
    """Seconds of the processor by purchases over three sizes; PLOT names an SVG to write."""
    made: dict[str, list[tuple[float, float]]] = {
        name: [] for name in ("ALS, learn", "ALS, 10 for everybody", "chain, learn")
    }
    for part in PARTS:
        data = purchases(size, part)
        model = als.ALS()
        for name, work in (
            ("ALS, learn", lambda data=data, model=model: model.fit(data)),
            ("ALS, 10 for everybody", lambda model=model: model.recommend(model.users.ids, 10)),
            ("chain, learn", lambda data=data: markov.Markov().fit(data)),
        ):
            began = time.process_time()
            work()
            made[name].append((float(len(data)), time.process_time() - began))
    plot = os.environ.get("PLOT", "")
    if plot:
        title = "How time grows with a shop (people and purchases)"
        plots.write(Path(plot), title, "purchases", "seconds of the processor", made)
    # Of each step from one size to the next: how much more a purchase costs than before.
    bends = {
        name: [round(b[1] / b[0] / (a[1] / a[0]), 3) for a, b in pairwise(points)]
        for name, points in made.items()
    }
    return line(
        "als.growth",
        "times as dear a purchase in a shop twice as large",
        len(data),
        [max(max(found) for found in bends.values())],
        most=("linear in purchases, within", BEND),
        origin="the project's own goal",
        bends=bends,
        seconds={name: [round(y, 2) for _x, y in points] for name, points in made.items()},
        purchases=[int(x) for x, _y in made["ALS, learn"]],
    )


WORKLOADS: dict[str, Callable[[str], dict[str, Any]]] = {
    "als.train": als_train,
    "als.read": als_read,
    "als.growth": growth,
}

"""How long the reasons for one customer take: exact shares of trees, and their shares' sum."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from models_ml.algorithms.explain.trees import TreeShares
from models_ml.bench_data import Line, line

SEED = 20111209
PEOPLE = {"small": 20_000, "full": 200_000}
COLUMNS, ASKED = 30, 20
MOST_MS = 50.0


def customers(size: str) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    rng = np.random.default_rng(SEED)
    x = rng.normal(size=(PEOPLE[size], COLUMNS))
    x[rng.random(x.shape) < 0.05] = np.nan
    known = np.nan_to_num(x[:, :6])
    score = known[:, 0] + known[:, 1] * known[:, 2] + np.abs(known[:, 3]) - known[:, 4] / 2
    return x, (score + rng.logistic(size=len(x)) > 1).astype(np.int64)


def reasons(size: str = "small") -> list[Line]:
    """One customer at a time, as the page of a customer asks, the model being loaded."""
    x, y = customers(size)
    models: dict[str, Any] = {
        "boosting, 300 trees of 12 leaves": HistGradientBoostingClassifier(
            max_iter=300, max_leaf_nodes=12, early_stopping=False, random_state=SEED
        ),
        "forest, 100 trees": RandomForestClassifier(
            100, min_samples_leaf=max(20, len(x) // 2500), n_jobs=2, random_state=SEED
        ),
    }
    lines = []
    for name, model in models.items():
        model.fit(x, y)
        explained = TreeShares.of(model)
        explained.contributions(x[:1])
        took, off = [], 0.0
        for row in range(ASKED):
            began = time.perf_counter()
            base, shares = explained.contributions(x[row : row + 1])
            took.append(1000 * (time.perf_counter() - began))
            off = max(off, abs(base + shares.sum() - _said(model, x[row : row + 1])))
        lines.append(
            line("reasons.one", "ms", 1, took, most=("50 ms", MOST_MS), model=name, off=off)
        )
    return lines


def _said(model: Any, x: NDArray[np.float64]) -> float:
    if hasattr(model, "decision_function"):
        return float(model.decision_function(x)[0])
    return float(model.predict_proba(x)[0, 1])


WORKLOADS: dict[str, Callable[[str], list[Line]]] = {"reasons.one": reasons}

"""How long the reasons for one customer take, and whether their sum is the score."""

import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models_ml.algorithms.tabular.calibration import Calibrator
from models_ml.algorithms.tabular.families import CANDIDATES
from models_ml.algorithms.tabular.fitted import Fitted
from models_ml.algorithms.tabular.frame import Schema
from models_ml.benchmarks.data import Line, line

SEED = 20111209
PEOPLE = {"small": 20_000, "full": 200_000}
COLUMNS, ASKED = 30, 20
MOST_MS = 50.0
HOW = {
    "linear": "exact",
    "forest": "exact shares of trees",
    "boosting": "exact shares of trees",
    "network": "sampled orders",
}


def customers(size: str) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    rng = np.random.default_rng(SEED)
    x = rng.normal(size=(PEOPLE[size], COLUMNS))
    x[rng.random(x.shape) < 0.05] = np.nan
    known = np.nan_to_num(x[:, :6])
    score = known[:, 0] + known[:, 1] * known[:, 2] + np.abs(known[:, 3]) - known[:, 4] / 2
    columns = pd.DataFrame(x, columns=[f"f{n}" for n in range(COLUMNS)])
    return columns, score + rng.logistic(size=len(x)) > 1


def reasons(size: str = "small") -> list[Line]:
    """One customer at a time, the model being loaded: columns read, shares, and points of chance.

    Each kind in the setting of a contest that takes longest. What the database takes is not in it.
    """
    x, y = customers(size)
    schema = Schema.of(x)
    table = schema.read(x)
    lines = []
    for name, how in HOW.items():
        kind = CANDIDATES[name]
        # The smallest groups of a forest and the most leaves of a boosted tree take longest.
        setting = list(kind.settings(table, "chance"))[0 if name == "forest" else -1]
        model = kind.fit(table, y, task="chance", seed=SEED, setting=setting)
        fitted = Fitted(name, "chance", schema, model, Calibrator("plain", "chance"))
        fitted.contributions(x[:1])
        took, off = [], 0.0
        for row in range(ASKED):
            one = x[row : row + 1]
            began = time.perf_counter()
            base, shares = fitted.contributions(one)
            took.append(1000 * (time.perf_counter() - began))
            off = max(off, abs(base + float(shares.sum()) - float(fitted.predict(one)[0])))
        lines.append(
            line(
                f"reasons.one:{name}",
                "ms",
                1,
                took,
                most=("one customer", MOST_MS),
                origin="the project's goal",
                model=name,
                setting=setting,
                how=how,
                off=off,
            )
        )
    return lines


WORKLOADS: dict[str, Callable[[str], list[Line]]] = {"reasons.one": reasons}

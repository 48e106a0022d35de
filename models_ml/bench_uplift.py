"""Hillstrom's e-mail test: who visits because of the mail, on repeated halves of the people.

Women's e-mail against none. Each split teaches on one half and judges on the other; the learners of
scikit-uplift, where it is installed, get the same halves and the same measure.
"""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from models_ml.algorithms.uplift.curves import judge, qini
from models_ml.algorithms.uplift.learners import METHODS, Method, Params, Uplift
from models_ml.bench_data import Line, find, line, skipped

HILLSTROM = "hillstrom/hillstrom.csv.gz"
SPLITS = {"small": 5, "full": 20}
USED: Method = "t"
# For reading: the area per ten thousand people.
SCALE = 10_000.0


def hillstrom(size: str = "small") -> list[Line]:
    """Qini of each learner as a mean over splits, and its interval on the first."""
    path = find(HILLSTROM)
    if path is None:
        return [skipped("uplift.hillstrom", HILLSTROM)]
    table = pd.read_csv(path)
    drop = ["segment", "visit", "conversion", "spend", "history_segment"]
    x = pd.get_dummies(table.drop(columns=drop)).to_numpy(dtype=np.float64)
    treated = (table["segment"] != "No E-Mail").to_numpy()
    y = table["visit"].to_numpy(dtype=np.float64)
    ours: dict[str, list[float]] = {method: [] for method in METHODS}
    theirs: dict[str, list[float]] = {}
    first: dict[str, Any] = {}
    for split in range(SPLITS[size]):
        order = np.random.default_rng(split).permutation(len(y))
        a, b = order[: len(y) // 2], order[len(y) // 2 :]
        for method in METHODS:
            effect = Uplift(Params(method=method)).fit(x[a], treated[a], y[a]).effect(x[b])
            ours[method].append(SCALE * qini(effect, treated[b], y[b]))
            if split == 0 and method == USED:
                found = judge(effect, treated[b], y[b], seed=split)
                area = found.qini
                first = {
                    "code": found.code,
                    "qini": [round(SCALE * v, 2) for v in (area.value, area.low, area.high)],
                    "auuc": [round(SCALE * v, 2) for v in vars(found.auuc).values()],
                }
        for name, said in _peers(x[a], treated[a], y[a], x[b]).items():
            theirs.setdefault(name, []).append(SCALE * qini(said, treated[b], y[b]))
    best = max(theirs, key=lambda name: float(np.mean(theirs[name]))) if theirs else ""
    peer = (f"scikit-uplift, {best}", float(np.mean(theirs[best]))) if best else None
    return [
        line(
            "uplift.hillstrom",
            "Qini per 10,000 people",
            len(y),
            values,
            least=peer if method == USED else None,
            peer=peer,
            learner=method,
            first_split=first if method == USED else None,
        )
        for method, values in ours.items()
    ]


def _peers(
    x: NDArray[np.float64],
    treated: NDArray[np.bool_],
    y: NDArray[np.float64],
    asked: NDArray[np.float64],
) -> dict[str, NDArray[np.float64]]:
    """The two-model learners of scikit-uplift on logistic regression, their best here."""
    if find_spec("sklift") is None:
        return {}
    names = [f"c{j}" for j in range(x.shape[1])]
    learn, later = pd.DataFrame(x, columns=names), pd.DataFrame(asked, columns=names)
    models = import_module("sklift.models")
    found = {}
    for method in ("vanilla", "ddr_control", "ddr_treatment"):
        pair = [make_pipeline(StandardScaler(), LogisticRegression()) for _ in range(2)]
        model = models.TwoModels(*pair, method=method)
        model.fit(learn, pd.Series(y.astype(int)), pd.Series(treated.astype(int)))
        found[method] = np.asarray(model.predict(later), dtype=np.float64)
    return found


WORKLOADS: dict[str, Callable[[str], list[Line]]] = {"uplift.hillstrom": hillstrom}

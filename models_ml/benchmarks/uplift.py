"""Hillstrom's e-mail test: who visits, and who buys, because of the mail.

Repeated halves of the people: each split teaches on one half and judges on the other. What the
product does (a learner chosen inside the half it is taught by) stands beside each of its learners
and beside every model of scikit-uplift on two kinds of estimators, on the same halves, with the
same columns and the same measure; the limit is the best of those, chosen after the fact.
"""

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from models_ml.algorithms.uplift import curves, trial
from models_ml.algorithms.uplift.trial import Trial
from models_ml.benchmarks.data import Line, find, line, skipped

HILLSTROM = "hillstrom/hillstrom.csv.gz"
OUTCOMES = ("visit", "conversion")
# The treatments, each beside nobody mailed.
MAILS = ("Womens E-Mail", "Mens E-Mail")
LEFT_OUT = ["segment", "visit", "conversion", "spend", "history_segment"]
SPLITS = {"small": 4, "full": 20}
PEER = "scikit-uplift"
# For reading: the area per ten thousand people.
SCALE = 10_000.0
SEED = 20111209

Said = NDArray[np.float64]


def hillstrom(size: str = "small") -> list[Line]:
    """A line an outcome and mail: the product's Qini over splits, beside learners and peers."""
    path = find(HILLSTROM)
    if path is None:
        return [skipped("uplift.hillstrom", HILLSTROM)]
    table = pd.read_csv(path)
    lines: list[Line] = []
    for mail in MAILS:
        part = table[table["segment"].isin([mail, "No E-Mail"])]
        if (part["segment"] == mail).any():
            lines += [_measure(part, mail, outcome, SPLITS[size]) for outcome in OUTCOMES]
    if find_spec("sklift") is None:
        lines.append(
            {
                "name": f"uplift.hillstrom.{PEER}",
                "skipped": f"{PEER} is not installed: pip install --group peers, then run it again",
            }
        )
    return lines


def _measure(table: pd.DataFrame, mail: str, outcome: str, splits: int) -> Line:
    everybody = Trial(
        x=table.drop(columns=LEFT_OUT).reset_index(drop=True),
        treated=(table["segment"] == mail).to_numpy(),
        y=table[outcome].to_numpy(dtype=np.float64),
        person=np.arange(len(table)),
        run=np.zeros(len(table), dtype=np.int64),
        chance=np.full(len(table), 0.5),
    )
    product: list[float] = []
    others: dict[str, list[float]] = {}
    theirs: dict[str, list[float]] = {}
    first: dict[str, Any] = {}
    for split in range(splits):
        order = np.random.default_rng(split).permutation(len(everybody))
        a, b = (everybody.take(rows) for rows in np.array_split(order, 2))
        a, b = (replace(one, chance=np.full(len(one), one.treated.mean())) for one in (a, b))
        found = trial.run(a, b, seed=SEED + split)
        product.append(SCALE * curves.qini(found.effect, b.treated, b.y))
        for row in found.table:
            others.setdefault(row.name, []).append(SCALE * row.qini.value)
        peers = _peers(a, b)
        for name, said in peers.items():
            theirs.setdefault(name, []).append(SCALE * curves.qini(said, b.treated, b.y))
        if split == 0:
            first = _first(found, peers, b)
    means = {name: round(float(np.mean(values)), 3) for name, values in theirs.items()}
    best = max(means, key=lambda name: means[name]) if means else ""
    two = [name for name in means if name.startswith("two models")]
    peer = (f"{PEER}, {best}", float(np.mean(theirs[best]))) if best else None
    beside = np.array(product) - np.array(theirs[best]) if best else np.array(product)
    return line(
        f"uplift.hillstrom.{mail.split()[0].lower()}.{outcome}",
        "Qini per 10,000 people",
        len(everybody),
        product,
        least=peer,
        origin=f"{PEER}, measured in the same run" if peer else "",
        peer=peer,
        beside=[round(float(f(beside)), 3) for f in (np.mean, np.min, np.max)] if best else None,
        learners={name: round(float(np.mean(values)), 3) for name, values in others.items()},
        peers=means,
        best_two_models=max((means[name] for name in two), default=None),
        first_split=first,
    )


def _first(found: trial.Outcome, peers: dict[str, Said], later: Trial) -> dict[str, Any]:
    """Intervals, which take their time: of the product, and of its lead over the best peer."""
    verdict = found.verdict
    answer: dict[str, Any] = {
        "code": found.code,
        "learner": found.fitted.name,
        "qini": _scaled(verdict.qini.as_json()),
        "auuc": _scaled(verdict.auuc.as_json()),
        "effect": _scaled(verdict.mean.as_json()),
    }
    if peers:
        best = max(peers, key=lambda name: curves.qini(peers[name], later.treated, later.y))
        lead = curves.lead(found.effect, peers[best], later.treated, later.y, seed=SEED)
        answer["lead"] = {"over": best} | _scaled(lead.as_json())
    return answer


def _scaled(interval: dict[str, float]) -> dict[str, float]:
    return {name: round(SCALE * value, 2) for name, value in interval.items()}


def _peers(learn: Trial, later: Trial) -> dict[str, Said]:
    """What every model of scikit-uplift says, on logistic regression and on boosting."""
    if find_spec("sklift") is None:
        return {}
    x = pd.get_dummies(pd.concat([learn.x, later.x], ignore_index=True)).astype(np.float64)
    a, b = x.iloc[: len(learn)].reset_index(drop=True), x.iloc[len(learn) :].reset_index(drop=True)
    y, treated = pd.Series(learn.y.astype(int)), pd.Series(learn.treated.astype(int))
    models = import_module("sklift.models")
    found: dict[str, Said] = {}
    for base, (chance, number) in _bases().items():
        made = {
            **{
                f"two models, {method}": models.TwoModels(chance(), chance(), method=method)
                for method in ("vanilla", "ddr_control", "ddr_treatment")
            },
            **{
                f"solo, {method}": models.SoloModel(chance(), method=method)
                for method in ("dummy", "treatment_interaction")
            },
            "class transformation": models.ClassTransformation(chance()),
            "class transformation, regression": models.ClassTransformationReg(
                estimator=number(), propensity_val=float(treated.mean())
            ),
        }
        for name, model in made.items():
            model.fit(a, y, treated)
            found[f"{name} ({base})"] = np.asarray(model.predict(b), dtype=np.float64)
    return found


def _bases() -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    trees = {"max_iter": 60, "max_leaf_nodes": 6, "learning_rate": 0.05, "min_samples_leaf": 200}
    return {
        "linear": (
            lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=300)),
            lambda: make_pipeline(StandardScaler(), Ridge()),
        ),
        "boosting": (
            lambda: HistGradientBoostingClassifier(**trees, random_state=SEED),
            lambda: HistGradientBoostingRegressor(**trees, random_state=SEED),
        ),
    }


WORKLOADS: dict[str, Callable[[str], list[Line]]] = {"uplift.hillstrom": hillstrom}

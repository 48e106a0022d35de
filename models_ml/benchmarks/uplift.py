"""Hillstrom's e-mail test: who visits, and who buys, because of the mail.

Repeated halves of the people: each split teaches on one half and judges on the other. What the
product does (a learner chosen inside the half it is taught by) stands beside each of its learners
and beside every model of scikit-uplift on two kinds of estimators, on the same halves, with the
same columns and the same measure. Each outcome has two lines: beside the best of those chosen after
the fact, which nobody could have known, and beside the one that cross-validation on the folds by
which ours is chosen would have chosen of them. How far ours is ahead is drawn anew over people.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
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

from models_ml.algorithms.tabular.splits import folds_of
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
DRAWS = 400

Said = NDArray[np.float64]


def hillstrom(size: str = "small") -> list[Line]:
    """Lines an outcome and mail: the product's Qini over splits, beside learners and peers."""
    path = find(HILLSTROM)
    if path is None:
        return [skipped("uplift.hillstrom", HILLSTROM)]
    table = pd.read_csv(path)
    lines: list[Line] = []
    for mail in MAILS:
        part = table[table["segment"].isin([mail, "No E-Mail"])]
        if (part["segment"] == mail).any():
            for outcome in OUTCOMES:
                lines += _measure(part, mail, outcome, SPLITS[size])
    if find_spec("sklift") is None:
        lines.append(
            {
                "name": f"uplift.hillstrom.{PEER}",
                "skipped": f"{PEER} is not installed: pip install --group peers, then run it again",
            }
        )
    return lines


def _measure(table: pd.DataFrame, mail: str, outcome: str, splits: int) -> list[Line]:
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
    judged: list[Judged] = []
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
        judged.append(Judged(b, found.effect, peers, _validated(a, SEED + split) if peers else ""))
        if split == 0:
            first = _first(found)
    name = f"uplift.hillstrom.{mail.split()[0].lower()}.{outcome}"
    unit = "Qini per 10,000 people"
    means = {peer: round(float(np.mean(values)), 3) for peer, values in theirs.items()}
    if not means:
        return [line(name, unit, len(everybody), product, first_split=first)]
    best = max(means, key=lambda peer: means[peer])
    picked = [one.picked for one in judged]
    known = [theirs[peer][split] for split, peer in enumerate(picked)]
    two = [peer for peer in means if peer.startswith("two models")]
    after = (f"{PEER}, {best}", float(np.mean(theirs[best])))
    before = (f"{PEER}, chosen by cross-validation", float(np.mean(known)))
    origin = f"{PEER}, measured in the same run"
    return [
        line(
            name,
            unit,
            len(everybody),
            product,
            least=after,
            origin=f"{origin}, the best chosen after the fact",
            peer=after,
            lead=_lead(judged, [best] * splits),
            learners={key: round(float(np.mean(values)), 3) for key, values in others.items()},
            peers=means,
            best_two_models=max(means[peer] for peer in two),
            first_split=first,
        ),
        line(
            f"{name}.chosen_before",
            unit,
            len(everybody),
            product,
            least=before,
            origin=origin,
            peer=before,
            lead=_lead(judged, picked),
            picked={peer: picked.count(peer) for peer in sorted(set(picked))},
        ),
    ]


@dataclass(frozen=True)
class Judged:
    """One split: who judges, what ours and theirs say, and which of theirs was picked before."""

    later: Trial
    ours: Said
    theirs: dict[str, Said]
    picked: str


def _lead(judged: list[Judged], peers: list[str]) -> dict[str, float]:
    """How much more ours finds than the peer of each split, on average, with its interval.

    Both are judged on the same people drawn anew, and a person is drawn as often in every split.
    """
    people = 1 + max(int(one.later.person.max()) for one in judged)
    rng = np.random.default_rng(SEED)

    def ahead(times: Said) -> float:
        found = []
        for one, peer in zip(judged, peers, strict=True):
            b, weight = one.later, times[one.later.person]
            ours, theirs = (
                curves.qini(said, b.treated, b.y, weight) for said in (one.ours, one.theirs[peer])
            )
            found.append(ours - theirs)
        return SCALE * float(np.mean(found))

    drawn = [ahead(rng.poisson(1.0, people).astype(np.float64)) for _ in range(DRAWS)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    value = ahead(np.ones(people))
    return {"value": round(value, 3), "low": round(float(low), 3), "high": round(float(high), 3)}


def _validated(learn: Trial, seed: int) -> str:
    """Which of the peers finds most in the folds by which ours is chosen."""
    fold = folds_of(learn.person, learn.y > 0, trial.FOLDS, seed)
    found: dict[str, list[float]] = {}
    for number in range(trial.FOLDS):
        here = fold == number
        mine = learn.take(here)
        for name, said in _peers(learn.take(~here), mine).items():
            found.setdefault(name, []).append(curves.qini(said, mine.treated, mine.y))
    return max(found, key=lambda name: float(np.mean(found[name])))


def _first(found: trial.Outcome) -> dict[str, Any]:
    """What the product itself tells of one split, with its intervals."""
    verdict = found.verdict
    return {
        "code": found.code,
        "learner": found.fitted.name,
        "qini": _scaled(verdict.qini.as_json()),
        "auuc": _scaled(verdict.auuc.as_json()),
        "effect": _scaled(verdict.mean.as_json()),
    }


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

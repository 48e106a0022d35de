"""Effects for each person from people who were treated and people who were not, by chance.

T: a model of the outcome for each group, and their difference; the model of the treated also reads
what the other says of each person (dependent representation, Betlei, Diemert & Amini 2018). X
(Kuenzel et al. 2019): the effects imputed from two such models, learned in turn and weighed by the
share treated. Transformed outcome (Jaskowski & Jaroszewicz 2012): a number for each person whose
mean is the effect, learned at once.
Each can be built on linear models (ridge, or logistic where the outcome is yes or no) or on
histogram gradient boosting.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import skops.io
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from models_ml.algorithms import artifacts
from models_ml.algorithms.errors import Unfit
from models_ml.algorithms.uplift.power import LEAST_EACH

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Method = Literal["t", "x", "transformed"]
Base = Literal["linear", "boosting"]

STEM = "uplift"
TRUSTED = ["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]


@dataclass(frozen=True)
class Params:
    method: Method = "t"
    base: Base = "linear"
    # Of ridge and logistic regression; the rest is for `boosting`.
    penalty: float = 1.0
    trees: int = 60
    leaves: int = 6
    rate: float = 0.05
    least: int = 200
    seed: int = 20111209


@dataclass
class Uplift:
    """Columns of numbers in (n, m), nan for unknown; the effect in units of the outcome out."""

    params: Params = field(default_factory=Params)
    share: float = 0.5
    models: list[Any] = field(default_factory=list)
    middle: list[float] = field(default_factory=list)

    def fit(self, x: Floats, treated: Bools, y: Floats, *, chance: Floats | None = None) -> Self:
        """`treated` was decided by chance; Unfit when a group is too small or all are the same.

        `chance` (n,) is each person's own chance of being treated, where it was not one for all.
        """
        check(treated, y)
        known = np.where(np.isfinite(x), x, np.nan)
        empty = ~np.isfinite(known).any(axis=0)
        known[:, empty] = 0.0
        self.middle = np.nanmedian(known, axis=0).tolist()
        x, y = self._read(x), np.asarray(y, dtype=np.float64)
        self.share = float(treated.mean())
        w = balance(treated, chance)
        if self.params.method == "transformed":
            # Taking the mean off first changes no effect and much of the noise.
            centred = y - y.mean()
            e = np.full(len(y), self.share) if chance is None else chance
            number = np.where(treated, centred / e, -centred / (1 - e))
            self.models = [self._learn(x, number)]
            return self
        without = self._learn(x[~treated], y[~treated], w[~treated])
        if self.params.method == "t":
            both = np.column_stack([x, _say(without, x)])
            self.models = [self._learn(both[treated], y[treated], w[treated]), without]
            return self
        with_it = self._learn(x[treated], y[treated], w[treated])
        gained = y[treated] - _say(without, x[treated])
        missed = _say(with_it, x[~treated]) - y[~treated]
        self.models = [
            self._learn(x[treated], gained, w[treated]),
            self._learn(x[~treated], missed, w[~treated]),
        ]
        return self

    def effect(self, x: Floats) -> Floats:
        """What the treatment adds to the outcome of each person (n,); finite."""
        known = self._read(x)
        if self.params.method == "t":
            with_it, without = self.models
            usual = _say(without, known)
            return _say(with_it, np.column_stack([known, usual])) - usual
        said = [_say(model, known) for model in self.models]
        if self.params.method == "transformed":
            return said[0]
        return (1 - self.share) * said[0] + self.share * said[1]

    def save(self, folder: Path, stem: str = STEM) -> None:
        for number, model in enumerate(self.models):
            skops.io.dump(model, folder / f"{stem}_{number}.skops")
        artifacts.write_json(
            folder / f"{stem}.json",
            {
                "params": vars(self.params),
                "share": self.share,
                "middle": self.middle,
                "models": len(self.models),
            },
        )

    @classmethod
    def load(cls, folder: Path, stem: str = STEM) -> Self:
        stored = artifacts.read_json(folder / f"{stem}.json")
        models = [
            skops.io.load(folder / f"{stem}_{number}.skops", trusted=TRUSTED)
            for number in range(stored["models"])
        ]
        return cls(Params(**stored["params"]), stored["share"], models, stored["middle"])

    def _read(self, x: Floats) -> Floats:
        known = np.asarray(x, dtype=np.float64)
        return np.where(np.isfinite(known), known, np.array(self.middle))

    def _learn(self, x: Floats, y: Floats, weight: Floats | None = None) -> Any:
        params = self.params
        model: Pipeline | HistGradientBoostingRegressor
        given: dict[str, Any] = {}
        if params.base == "linear" and np.isin(y, (0.0, 1.0)).all() and np.ptp(y) > 0:
            chance = LogisticRegression(C=1 / params.penalty, solver="newton-cholesky")
            model = make_pipeline(StandardScaler(), chance)
        elif params.base == "linear":
            model = make_pipeline(StandardScaler(), Ridge(alpha=params.penalty))
        else:
            model = HistGradientBoostingRegressor(
                max_iter=params.trees,
                max_leaf_nodes=params.leaves,
                learning_rate=params.rate,
                min_samples_leaf=params.least,
                early_stopping=False,
                random_state=params.seed,
            )
        if weight is not None and np.ptp(weight) > 0:
            last = f"{model.steps[-1][0]}__" if isinstance(model, Pipeline) else ""
            given[f"{last}sample_weight"] = weight
        return model.fit(x, y, **given)


def _say(model: Any, x: Floats) -> Floats:
    found = model.predict_proba(x)[:, 1] if hasattr(model, "predict_proba") else model.predict(x)
    return np.asarray(found, dtype=np.float64)


def balance(treated: Bools, chance: Floats | None) -> Floats:
    """Weights by which everybody had the same chance of being treated; all 1 where they had."""
    if chance is None:
        return np.ones(len(treated))
    share = float(treated.mean())
    return np.where(treated, share / chance, (1 - share) / (1 - chance))


def check(treated: Bools, y: Floats) -> None:
    """Unfit when there is nothing to compare."""
    facts = {"treated": int(treated.sum()), "untreated": int((~treated).sum())}
    if facts["treated"] < LEAST_EACH:
        raise Unfit("too_few_treated", {**facts, "needed": LEAST_EACH})
    if facts["untreated"] < LEAST_EACH:
        raise Unfit("too_few_untreated", {**facts, "needed": LEAST_EACH})
    if np.ptp(np.asarray(y, dtype=np.float64)) == 0:
        raise Unfit("constant_outcome", {**facts, "value": float(y[0])})

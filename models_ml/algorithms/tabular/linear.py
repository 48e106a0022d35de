"""Logistic and ridge regression on bent columns; their reasons are exact.

A number's share is its coefficient times its distance from the mean.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, Ridge

from models_ml.algorithms.tabular.candidates import Candidate, Model, Setting
from models_ml.algorithms.tabular.encoding import Encoder, by_column
from models_ml.algorithms.tabular.frame import Floats, Table, Task

# Up to so many numbers Newton's steps are the cheapest way.
NEWTON_WIDTH = 1500


class LinearModel(Model):
    kind: ClassVar[str] = "linear"

    def __init__(self, encoder: Encoder, weight: Floats, shift: float) -> None:
        self.encoder, self.weight, self.shift = encoder, weight, shift

    def margin(self, table: Table) -> Floats:
        return self.encoder.apply(table) @ self.weight + self.shift

    def reasons(self, table: Table) -> tuple[float, Floats]:
        return self.shift, by_column(self.encoder.apply(table) * self.weight, self.encoder, table)

    def save(self, folder: Path, stem: str) -> dict[str, Any]:
        weight = self.weight.tolist()
        return {"encoder": self.encoder.as_json(), "weight": weight, "shift": self.shift}

    @classmethod
    def load(cls, folder: Path, stem: str, stored: dict[str, Any]) -> Self:
        encoder = Encoder.from_json(stored["encoder"])
        return cls(encoder, np.array(stored["weight"], dtype=np.float64), float(stored["shift"]))


class Linear(Candidate):
    """`strength` is C of the logistic regression, and the ridge's alpha for an amount."""

    name: ClassVar[str] = "linear"

    def settings(self, table: Table, task: Task) -> Iterable[Setting]:
        yield {"bends": 0, "strength": 0.1 if task == "chance" else 30.0}
        for strength in (0.03, 0.3, 3.0, 30.0) if task == "chance" else (1.0, 30.0, 1000.0):
            yield {"bends": 8, "strength": strength}

    def fit(
        self, table: Table, y: NDArray[Any], *, task: Task, seed: int, setting: Setting
    ) -> LinearModel:
        encoder = Encoder("smooth", bends=int(setting["bends"]))
        x = encoder.fit(table, y, task, seed)
        strength = float(setting["strength"])
        if task == "amount":
            ridge = Ridge(alpha=strength).fit(x, np.asarray(y, dtype=np.float64))
            return LinearModel(encoder, np.asarray(ridge.coef_), float(ridge.intercept_))
        solver = "newton-cholesky" if x.shape[1] <= NEWTON_WIDTH else "lbfgs"
        logistic = LogisticRegression(C=strength, solver=solver, max_iter=200, tol=1e-5)
        logistic.fit(x, y.astype(np.int64))
        return LinearModel(encoder, np.asarray(logistic.coef_[0]), float(logistic.intercept_[0]))

"""Logistic and ridge regression, with bends and, if they help, products of the strongest columns.

The reasons are exact: a number's share is its coefficient times its distance from the mean, and a
product of two is shared in halves (its Shapley value when columns vary independently).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, Ridge

from models_ml.algorithms.tabular.candidates import Candidate, Model, Setting
from models_ml.algorithms.tabular.encoding import Encoder
from models_ml.algorithms.tabular.frame import Floats, Table, Task

# Rows times numbers a design may have before products are left out.
LARGEST_DESIGN = 30_000_000


class LinearModel(Model):
    kind: ClassVar[str] = "linear"

    def __init__(
        self,
        encoder: Encoder,
        weight: Floats,
        shift: float,
        pairs: NDArray[np.int64],
        scale: Floats,
        columns: int,
    ) -> None:
        self.encoder, self.weight, self.shift = encoder, weight, shift
        self.pairs, self.scale, self.columns = pairs, scale, columns

    def margin(self, table: Table) -> Floats:
        single = self.encoder.apply(table)
        return self._design(single) @ self.weight + self.shift

    def _design(self, single: Floats) -> Floats:
        return design(single, self.pairs, self.scale)

    def reasons(self, table: Table) -> tuple[float, Floats]:
        single = self.encoder.apply(table)
        share = self._design(single) * self.weight
        owner = np.asarray(self.encoder.owner, dtype=np.int64)
        out = np.zeros((len(table), self.columns))
        width = single.shape[1]
        for j in range(width):
            out[:, owner[j]] += share[:, j]
        for place, (a, b) in enumerate(self.pairs):
            half = share[:, width + place] / 2
            out[:, owner[a]] += half
            out[:, owner[b]] += half
        return self.shift, out

    def save(self, folder: Path, stem: str) -> dict[str, Any]:
        return {
            "encoder": self.encoder.as_json(),
            "weight": self.weight.tolist(),
            "shift": self.shift,
            "pairs": self.pairs.tolist(),
            "scale": self.scale.tolist(),
            "columns": self.columns,
        }

    @classmethod
    def load(cls, folder: Path, stem: str, stored: dict[str, Any]) -> Self:
        return cls(
            Encoder.from_json(stored["encoder"]),
            np.array(stored["weight"], dtype=np.float64),
            float(stored["shift"]),
            np.array(stored["pairs"], dtype=np.int64).reshape(-1, 2),
            np.array(stored["scale"], dtype=np.float64),
            int(stored["columns"]),
        )


def design(single: Floats, pairs: NDArray[np.int64], scale: Floats) -> Floats:
    if not len(pairs):
        return single
    products = single[:, pairs[:, 0]] * single[:, pairs[:, 1]] / scale
    return np.hstack([single, products])


class Linear(Candidate):
    name: ClassVar[str] = "linear"

    def settings(self, table: Table, task: Task) -> Iterable[Setting]:
        strengths = (0.003, 0.03, 0.3, 3.0) if task == "chance" else (1.0, 30.0, 1000.0)
        for strength in strengths:
            yield {"bends": 4, "pairs": 0, "strength": strength}
        if len(table) >= 1000:
            for strength in (0.0003, 0.001) if task == "chance" else (1000.0,):
                yield {"bends": 4, "pairs": 40, "strength": strength}

    def fit(
        self, table: Table, y: NDArray[Any], *, task: Task, seed: int, setting: Setting
    ) -> LinearModel:
        encoder = Encoder("smooth", bends=int(setting["bends"]))
        single = encoder.fit(table, y, task, seed)
        pairs = np.empty((0, 2), dtype=np.int64)
        scale = np.empty(0)
        if setting["pairs"]:
            weight, _ = _solve(single, y, task, 0.03 if task == "chance" else 30.0)
            pairs = _strongest(weight, encoder.owner, int(setting["pairs"]), len(table))
            products = single[:, pairs[:, 0]] * single[:, pairs[:, 1]]
            scale = np.maximum(products.std(axis=0), 0.1)
        weight, shift = _solve(design(single, pairs, scale), y, task, float(setting["strength"]))
        columns = table.numbers.shape[1] + table.codes.shape[1]
        return LinearModel(encoder, weight, shift, pairs, scale, columns)


def _solve(x: Floats, y: NDArray[Any], task: Task, strength: float) -> tuple[Floats, float]:
    """Coefficients and intercept. For a chance `strength` is C, for an amount the ridge's alpha."""
    if task == "amount":
        ridge = Ridge(alpha=strength).fit(x, np.asarray(y, dtype=np.float64))
        return np.asarray(ridge.coef_, dtype=np.float64), float(ridge.intercept_)
    # Newton's steps cost columns squared times rows; few are needed.
    logistic = LogisticRegression(C=strength, solver="newton-cholesky", max_iter=100, tol=1e-5)
    logistic.fit(x, y.astype(np.int64))
    return np.asarray(logistic.coef_[0], dtype=np.float64), float(logistic.intercept_[0])


def _strongest(weight: Floats, owner: list[int], most: int, rows: int) -> NDArray[np.int64]:
    """All pairs of different columns among the strongest numbers, as many as the size allows."""
    while most > 2 and rows * most * most // 2 > LARGEST_DESIGN:
        most -= 2
    top = np.sort(np.argsort(-np.abs(weight), kind="stable")[:most])
    a, b = np.triu_indices(len(top), 1)
    pairs = np.column_stack([top[a], top[b]])
    mine = np.asarray(owner)
    return pairs[mine[pairs[:, 0]] != mine[pairs[:, 1]]].astype(np.int64)

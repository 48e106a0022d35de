"""Decision tree, random forest and histogram gradient boosting on raw columns (scikit-learn)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import skops.io
from numpy.typing import NDArray
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from models_ml.algorithms.explain.trees import TreeShares
from models_ml.algorithms.tabular.candidates import Candidate, Model, Setting, loss, stretch
from models_ml.algorithms.tabular.encoding import Encoder, by_column
from models_ml.algorithms.tabular.frame import Floats, Table, Task
from models_ml.algorithms.tabular.splits import Splits

# All that a stored file may bring to life beside arrays and scikit-learn's public estimators.
TRUSTED = [
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
]
EDGE = 1e-3


class TreeModel(Model):
    kind: ClassVar[str] = "trees"

    def __init__(self, encoder: Encoder, estimator: Any, task: Task, columns: int) -> None:
        self.encoder, self.estimator, self.task, self.columns = encoder, estimator, task, columns

    def margin(self, table: Table) -> Floats:
        return raw_margin(self.estimator, self.encoder.apply(table), self.task)

    @cached_property
    def _shares(self) -> TreeShares:
        return TreeShares.of(self.estimator)

    def reasons(self, table: Table) -> tuple[float, Floats]:
        """TreeSHAP; a tree's and a forest's shares are of the chance, so they are stretched."""
        base, shares = self._shares.contributions(self.encoder.apply(table))
        mine = by_column(shares, self.encoder, table)
        if self.task == "amount" or hasattr(self.estimator, "decision_function"):
            return base, mine
        reached = log_odds(base + shares.sum(axis=1))
        began = float(log_odds(np.array([base]))[0])
        return began, stretch(mine, began, reached)

    def save(self, folder: Path, stem: str) -> dict[str, Any]:
        skops.io.dump(self.estimator, folder / f"{stem}.skops")
        return {"encoder": self.encoder.as_json(), "task": self.task, "columns": self.columns}

    @classmethod
    def load(cls, folder: Path, stem: str, stored: dict[str, Any]) -> Self:
        estimator = skops.io.load(folder / f"{stem}.skops", trusted=TRUSTED)
        encoder = Encoder.from_json(stored["encoder"])
        return cls(encoder, estimator, stored["task"], int(stored["columns"]))


def raw_margin(estimator: Any, x: Floats, task: Task) -> Floats:
    if task == "amount":
        return np.asarray(estimator.predict(x), dtype=np.float64)
    if hasattr(estimator, "decision_function"):
        return np.asarray(estimator.decision_function(x), dtype=np.float64)
    return log_odds(estimator.predict_proba(x)[:, 1])


def log_odds(chance: Floats) -> Floats:
    safe = np.clip(chance, EDGE, 1 - EDGE)
    return np.asarray(np.log(safe / (1 - safe)), dtype=np.float64)


class _Trees(Candidate):
    def build(self, task: Task, seed: int, setting: Setting) -> Any:
        raise NotImplementedError

    def fit(
        self, table: Table, y: NDArray[Any], *, task: Task, seed: int, setting: Setting
    ) -> TreeModel:
        encoder = Encoder("raw")
        x = encoder.fit(table, y, task, seed)
        target = y.astype(np.int64) if task == "chance" else np.asarray(y, dtype=np.float64)
        estimator = self.build(task, seed, setting).fit(x, target)
        return TreeModel(encoder, estimator, task, table.numbers.shape[1] + table.codes.shape[1])


class Tree(_Trees):
    """CART, pruned by cost complexity through the leaf size and the number of leaves."""

    name: ClassVar[str] = "tree"

    def settings(self, table: Table, task: Task) -> Iterable[Setting]:
        least = max(10, len(table) // 200)
        for leaves in (6, 12, 24, 48):
            yield {"leaves": leaves, "least": least}

    def build(self, task: Task, seed: int, setting: Setting) -> Any:
        kind = DecisionTreeClassifier if task == "chance" else DecisionTreeRegressor
        return kind(
            max_leaf_nodes=setting["leaves"],
            min_samples_leaf=setting["least"],
            random_state=seed,
        )


class Forest(_Trees):
    name: ClassVar[str] = "forest"

    def settings(self, table: Table, task: Task) -> Iterable[Setting]:
        # Groups in proportion to the rows: what a tree says is explained group by group, at once.
        few = len(table) <= 20_000
        for least in (max(5, len(table) // 1000), max(20, len(table) // 250)):
            yield {"trees": 100, "least": least, "part": 1.0 if few else 0.5}

    def build(self, task: Task, seed: int, setting: Setting) -> Any:
        kind = RandomForestClassifier if task == "chance" else RandomForestRegressor
        return kind(
            n_estimators=setting["trees"],
            min_samples_leaf=setting["least"],
            max_features="sqrt" if task == "chance" else 0.5,
            max_samples=setting.get("part", 1.0),
            n_jobs=2,
            random_state=seed,
        )


class Boosting(_Trees):
    """How many trees is read off the loss on the rows no tree of the fold has seen."""

    name: ClassVar[str] = "boosting"

    def settings(self, table: Table, task: Task) -> Iterable[Setting]:
        for leaves in (4, 16) if len(table) < 20_000 else (8, 31):
            yield {"leaves": leaves, "rate": 0.06, "least": 20, "l2": 5.0, "trees": 300}

    def build(self, task: Task, seed: int, setting: Setting) -> Any:
        kind = HistGradientBoostingClassifier if task == "chance" else HistGradientBoostingRegressor
        return kind(
            learning_rate=setting["rate"],
            max_iter=setting["trees"],
            max_leaf_nodes=setting["leaves"],
            min_samples_leaf=setting["least"],
            l2_regularization=setting["l2"],
            max_features=0.5,
            early_stopping=False,
            random_state=seed,
        )

    def cross(
        self,
        table: Table,
        y: NDArray[Any],
        splits: Splits,
        *,
        task: Task,
        seed: int,
        setting: Setting,
    ) -> tuple[Floats, Setting]:
        most = int(setting["trees"])
        steps = [int(step) for step in np.unique(np.geomspace(10, most, 24).astype(int))]
        said = []
        for before, judged in splits.pairs:
            part = table.take(before)
            model = self.fit(part, y[before], task=task, seed=seed, setting=setting)
            x = model.encoder.apply(table.take(judged))
            grown = (
                model.estimator.staged_predict(x)
                if task == "amount"
                else model.estimator.staged_decision_function(x)
            )
            kept = [np.ravel(one) for done, one in enumerate(grown, start=1) if done in steps]
            said.append(np.array(kept))
        out = np.concatenate(said, axis=1)
        best = int(np.argmin([loss(row, y[splits.rows], task) for row in out]))
        return out[best], {**setting, "trees": steps[best]}

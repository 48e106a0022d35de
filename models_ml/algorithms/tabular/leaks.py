"""Columns that alone nearly tell the answer: mostly the answer itself, written down later."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models_ml.algorithms import classify
from models_ml.algorithms.tabular.frame import Floats, Schema, Table, Task

MOST_ROWS = 20_000
BINS = 64
TELLS_CHANCE, TELLS_AMOUNT = 0.98, 0.99


def find(
    schema: Schema, table: Table, y: NDArray[Any], task: Task, seed: int
) -> list[dict[str, Any]]:
    """Name and strength of each column that tells the target of people its rule has not seen."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(table))[:MOST_ROWS]
    people, who = np.unique(table.whose[rows], return_inverse=True)
    half = (rng.permutation(len(people)) % 2 == 0)[who]
    target = np.asarray(y, dtype=np.float64)[rows]
    found = []
    for j, name in enumerate(schema.columns):
        values = (
            table.numbers[rows, j]
            if j < len(schema.numbers)
            else table.codes[rows, j - len(schema.numbers)]
        )
        groups = _grouped(values) if j < len(schema.numbers) else values.astype(np.int64)
        strength = _strength(groups, target, half, task)
        if task == "amount" and j < len(schema.numbers):
            strength = max(strength, _straight(values, target))
        if strength >= (TELLS_CHANCE if task == "chance" else TELLS_AMOUNT):
            found.append({"column": name, "strength": round(strength, 4)})
    return found


def _grouped(values: Floats) -> NDArray[np.int64]:
    known = values[np.isfinite(values)]
    known = known if known.size else np.zeros(1)
    edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1]))
    groups = np.searchsorted(edges, values) + 1
    groups[np.isnan(values)] = 0
    return groups.astype(np.int64)


def _strength(
    groups: NDArray[np.int64], target: Floats, half: NDArray[np.bool_], task: Task
) -> float:
    said = np.empty(len(target))
    size = int(groups.max()) + 1
    for side in (half, ~half):
        mean = float(target[~side].mean())
        total = np.bincount(groups[~side], weights=target[~side], minlength=size)
        count = np.bincount(groups[~side], minlength=size)
        said[side] = ((total + mean) / (count + 1))[groups[side]]
    if task == "chance":
        return classify.auc(target > 0, said)
    spread = float(np.sum((target - target.mean()) ** 2))
    return 1 - float(np.sum((target - said) ** 2)) / spread if spread else 0.0


def _straight(values: Floats, target: Floats) -> float:
    known = np.isfinite(values)
    if known.sum() < 3 or np.ptp(values[known]) == 0 or np.ptp(target[known]) == 0:
        return 0.0
    return float(np.corrcoef(values[known], target[known])[0, 1] ** 2 * known.mean())

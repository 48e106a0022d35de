"""How good answers are, and how surely they beat a rival's on the same rows.

Intervals are 95%, from each row's influence on the figure, summed by person: rows of one person at
several moments do not count as several people (Obuchowski, 1997, for the area under the curve).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models_ml.algorithms import classify
from models_ml.algorithms.classify import Interval
from models_ml.algorithms.tabular.frame import Floats, Task

BINS = 10


@dataclass(frozen=True)
class Profit:
    """What a yes that was reached is worth, and what reaching anybody costs."""

    worth: float
    cost: float


def figures(y: NDArray[Any], said: Floats, task: Task) -> dict[str, float]:
    """The measures of one candidate, rounded."""
    if task == "amount":
        return _rounded(_amount_figures(np.asarray(y, dtype=np.float64), said))
    label = y.astype(bool)
    rate = float(label.mean())
    top = np.argsort(-said, kind="stable")[: max(1, len(said) // 10)]
    return _rounded(
        {
            "auc": classify.auc(label, said),
            "log_loss": classify.log_loss(label, said),
            "brier": classify.brier(label, said),
            "calibration_error": calibration_error(label, said),
            "lift_top_tenth": float(label[top].mean()) / rate if rate else math.nan,
            "rate": rate,
            "people": float(len(label)),
        }
    )


def _amount_figures(y: Floats, said: Floats) -> dict[str, float]:
    spread = float(np.mean((y - y.mean()) ** 2))
    error = float(np.mean((said - y) ** 2))
    ranked = np.corrcoef(classify.ranks(y), classify.ranks(said))[0, 1] if len(y) > 1 else math.nan
    return {
        "rmse": math.sqrt(error),
        "mae": float(np.mean(np.abs(said - y))),
        "explained": 1 - error / spread if spread else math.nan,
        "rank_correlation": float(ranked) if np.ptp(said) and np.ptp(y) else 0.0,
        "total_ratio": float(said.sum() / y.sum()) if y.sum() else math.nan,
        "people": float(len(y)),
    }


def _rounded(found: dict[str, float]) -> dict[str, float]:
    return {key: round(value, 6) for key, value in found.items() if math.isfinite(value)}


def calibration_error(label: NDArray[np.bool_], chance: Floats, bins: int = BINS) -> float:
    """Mean gap between said and seen over bins of equal count; equal chances stay together."""
    _, inverse, counts = np.unique(chance, return_inverse=True, return_counts=True)
    middle = (np.cumsum(counts) - counts / 2) / label.size
    group = np.minimum((middle * bins).astype(int), bins - 1)[inverse]
    gap = np.bincount(group, weights=chance - label, minlength=bins)
    return float(np.abs(gap).sum() / label.size)


def gain(
    y: NDArray[Any], said: Floats, rival: Floats, person: NDArray[np.int64], task: Task
) -> Interval:
    """How much better than the rival: AUC points for a chance, root mean square error saved."""
    if task == "chance":
        mine, influence = _auc_influence(y.astype(bool), said)
        theirs, other = _auc_influence(y.astype(bool), rival)
        return _interval(mine - theirs, influence - other, person)
    amount = np.asarray(y, dtype=np.float64)
    mine, influence = _rmse_influence(amount, said)
    theirs, other = _rmse_influence(amount, rival)
    return _interval(theirs - mine, other - influence, person)


def auc_interval(label: NDArray[np.bool_], said: Floats, person: NDArray[np.int64]) -> Interval:
    value, influence = _auc_influence(label, said)
    return _interval(value, influence, person)


def _auc_influence(label: NDArray[np.bool_], said: Floats) -> tuple[float, Floats]:
    yes, no = int(label.sum()), int((~label).sum())
    if not yes or not no:
        return math.nan, np.zeros(len(label))
    overall = classify.ranks(said)
    out = np.empty(len(label))
    # Share of the other kind that each row is ranked rightly against.
    out[label] = (overall[label] - classify.ranks(said[label])) / no
    out[~label] = 1 - (overall[~label] - classify.ranks(said[~label])) / yes
    value = float(out[label].mean())
    out[label] = (out[label] - value) / yes
    out[~label] = (out[~label] - value) / no
    return value, out


def _rmse_influence(y: Floats, said: Floats) -> tuple[float, Floats]:
    square = (said - y) ** 2
    mean = float(square.mean())
    root = math.sqrt(mean)
    return root, (square - mean) / (2 * max(root, 1e-12) * len(y))


def _interval(value: float, influence: Floats, person: NDArray[np.int64]) -> Interval:
    _, who = np.unique(person, return_inverse=True)
    sums = np.bincount(who, weights=influence)
    people = len(sums)
    if people < 2 or not math.isfinite(value):
        return Interval(value, -math.inf, math.inf)
    half = classify.Z95 * math.sqrt(float((sums**2).sum()) * people / (people - 1))
    return Interval(value, value - half, value + half)


def threshold(y: NDArray[Any], chance: Floats, profit: Profit) -> dict[str, Any]:
    """Whom reaching pays: everybody whose chance is above cost over worth, and what that earns.

    With chances that mean what they say no other threshold earns more in expectation. `expected` is
    by the chances, `seen` by what really happened to the same people.
    """
    cut = min(1.0, profit.cost / profit.worth) if profit.worth > 0 else 1.0
    reached = chance > cut
    label = y.astype(bool)
    points = []
    order = np.argsort(-chance, kind="stable")
    hits = np.cumsum(label[order])
    for share in np.linspace(0.05, 1.0, 20):
        n = max(1, round(share * len(label)))
        earned = float(hits[n - 1] * profit.worth - n * profit.cost)
        points.append({"share": round(float(share), 2), "people": n, "seen": round(earned, 2)})
    return {
        "chance": round(cut, 6),
        "people": int(reached.sum()),
        "share": round(float(reached.mean()), 6),
        "expected": round(float((chance[reached] * profit.worth - profit.cost).sum()), 2),
        "seen": round(float((label[reached] * profit.worth - profit.cost).sum()), 2),
        "everyone": round(float(label.sum() * profit.worth - len(label) * profit.cost), 2),
        "curve": points,
    }

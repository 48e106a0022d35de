"""From a margin to a chance that means what it says, or to an amount whose total is right.

Nothing, Platt's sigmoid or isotonic regression: whichever is best by log loss (squared error for
amounts) when each is fitted on some rows and judged on others that are apart from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LinearRegression, LogisticRegression

from models_ml.algorithms.tabular.frame import Floats, Task
from models_ml.algorithms.tabular.splits import Apart

# A chance of exactly 0 or 1 is a claim no sample supports.
EDGE = 1e-4
WIDEST = 60.0


@dataclass(frozen=True)
class Calibrator:
    """`kind` plain, sigmoid (for amounts a straight line) or isotonic; `x` and `y` its knots."""

    kind: str
    task: Task
    x: tuple[float, ...] = ()
    y: tuple[float, ...] = ()

    def apply(self, margin: Floats) -> Floats:
        m = np.clip(np.nan_to_num(margin, nan=0.0, posinf=1e15, neginf=-1e15), -1e15, 1e15)
        if self.kind == "isotonic":
            found = np.interp(m, self.x, self.y)
        else:
            slope, shift = self.x if self.kind == "sigmoid" else (1.0, 0.0)
            found = slope * m + shift
            if self.task == "chance":
                found = 1 / (1 + np.exp(-np.clip(found, -WIDEST, WIDEST)))
        return np.clip(found, EDGE, 1 - EDGE) if self.task == "chance" else found

    def as_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "task": self.task, "x": list(self.x), "y": list(self.y)}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Calibrator:
        return cls(stored["kind"], stored["task"], tuple(stored["x"]), tuple(stored["y"]))


KINDS = ("plain", "sigmoid", "isotonic")


def fit(kind: str, margin: Floats, y: NDArray[Any], task: Task) -> Calibrator:
    if kind == "plain":
        return Calibrator("plain", task)
    if kind == "sigmoid":
        scale = float(np.std(margin)) or 1.0
        z = (margin / scale)[:, None]
        if task == "chance" and not 0 < y.sum() < len(y):
            slope = shift = 0.0
        elif task == "chance":
            line = LogisticRegression(C=1e6, max_iter=200).fit(z, y.astype(np.int64))
            slope, shift = float(line.coef_[0, 0]), float(line.intercept_[0])
        else:
            straight = LinearRegression().fit(z, y)
            slope, shift = float(straight.coef_[0]), float(straight.intercept_)
        if slope <= 0:  # no ranking to keep: the mean for everyone
            mean = float(np.clip(np.mean(y), EDGE, 1 - EDGE)) if task == "chance" else 0.0
            return Calibrator(
                "sigmoid",
                task,
                (0.0, float(np.log(mean / (1 - mean))) if task == "chance" else float(np.mean(y))),
            )
        return Calibrator("sigmoid", task, (slope / scale, shift))
    target = np.asarray(y, dtype=np.float64)
    level = IsotonicRegression(out_of_bounds="clip").fit_transform(margin, target)
    # A knot in the middle of each level piece, so that people of one piece keep their order.
    heights, piece, counts = np.unique(level, return_inverse=True, return_counts=True)
    middles = np.bincount(piece, weights=margin) / counts
    return Calibrator("isotonic", task, tuple(map(float, middles)), tuple(map(float, heights)))


def choose(margin: Floats, y: NDArray[Any], apart: Apart, task: Task) -> tuple[Calibrator, Floats]:
    """The best kind, fitted on everything, and its cross-fitted answers for the same rows."""
    best: tuple[float, str, Floats] | None = None
    for kind in KINDS:
        said = crossed(kind, margin, y, apart, task)
        loss = loss_of(y, said, task)
        # A free form has to earn its freedom.
        if best is None or loss < best[0] * (1 - 1e-3):
            best = (loss, kind, said)
    assert best is not None
    return fit(best[1], margin, y, task), best[2]


def crossed(kind: str, margin: Floats, y: NDArray[Any], apart: Apart, task: Task) -> Floats:
    """Each row's answer by a calibration that has seen only what is apart from it."""
    said = np.empty(len(margin))
    for here, others in apart:
        said[here] = fit(kind, margin[others], y[others], task).apply(margin[here])
    return said


def loss_of(y: NDArray[Any], said: Floats, task: Task) -> float:
    if task == "amount":
        return float(np.mean((said - y) ** 2))
    return float(-np.mean(np.where(y.astype(bool), np.log(said), np.log1p(-said))))

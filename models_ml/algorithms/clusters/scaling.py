"""Facts of people on one scale: logarithms of amounts, then middle 0 and usual spread 1.

Middle and spread are the median and the distance of the quartiles, so that a few big spenders do
not squeeze everybody else together. What lies beyond BOUND counts as BOUND for the same reason. An
unknown value counts as the middle.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_KNOWN = 0.5
BOUND = 4.0
# The distance of the quartiles of a normal distribution with deviation 1.
QUARTILES = 1.349

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scaler:
    """How facts are put on one scale; `logs` says of which the logarithm is taken."""

    names: tuple[str, ...]
    logs: tuple[bool, ...]
    center: Floats
    spread: Floats

    def apply(self, x: Floats) -> Floats:
        """Rows of raw facts, a column a name, as rows of comparable numbers."""
        z = (straighten(x, self.logs) - self.center) / self.spread
        np.nan_to_num(z, copy=False, nan=0.0)
        return np.clip(z, -BOUND, BOUND, out=z)

    def undo(self, z: Floats) -> Floats:
        """Raw facts of points on the common scale."""
        x = z * self.spread + self.center
        logs = np.asarray(self.logs)
        return np.where(logs, np.sign(x) * np.expm1(np.abs(np.where(logs, x, 0.0))), x)

    def as_json(self) -> dict[str, Any]:
        return {
            "names": list(self.names),
            "logs": list(self.logs),
            "center": self.center.tolist(),
            "spread": self.spread.tolist(),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Scaler":
        return cls(
            tuple(data["names"]),
            tuple(data["logs"]),
            np.array(data["center"], dtype=np.float64),
            np.array(data["spread"], dtype=np.float64),
        )


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A fact that tells nobody apart: `unknown` of too many, or the `same` of everyone."""

    name: str
    why: str
    known: float


def straighten(x: Floats, logs: Sequence[bool]) -> Floats:
    """Infinite values as unknown, amounts as logarithms that keep their sign."""
    out = np.array(x, dtype=np.float64)
    out[~np.isfinite(out)] = np.nan
    for place, log in enumerate(logs):
        if log:
            column = out[:, place]
            out[:, place] = np.sign(column) * np.log1p(np.abs(column))
    return out


def learn(x: Floats, names: Sequence[str], logs: Sequence[bool]) -> tuple[Scaler, list[LeftOut]]:
    """A scaler over the facts that tell people apart, and those that do not."""
    values = straighten(x, logs)
    kept: list[int] = []
    left: list[LeftOut] = []
    center, spread = [], []
    for place, name in enumerate(names):
        known = values[np.isfinite(values[:, place]), place]
        share = len(known) / max(len(values), 1)
        if not len(known) or share < LEAST_KNOWN:
            left.append(LeftOut(name, "unknown", share))
            continue
        low, middle, high = np.quantile(known, (0.25, 0.5, 0.75))
        usual = (high - low) / QUARTILES
        # Most people share one value: the quartiles say nothing, the deviation still does.
        if usual < 1e-9:
            usual = float(known.std())
        if usual < 1e-9:
            left.append(LeftOut(name, "same", share))
            continue
        kept.append(place)
        center.append(middle)
        spread.append(usual)
    scaler = Scaler(
        tuple(names[p] for p in kept),
        tuple(bool(logs[p]) for p in kept),
        np.array(center),
        np.array(spread),
    )
    return scaler, left

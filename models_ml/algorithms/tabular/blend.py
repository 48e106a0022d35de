"""A weighted mean of two models' margins, the weight chosen on rows neither has seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from models_ml.algorithms.tabular.candidates import Model, loss
from models_ml.algorithms.tabular.frame import Floats, Table, Task

WEIGHTS = np.linspace(0.1, 0.9, 9)


class BlendModel(Model):
    kind: ClassVar[str] = "blend"
    readers: ClassVar[dict[str, type[Model]]] = {}

    def __init__(self, parts: tuple[Model, ...], weights: tuple[float, ...]) -> None:
        self.parts, self.weights = parts, weights

    def margin(self, table: Table) -> Floats:
        pairs = zip(self.parts, self.weights, strict=True)
        return np.sum([weight * part.margin(table) for part, weight in pairs], axis=0)

    def reasons(self, table: Table) -> tuple[float, Floats]:
        found = [part.reasons(table) for part in self.parts]
        base = sum(weight * one[0] for weight, one in zip(self.weights, found, strict=True))
        shares = [weight * one[1] for weight, one in zip(self.weights, found, strict=True)]
        return base, np.asarray(np.sum(shares, axis=0))

    def save(self, folder: Path, stem: str) -> dict[str, Any]:
        return {
            "weights": list(self.weights),
            "kinds": [part.kind for part in self.parts],
            "parts": [part.save(folder, f"{stem}_{i}") for i, part in enumerate(self.parts)],
        }

    @classmethod
    def load(cls, folder: Path, stem: str, stored: dict[str, Any]) -> Self:
        parts = tuple(
            cls.readers[kind].load(folder, f"{stem}_{i}", part)
            for i, (kind, part) in enumerate(zip(stored["kinds"], stored["parts"], strict=True))
        )
        return cls(parts, tuple(stored["weights"]))


def weigh(first: Floats, second: Floats, y: NDArray[Any], task: Task) -> tuple[float, Floats]:
    """The share of the first that gives the least loss, and the blended margins."""
    losses = [loss(w * first + (1 - w) * second, y, task) for w in WEIGHTS]
    share = float(WEIGHTS[int(np.argmin(losses))])
    return share, share * first + (1 - share) * second

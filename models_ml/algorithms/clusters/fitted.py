"""Groups as arrays: where their middles lie, and for mixtures how they spread."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

KMEANS, MIXTURE = "kmeans", "mixture"
ROWS = 100_000

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Groups:
    """k groups in d facts on the common scale.

    `centers` (k, d); a mixture has `weights` (k,) and `roots` (k, d, d) too, the Cholesky factors
    of the inverse covariances.
    """

    kind: str
    centers: Floats
    weights: Floats
    roots: Floats

    @property
    def count(self) -> int:
        return len(self.centers)

    def assign(self, z: Floats) -> tuple[Ints, Floats]:
        """The group of each row and the chance that it is that one; k-means knows no chance: 1."""
        place = np.empty(len(z), dtype=np.int64)
        chance = np.ones(len(z))
        for start in range(0, len(z), ROWS):
            part = slice(start, start + ROWS)
            if self.kind == MIXTURE:
                told = self._told(z[part])
                place[part] = told.argmax(axis=1)
                chance[part] = told.max(axis=1)
            else:
                place[part] = self._far(z[part]).argmin(axis=1)
        return place, chance

    def _far(self, z: Floats) -> Floats:
        """Squared distances, less each row's own square, which is the same to every middle."""
        return (self.centers**2).sum(axis=1) - 2 * z @ self.centers.T

    def _told(self, z: Floats) -> Floats:
        logs = np.empty((len(z), self.count))
        for place, (center, root) in enumerate(zip(self.centers, self.roots, strict=True)):
            away = z @ root - center @ root
            logs[:, place] = np.log(np.diag(root)).sum() - 0.5 * (away**2).sum(axis=1)
        logs += np.log(self.weights)
        logs -= logs.max(axis=1, keepdims=True)
        chances = np.exp(logs)
        return chances / chances.sum(axis=1, keepdims=True)

    def ordered(self, order: Ints) -> "Groups":
        """The same groups in another order."""
        return Groups(
            self.kind,
            self.centers[order],
            self.weights[order],
            self.roots[order] if len(self.roots) else self.roots,
        )

    def arrays(self) -> dict[str, Floats]:
        return {"centers": self.centers, "weights": self.weights, "roots": self.roots}

    @classmethod
    def from_arrays(cls, kind: str, stored: Mapping[str, Floats]) -> "Groups":
        return cls(kind, stored["centers"], stored["weights"], stored["roots"])

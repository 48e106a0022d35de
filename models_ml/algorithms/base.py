"""The verbs every algorithm speaks: fit on data, write to a folder, read it back, and answer."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, Self

import numpy as np

from models_ml.algorithms.data import Interactions

# What stands in a place of the answer that no product could fill.
NO_ITEM = -1


class Estimator(Protocol):
    """Anything that learns from data and lives in an artefact folder."""

    def save(self, folder: Path) -> None: ...

    @classmethod
    def load(cls, folder: Path) -> Self: ...


class Recommender(Estimator, Protocol):
    """Ranks products for people. People and products are named by their ids, never by positions."""

    def fit(self, data: Interactions) -> Self: ...

    def recommend(
        self,
        users: np.ndarray,
        k: int,
        allowed: np.ndarray | None = None,
        skip_seen: bool = True,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Item ids and scores, both (n, k), best first.

        `allowed` narrows the answer to these item ids; `skip_seen` leaves out what the person had
        bought in the data the model was fitted on. A place nothing fills holds NO_ITEM and -inf; a
        person the model has never met gets a whole row of them.
        """
        ...

    def vectors(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Item ids (m,) and unit vectors (m, d) whose product is a likeness, or None."""
        ...

"""What is known of people where a variant is chosen for each, in numbers. For workers."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from campaigns.experiments.linear import Linear
from campaigns.models import Trial
from campaigns.variants.shares import Sets

# A trait and by how much its logarithm is divided, so that all are about as large.
FEATURES = (
    ("recency_days", 6.0), ("orders", 3.0), ("revenue", 8.0), ("avg_order_value", 5.0),
    ("tenure_days", 7.0),
)  # fmt: skip
COLUMNS = ", ".join(f"t.{name}" for name, _scale in FEATURES)


def features(rows: Sequence[Sequence[Any]]) -> np.ndarray:
    """One, each trait's logarithm on a like scale, and whether there were any traits."""
    found = np.zeros((len(rows), len(FEATURES) + 2))
    found[:, 0] = 1.0
    for i, row in enumerate(rows):
        found[i, -1] = float(any(value is not None for value in row))
        for j, (value, (_name, scale)) in enumerate(zip(row, FEATURES, strict=True), start=1):
            found[i, j] = np.log1p(max(float(value or 0), 0.0)) / scale
    return found


def with_ways(x: np.ndarray, reached: Sequence[str], ways: Sequence[str]) -> np.ndarray:
    """The features with one for each of several channels: whether it reaches the person."""
    if not ways:
        return x
    there = [[way in reach.split() for way in ways] for reach in reached]
    return np.hstack([x, np.array(there, dtype=float).reshape(len(x), len(ways))])


def may_get(reached: Sequence[str], names: Sequence[str], sets: Sets) -> np.ndarray:
    """Which variants can reach each person."""
    rows = {reach: [name in given for name in names] for reach, given in sets.items()}
    return np.array([rows[reach] for reach in reached]).reshape(len(reached), len(names))


def chances_of(
    learner: Linear, way: str, x: np.ndarray, may: np.ndarray, floor: float, *, seed: int,
    draws: int = 200,
) -> np.ndarray:  # fmt: skip
    """Chances per person and variant, by how doubt counts; `seed` and `draws` are of the draws."""
    if way == Trial.Learner.BOUND:
        return learner.ucb(x, floor=floor, allowed=may)
    return learner.thompson(x, floor=floor, seed=seed, draws=draws, allowed=may)

"""Contextual bandits over profile features, for workers: a linear answer per arm, and its doubt.

Li, Chu, Langford, Schapire, "A contextual-bandit approach to personalized news article
recommendation", WWW 2010 (LinUCB); Agrawal and Goyal, "Thompson sampling for contextual bandits
with linear payoffs", ICML 2013 (LinTS). Each arm keeps A = λI + Σxxᵀ and b = Σrx; both are sums, so
workers add them up from anything that was written down, in any order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Linear:
    """What is known of each arm. `alpha` is how much doubt counts."""

    arms: Sequence[str]
    size: int
    ridge: float = 1.0
    alpha: float = 1.0
    a: dict[str, np.ndarray] = field(default_factory=dict)
    b: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for arm in self.arms:
            self.a.setdefault(arm, self.ridge * np.eye(self.size))
            self.b.setdefault(arm, np.zeros(self.size))

    def learn(self, *, x: np.ndarray, arm: Sequence[str], reward: np.ndarray) -> None:
        """Add what was seen; one call for many people or many calls come to the same."""
        chosen = np.asarray(arm)
        for name in self.arms:
            mine = chosen == name
            self.a[name] = self.a[name] + x[mine].T @ x[mine]
            self.b[name] = self.b[name] + x[mine].T @ reward[mine]

    def means(self, x: np.ndarray) -> np.ndarray:
        """Expected answer of each person to each arm."""
        weights = np.stack([np.linalg.solve(self.a[arm], self.b[arm]) for arm in self.arms])
        return x @ weights.T

    def doubts(self, x: np.ndarray) -> np.ndarray:
        """Its standard error, up to the noise of one answer."""
        found = np.empty((len(x), len(self.arms)))
        for i, arm in enumerate(self.arms):
            found[:, i] = np.sqrt(np.einsum("ij,jk,ik->i", x, np.linalg.inv(self.a[arm]), x))
        return found

    def ucb(self, x: np.ndarray, *, floor: float) -> np.ndarray:
        """Chances per person and arm: the best upper bound, and the floor for every other."""
        best = np.argmax(self.means(x) + self.alpha * self.doubts(x), axis=1)
        chances = np.full((len(x), len(self.arms)), floor)
        chances[np.arange(len(x)), best] += 1 - floor * len(self.arms)
        return chances

    def thompson(
        self, x: np.ndarray, *, floor: float, seed: int, draws: int = 200,
        allowed: np.ndarray | None = None,
    ) -> np.ndarray:  # fmt: skip
        """Chances per person and arm: how often each is the best in draws of the weights.

        `allowed` says which arms each person may get, at least one; the others have no chance.
        """
        may = np.ones((len(x), len(self.arms)), bool) if allowed is None else allowed
        random = np.random.default_rng(seed)
        best = np.zeros((len(x), len(self.arms)))
        roots = [np.linalg.cholesky(np.linalg.inv(self.a[arm])) for arm in self.arms]
        middles = [np.linalg.solve(self.a[arm], self.b[arm]) for arm in self.arms]
        scores = np.empty((len(x), len(self.arms)))
        rows = np.arange(len(x))
        for _draw in range(draws):
            for i, (middle, root) in enumerate(zip(middles, roots, strict=True)):
                scores[:, i] = x @ (middle + self.alpha * root @ random.standard_normal(self.size))
            best[rows, np.where(may, scores, -np.inf).argmax(axis=1)] += 1
        number = may.sum(axis=1, keepdims=True)
        least = np.minimum(floor, 1 / number)
        return np.where(may, least + (1 - least * number) * best / draws, 0.0)

    def as_json(self) -> dict[str, Any]:
        return {
            "arms": list(self.arms),
            "size": self.size,
            "ridge": self.ridge,
            "alpha": self.alpha,
            "a": {arm: self.a[arm].tolist() for arm in self.arms},
            "b": {arm: self.b[arm].tolist() for arm in self.arms},
        }

    @classmethod
    def of_json(cls, kept: Mapping[str, Any]) -> "Linear":
        a = {arm: np.array(rows) for arm, rows in kept["a"].items()}
        b = {arm: np.array(row) for arm, row in kept["b"].items()}
        return cls(kept["arms"], kept["size"], kept["ridge"], kept["alpha"], a, b)


def choose(chances: np.ndarray, *, uniform: np.ndarray) -> np.ndarray:
    """The arm of each person by a number between 0 and 1 of their own, such as of a hash."""
    ends = chances.cumsum(axis=1)
    ends[:, -1] = 1.0
    return (uniform[:, None] >= ends).sum(axis=1)

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

    def ucb(self, x: np.ndarray, *, floor: float, allowed: np.ndarray | None = None) -> np.ndarray:
        """Chances per person and arm: the best upper bound, and the floor for every other.

        `allowed` as in `thompson`.
        """
        may = np.ones((len(x), len(self.arms)), bool) if allowed is None else allowed
        best = np.zeros((len(x), len(self.arms)))
        bound = np.where(may, self.means(x) + self.alpha * self.doubts(x), -np.inf)
        best[np.arange(len(x)), bound.argmax(axis=1)] = 1.0
        return _explored(best, may, floor)

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
        return _explored(best / draws, may, floor)

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


def _explored(best: np.ndarray, may: np.ndarray, floor: float) -> np.ndarray:
    """Mix with equal chances, so that no arm that somebody may get falls below the floor."""
    number = may.sum(axis=1, keepdims=True)
    least = np.minimum(floor, 1 / number)
    return np.where(may, least + (1 - least * number) * best, 0.0)


def capped(chances: np.ndarray, *, most: np.ndarray) -> np.ndarray:
    """The same chances where an arm may be given to no more than `most` people, as expected.

    `most`: one number an arm, infinity for no limit. What is beyond goes to each person's other
    arms by their chances; a row that sums to less than one has none left.
    """
    found = chances.copy()
    full = np.zeros(found.shape[1], bool)
    while (over := ~full & (found.sum(axis=0) > most + 1e-9)).any():
        kept = found * np.where(over, most / np.maximum(found.sum(axis=0), 1e-12), 1.0)
        spare = (found - kept).sum(axis=1, keepdims=True)
        full |= over
        free = np.where(full, 0.0, chances)
        total = free.sum(axis=1, keepdims=True)
        found = kept + spare * np.divide(free, total, out=np.zeros_like(free), where=total > 0)
    return found


def choose(chances: np.ndarray, *, uniform: np.ndarray) -> np.ndarray:
    """The arm of each person by a number between 0 and 1 of their own, such as of a hash."""
    ends = chances.cumsum(axis=1)
    ends[:, -1] = 1.0
    return (uniform[:, None] >= ends).sum(axis=1)


def choose_within(
    chances: np.ndarray, *, most: np.ndarray, uniform: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The arm of each person and its chance, where no arm is given to more than `most` people.

    `most`: whole numbers, or infinity; `uniform` as in `choose`. Whom no arm is left for has the
    number after the last arm. Chances are those under the limits; the few whom chance alone brought
    beyond a limit are drawn once more, among what is left, and have that draw's chance.
    """
    number = chances.shape[1]
    found = capped(chances, most=most)
    arm = _drawn(found, uniform)
    had = _of(found, arm)
    once_more = (uniform * 7919) % 1
    for _arm in range(number):
        counts = np.bincount(arm, minlength=number + 1)[:number]
        beyond = [np.flatnonzero(arm == i)[int(most[i]) :] for i in np.flatnonzero(counts > most)]
        those = np.concatenate([*beyond, np.flatnonzero(arm == number)]).astype(int)
        if not those.size:
            break
        left = np.where(counts < most, chances[those], 0.0)
        total = left.sum(axis=1, keepdims=True)
        again = np.divide(left, total, out=np.zeros_like(left), where=total > 0)
        arm[those] = _drawn(again, once_more[those])
        had[those] = _of(again, arm[those])
    # What is still beyond has nothing; what is still left goes to whoever may have it.
    for i in np.flatnonzero(np.isfinite(most)):
        arm[np.flatnonzero(arm == i)[int(most[i]) :]] = number
    for i in np.arange(number):
        room = min(most[i] - (arm == i).sum(), len(arm))
        late = np.flatnonzero((arm == number) & (chances[:, i] > 0))[: int(room)]
        arm[late], had[late] = i, chances[late, i]
    had[arm == number] = 0.0
    return arm, had


def _of(chances: np.ndarray, arm: np.ndarray) -> np.ndarray:
    """Each row's chance of its arm; none of the number after the last."""
    return np.append(chances, np.zeros((len(chances), 1)), axis=1)[np.arange(len(arm)), arm]


def _drawn(chances: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """As `choose`, with the number after the last arm for what a row lacks of one."""
    lacks = np.maximum(1 - chances.sum(axis=1, keepdims=True), 0.0)
    lacks[lacks < 1e-9] = 0.0
    return choose(np.append(chances, lacks, axis=1), uniform=uniform)

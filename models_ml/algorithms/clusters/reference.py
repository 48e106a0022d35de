"""People as they would be if they were one group: the same spreads, skews and correlations.

Each fact is drawn from the one-humped distribution nearest to its own values (Grenander 1956, with
the hump where it fits best), and facts go together as they do (ranks, Gaussian copula). What is
found tighter in the people themselves than in such draws is more than one lopsided cloud cut in
pieces.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 60

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class OneGroup:
    """For each fact the `edges` of bins and the `shares` (BINS + 1) of people below them; `root` is
    the Cholesky factor of the correlations.
    """

    edges: Floats
    shares: Floats
    root: Floats

    def draw(self, rows: int, generator: np.random.Generator) -> Floats:
        normal = generator.standard_normal((rows, len(self.root))) @ self.root.T
        # The rank within the draw stands for the distribution function of a normal.
        places = normal.argsort(axis=0).argsort(axis=0)
        wanted = (places + 0.5) / rows
        return np.column_stack(
            [np.interp(wanted[:, d], self.shares[d], self.edges[d]) for d in range(len(self.root))]
        )


def learn(z: Floats) -> OneGroup:
    """The one group that these rows would be."""
    facts = z.shape[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        ranked = np.corrcoef(_ranks(z), rowvar=False).reshape(facts, facts)
    # Pearson's correlation of normal draws that gives this correlation of ranks.
    normal = 2 * np.sin(np.pi / 6 * np.nan_to_num(ranked))
    np.fill_diagonal(normal, 1.0)
    values, vectors = np.linalg.eigh(normal)
    normal = (vectors * np.maximum(values, 1e-4)) @ vectors.T
    scale = np.sqrt(np.diag(normal))
    root = np.linalg.cholesky(normal / np.outer(scale, scale))
    edges, shares = zip(*(one_hump(z[:, d]) for d in range(facts)), strict=True)
    return OneGroup(np.array(edges), np.array(shares), root)


def one_hump(values: Floats) -> tuple[Floats, Floats]:
    """Edges of bins, and the shares below them of the one-humped distribution nearest to it."""
    low, high = float(values.min()), float(values.max())
    counts, edges = np.histogram(values, BINS, (low, high if high > low else low + 1.0))
    found, best = counts.astype(np.float64), np.inf
    for top in range(BINS):
        up = _rising(counts[:top])
        down = _rising(counts[top:][::-1])[::-1]
        tried = np.concatenate([up, down])
        away = float(((tried - counts) ** 2).sum())
        if away < best:
            found, best = tried, away
    return edges, np.concatenate([[0.0], np.cumsum(found) / found.sum()])


def _rising(counts: NDArray[np.int64] | Floats) -> Floats:
    """The nearest sequence that never falls, by pooling neighbours that do."""
    level: list[float] = []
    width: list[int] = []
    for count in counts:
        level.append(float(count))
        width.append(1)
        while len(level) > 1 and level[-2] > level[-1]:
            both = width[-2] + width[-1]
            level[-2] = (level[-2] * width[-2] + level[-1] * width[-1]) / both
            width[-2] = both
            level.pop()
            width.pop()
    return np.repeat(level, width) if level else np.empty(0)


def _ranks(z: Floats) -> Floats:
    """Mean ranks, a column each."""
    out = np.empty_like(z)
    for d in range(z.shape[1]):
        _values, where, counts = np.unique(z[:, d], return_inverse=True, return_counts=True)
        out[:, d] = (np.cumsum(counts) - (counts - 1) / 2)[where]
    return out

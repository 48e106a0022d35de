"""How good a ranking is, with the uncertainty of the answer."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import numpy as np

from models_ml.algorithms.data import Array, IdMap, Truth, chunks

# Above this many people the bootstrap of a mean is the normal law to three digits, and far dearer.
BOOTSTRAP_PEOPLE = 20_000


@dataclass(frozen=True)
class Ranking:
    """Per-person Recall@k and NDCG@k, shape (n,), in the order of the people judged.

    `reciprocal` (n,) is one over the place of the first hit, 0 without one; `picks` (n, <=k) what
    was judged.
    """

    k: int
    recall: Array
    ndcg: Array
    items_shown: int
    reciprocal: Array = field(default_factory=lambda: np.empty(0))
    picks: Array = field(default_factory=lambda: np.empty((0, 0), dtype=np.int64))

    @property
    def figures(self) -> dict[str, float]:
        """Means over people, rounded for a manifest."""
        return {
            f"recall@{self.k}": round(float(self.recall.mean()), 6) if len(self.recall) else 0.0,
            f"ndcg@{self.k}": round(float(self.ndcg.mean()), 6) if len(self.ndcg) else 0.0,
            "people": len(self.ndcg),
            "items_shown": self.items_shown,
        }


@dataclass(frozen=True)
class Difference:
    """Mean paired difference and the 95% interval around it."""

    mean: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float]:
        return {key: round(value, 6) for key, value in asdict(self).items()}


def ranking(truth: Truth, picks: Array, k: int) -> Ranking:
    """Judge picks (n, >=k) against the sets in `truth`, over the full catalogue.

    Recall@k is hits over everything the person bought; NDCG@k discounts a hit at place r by
    log2(r + 1) and divides by the best value k places could reach (Jarvelin and Kekalainen, 2002,
    with gains of 0 and 1). No sampled negatives anywhere.
    """
    n = len(truth.users)
    picks = picks[:, :k]
    if picks.shape[0] != n:
        raise ValueError("one row of picks is needed per person judged")
    items = IdMap.of(np.concatenate([truth.item, picks.ravel()]))
    width = len(items)
    bought = truth.row.astype(np.int64) * width + items.encode(truth.item)
    shown = np.arange(n, dtype=np.int64)[:, None] * width + items.encode(picks)
    hit = np.isin(shown, bought).astype(np.float64)
    discount = 1.0 / np.log2(np.arange(2, picks.shape[1] + 2))
    best = np.concatenate([[0.0], np.cumsum(discount)])
    sizes = truth.sizes
    ideal = best[np.minimum(sizes, picks.shape[1])]
    return Ranking(
        k=k,
        recall=hit.sum(axis=1) / np.maximum(sizes, 1),
        ndcg=(hit * discount).sum(axis=1) / np.maximum(ideal, 1e-12),
        items_shown=len(np.unique(picks[picks >= 0])),
        reciprocal=np.where(hit.any(axis=1), 1.0 / (hit.argmax(axis=1) + 1.0), 0.0),
        picks=picks,
    )


def paired_difference(ours: Array, theirs: Array, *, seed: int, draws: int = 2000) -> Difference:
    """Mean of ours - theirs over the same people, with a 95% percentile bootstrap interval.

    People are the unit that is drawn again (Efron, 1979). Both arrays are (n,).
    """
    gap = np.asarray(ours, dtype=np.float64) - np.asarray(theirs, dtype=np.float64)
    n = len(gap)
    if n == 0:
        return Difference(0.0, 0.0, 0.0)
    mean = float(gap.mean())
    if n == 1:
        return Difference(mean, -1.0, 1.0)
    if n > BOOTSTRAP_PEOPLE:
        half = 1.959964 * float(gap.std(ddof=1)) / np.sqrt(n)
        return Difference(mean, mean - half, mean + half)
    rng = np.random.default_rng(seed)
    means = np.empty(draws)
    for part in chunks(draws, max(1, 2_000_000 // n)):
        drawn = rng.integers(0, n, size=(part.stop - part.start, n))
        means[part] = gap[drawn].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Difference(mean, float(low), float(high))

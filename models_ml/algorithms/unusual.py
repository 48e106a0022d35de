"""How unlike the rest somebody is, by how soon chance questions set them apart.

Two looks: an isolation forest (Liu, Ting and Zhou 2008) over columns scaled by their quartiles,
which sees what is odd in several columns together, and the largest distance in any one column. The
degree is the share of people who are less odd, by the look that says more. Its reasons are the
exact shares of columns in the way through the forest (see `explain.trees`), or the one column.

Nobody knows who truly is odd, so it is judged by two things: whether what is learned from either
half of the people agrees, and whether planted people are set apart better than by the largest
distance alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest
from threadpoolctl import threadpool_limits

from models_ml.algorithms import artifacts, metrics
from models_ml.algorithms.classify import Interval
from models_ml.algorithms.errors import Unfit
from models_ml.algorithms.explain.trees import Nodes, TreeShares, joined, single

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FILE = "unusual.npz"
TREES, SAMPLE = 200, 256
POINTS, USUAL = 2_001, 0.5
LEAST_PEOPLE, LEAST_COLUMNS = 100, 2
# Ranks by forests of either half of the people must agree at least so far.
LEAST_AGREEMENT = 0.8
PLANTED = 400
AT_ONCE = 20_000
EULER = 0.5772156649015329


@dataclass(frozen=True)
class Scaling:
    """Columns as distances from the median in quartile ranges; what is missing is usual."""

    middle: Floats
    width: Floats

    @classmethod
    def fit(cls, x: Floats) -> Scaling:
        known = np.where(np.isfinite(x), x, np.nan)
        low, middle, high = np.nanquantile(known, [0.25, 0.5, 0.75], axis=0)
        width = (high - low) / 1.349
        # Mostly one value: how far the others lie from it on average, as quartiles tell nothing.
        width = np.where(width > 0, width, np.nanmean(np.abs(known - middle), axis=0))
        return cls(middle, np.where(width > 0, width, 1.0))

    def apply(self, x: Floats) -> Floats:
        out: Floats = np.nan_to_num(
            (x - self.middle) / self.width, nan=0.0, posinf=1e9, neginf=-1e9
        )
        return out


@dataclass(frozen=True)
class Forest:
    """Trees as arrays; `nodes.value` holds the length of the way to a leaf over all trees."""

    scaling: Scaling
    nodes: Nodes
    roots: Ints
    usual: float

    @classmethod
    def fit(cls, x: Floats, *, seed: int) -> Forest:
        scaling = Scaling.fit(x)
        rows = _soft(scaling.apply(x))
        sample = min(SAMPLE, len(rows))
        with threadpool_limits(limits=1):
            grown = IsolationForest(n_estimators=TREES, max_samples=sample, random_state=seed).fit(
                rows
            )
        parts, roots, offset = [], [], 0
        for one in grown.estimators_:
            tree = one.tree_
            way = _depths(tree.children_left, tree.children_right) + expected_way(
                tree.n_node_samples.astype(np.float64)
            )
            parts.append(
                (
                    tree.children_left,
                    tree.children_right,
                    tree.feature,
                    tree.threshold,
                    np.zeros(tree.node_count, dtype=bool),
                    tree.n_node_samples,
                    way / TREES,
                )
            )
            roots.append(offset)
            offset += tree.node_count
        usual = float(expected_way(np.array([float(sample)]))[0])
        return cls(scaling, joined(parts), np.array(roots), usual)

    def degree(self, x: Floats) -> Floats:
        """How unusual each row is, (n,): 0.5 is usual, near 1 is soon set apart."""
        out = np.empty(len(x))
        for at in range(0, len(x), AT_ONCE):
            out[at : at + AT_ONCE] = self._way(_soft(self.scaling.apply(x[at : at + AT_ONCE])))
        return np.exp2(-out / self.usual)

    def _way(self, rows: Floats) -> Floats:
        seen = rows.astype(np.float32)
        place = np.repeat(self.roots[None, :], len(rows), axis=0)
        everyone = np.arange(len(rows))[:, None]
        nodes = self.nodes
        while True:
            inner = nodes.left[place] >= 0
            if not inner.any():
                break
            left = seen[everyone, nodes.feature[place]] <= nodes.threshold[place]
            step = np.where(left, nodes.left[place], nodes.right[place])
            place = np.where(inner, step, place)
        out: Floats = nodes.value[place].sum(axis=1)
        return out

    def shares(self, x: Floats) -> Floats:
        """How much each column shortens the way, exactly: (n, columns)."""
        _base, found = self._shares.contributions(_soft(self.scaling.apply(x)))
        return -found

    @cached_property
    def _shares(self) -> TreeShares:
        return TreeShares(self.nodes, len(self.scaling.middle), read=single())

    def arrays(self) -> dict[str, NDArray[Any]]:
        nodes = self.nodes
        return {
            "middle": self.scaling.middle,
            "width": self.scaling.width,
            "left": nodes.left,
            "right": nodes.right,
            "feature": nodes.feature,
            "threshold": nodes.threshold,
            "cover": nodes.cover,
            "value": nodes.value,
            "roots": self.roots,
            "usual": np.array([self.usual]),
        }

    @classmethod
    def of(cls, one: dict[str, NDArray[Any]]) -> Forest:
        nodes = Nodes(
            one["left"],
            one["right"],
            one["feature"],
            one["threshold"],
            np.zeros(len(one["left"]), dtype=bool),
            one["cover"],
            one["value"],
            {},
        )
        return cls(
            Scaling(one["middle"], one["width"]), nodes, one["roots"], float(one["usual"][0])
        )


@dataclass(frozen=True)
class Oddness:
    """Both looks, and how they were spread among the people learned from (quantiles)."""

    forest: Forest
    by_forest: Floats
    by_distance: Floats

    @classmethod
    def fit(cls, x: Floats, *, seed: int) -> Oddness:
        forest = Forest.fit(x, seed=seed)
        shares = np.linspace(0, 1, POINTS)
        far = farthest(forest.scaling.apply(x))
        return cls(forest, np.quantile(forest.degree(x), shares), np.quantile(far, shares))

    def looks(self, x: Floats) -> tuple[Floats, Floats]:
        """The share of people less odd, by the forest and by the largest distance."""
        far = farthest(self.forest.scaling.apply(x))
        return _share(self.by_forest, self.forest.degree(x)), _share(self.by_distance, far)

    def degree(self, x: Floats) -> Floats:
        """How odd each row is, in [0, 1]."""
        return np.maximum(*self.looks(x))

    def reasons(self, x: Floats) -> tuple[float, Floats]:
        """What is usual, and shares of columns that sum from there to each one's degree.

        The forest's are exact in the length of the way and stretched alike to the degree.
        """
        together, alone = self.looks(x)
        usual = USUAL
        apart = np.maximum(together, alone) - usual
        z = np.abs(self.forest.scaling.apply(x))
        one = np.zeros_like(z)
        one[np.arange(len(z)), np.argmax(z, axis=1)] = 1.0
        shares = self.forest.shares(x)
        total = shares.sum(axis=1, keepdims=True)
        # Where the way is as long as usual its shares cannot be stretched to a difference.
        by_forest = (together >= alone)[:, None] & (np.abs(total) > 1e-6)
        shares = np.where(by_forest, shares / np.where(np.abs(total) > 1e-6, total, 1.0), one)
        return usual, shares * apart[:, None]

    def save(self, folder: Path) -> None:
        artifacts.write_arrays(
            folder / FILE,
            by_forest=self.by_forest,
            by_distance=self.by_distance,
            **self.forest.arrays(),
        )

    @classmethod
    def load(cls, folder: Path) -> Oddness:
        one = artifacts.read_arrays(folder / FILE)
        return cls(Forest.of(one), one["by_forest"], one["by_distance"])


def _share(points: Floats, values: Floats) -> Floats:
    """The share of people below, half of those alike counting."""
    below = np.searchsorted(points, values, side="left")
    upto = np.searchsorted(points, values, side="right")
    out: Floats = (below + upto) / (2 * len(points))
    return out


def _soft(z: Floats) -> Floats:
    """Long tails drawn in: a question between two values else falls mostly into nothing."""
    out: Floats = np.arcsinh(z)
    return out


def expected_way(n: Floats) -> Floats:
    """The mean way to a leaf in a tree grown by chance over n rows: c(n) of the paper."""
    many = np.maximum(n, 3.0)
    way = 2 * (np.log(many - 1) + EULER) - 2 * (many - 1) / many
    out: Floats = np.where(n <= 1, 0.0, np.where(n <= 2, 1.0, way))
    return out


def _depths(left: Ints, right: Ints) -> Floats:
    depth = np.zeros(len(left))
    for node in range(len(left)):  # children come after their parent
        if left[node] >= 0:
            depth[left[node]] = depth[right[node]] = depth[node] + 1
    return depth


def farthest(z: Floats) -> Floats:
    """The baseline: the largest distance in any one column."""
    out: Floats = np.abs(z).max(axis=1)
    return out


@dataclass(frozen=True)
class Outcome:
    """`agreement` is the rank correlation of what either half told; `gain` is in planted AUC."""

    fitted: Oddness
    agreement: float
    auc: float
    auc_baseline: float
    gain: Interval
    planted: int

    @property
    def code(self) -> str:
        if self.agreement < LEAST_AGREEMENT:
            return "unstable"
        return "better" if self.gain.low > 0 else "no_better_than_baseline"


def run(x: Floats, half: NDArray[np.bool_], *, seed: int) -> Outcome:
    """Learn from all rows; judged by what one half told. Unfit for few people or columns."""
    if len(x) < LEAST_PEOPLE:
        raise Unfit("too_few_people", {"people": len(x), "needed": LEAST_PEOPLE})
    if x.shape[1] < LEAST_COLUMNS:
        raise Unfit("no_columns", {"columns": x.shape[1]})
    first, second = Oddness.fit(x[half], seed=seed), Oddness.fit(x[~half], seed=seed + 1)
    agreement = rank_correlation(first.degree(x), second.degree(x))
    kept = x[~half]
    odd = plant(kept, seed=seed)
    ours = _above(first.degree(odd), first.degree(kept))
    alone = first.forest.scaling.apply
    theirs = _above(farthest(alone(odd)), farthest(alone(kept)))
    better = metrics.paired_difference(ours, theirs, seed=seed)
    return Outcome(
        Oddness.fit(x, seed=seed),
        agreement,
        float(ours.mean()),
        float(theirs.mean()),
        Interval(better.mean, better.low, better.high),
        len(odd),
    )


def plant(x: Floats, *, seed: int) -> Floats:
    """People changed to be odd: half in one column far out, half in several a little."""
    rng = np.random.default_rng(seed)
    count = min(PLANTED, len(x))
    odd = x[rng.choice(len(x), count, replace=False)].copy()
    low, high = np.nanquantile(x, [0.02, 0.98], axis=0)
    top, width = np.nanmax(x, axis=0), Scaling.fit(x).width
    columns = x.shape[1]
    several = max(2, round(0.4 * columns))
    for n in range(count):
        if n % 2:
            chosen = rng.choice(columns, several, replace=False)
            odd[n, chosen] = np.where(rng.random(several) < 0.5, low[chosen], high[chosen])
        else:
            one = rng.integers(columns)
            odd[n, one] = top[one] + 3 * width[one]
    return odd


def _above(odd: Floats, usual: Floats) -> Floats:
    """The share of usual people each odd one is above; their mean is the AUC."""
    order = np.sort(usual)
    below = np.searchsorted(order, odd, side="left")
    out: Floats = (below + np.searchsorted(order, odd, side="right")) / (2 * len(order))
    return out


def rank_correlation(a: Floats, b: Floats) -> float:
    """Spearman's, ties by their mean rank."""
    ranks = []
    for values in (a, b):
        _known, place, count = np.unique(values, return_inverse=True, return_counts=True)
        ranks.append((np.cumsum(count) - (count - 1) / 2)[place])
    if min(np.ptp(rank) for rank in ranks) == 0:
        return 0.0
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])

"""TreeSHAP, exact: an answer of trees shared out among its columns by Shapley's rule.

The values are those of Lundberg et al. (2020), 'From local explanations to global understanding
with explainable AI for trees', with the training rows' cover for what is unknown. They are computed
leaf by leaf. On the way to a leaf let column j be asked; o_j is 1 if the row passes all of its
questions, else 0, and z_j the share of training rows that pass them. The weights of Shapley's sum
over subsets are an integral of a polynomial,

    share of d = value * (o_d - z_d) * integral over u from 0 to 1 of
                 the product over the other columns of (o_j u + z_j (1 - u)),

which a Gauss-Legendre rule with half as many nodes as columns gives exactly. So there is no
recursion, and all leaves of all trees and many rows are one array.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Numbers held at once while leaves are worked through.
AT_ONCE = 4_000_000
# And of the leaves of one width: what the fast part of a processor's memory holds.
NEAR = 50_000
NEVER = 1e-12


@dataclass(frozen=True)
class Nodes:
    """Every node of every tree in one row of arrays. A leaf has `left` -1 and its `value`."""

    left: Ints
    right: Ints
    feature: Ints
    threshold: Floats
    missing_left: Bools
    cover: Floats
    value: Floats
    # Of nodes that ask for a category: the categories that go left; empty for the others.
    categories: dict[int, Ints]

    @property
    def size(self) -> int:
        return len(self.left)


@dataclass(frozen=True)
class _Paths:
    """All leaves on whose way `width` different columns are asked.

    Their groups (questions of one way about one column) lie together from `start` on: the first
    column of every leaf, then the second of every leaf, and so on.
    """

    start: int
    value: Floats  # (leaves, 1)
    passing: Floats  # (width, leaves, 1), z above

    @property
    def shape(self) -> tuple[int, int]:
        return self.passing.shape[0], self.passing.shape[1]


@dataclass(frozen=True)
class Read:
    """How the model reads a row: in single precision or not, and its own codes of categories."""

    single: bool = False
    encoder: Any = None
    order: Ints | None = None

    def apply(self, x: Floats) -> Floats:
        if self.encoder is None:
            return x
        out = np.empty(x.shape)
        out[:, self.order] = self.encoder.transform(x)
        return out


class TreeShares:
    """Prepared once for a model; then `contributions` of any rows."""

    def __init__(
        self, nodes: Nodes, columns: int, *, start: float = 0.0, read: Read | None = None
    ) -> None:
        self.nodes, self.columns, self.read = nodes, columns, read or Read()
        self._prepare(start)

    @classmethod
    def of(cls, estimator: Any) -> TreeShares:
        """A tree, a forest or histogram boosting of scikit-learn, for two classes or a number.

        Shares are of the chance of the second class for a tree and a forest, and of the
        untransformed score (log-odds) for boosting.
        """
        columns = int(estimator.n_features_in_)
        if isinstance(estimator, HistGradientBoostingClassifier | HistGradientBoostingRegressor):
            read = Read(encoder=estimator._preprocessor, order=_order(estimator))
            start = float(np.ravel(estimator._baseline_prediction)[0])
            return cls(_boosting(estimator), columns, start=start, read=read)
        if isinstance(estimator, RandomForestClassifier | RandomForestRegressor):
            return cls(_forest(estimator.estimators_), columns, read=Read(single=True))
        if isinstance(estimator, DecisionTreeClassifier | DecisionTreeRegressor):
            return cls(_forest([estimator]), columns, read=Read(single=True))
        raise TypeError(f"{type(estimator).__name__} is not a model of trees known here")

    def contributions(self, x: NDArray[Any]) -> tuple[float, Floats]:
        """The answer for nobody in particular, and the share of each column (n, columns)."""
        rows = self.read.apply(np.asarray(x, dtype=np.float64))
        out = np.zeros((len(rows), self.columns))
        if not self._paths:
            return self.base, out
        step = max(1, AT_ONCE // max(len(self._step_node), self.nodes.size))
        for at in range(0, len(rows), step):
            out[at : at + step] = self._shares(rows[at : at + step])
        return self.base, out

    def _shares(self, x: Floats) -> Floats:
        left = np.ascontiguousarray(self._goes_left(x).T)
        kept = left[self._step_node] == self._step_left[:, None]
        # A column is passed when every question about it on the way is.
        passed = np.logical_and.reduceat(kept, self._group_start, axis=0)
        share = np.empty(passed.shape)
        for paths in self._paths:
            width, leaves = paths.shape
            whole = slice(paths.start, paths.start + width * leaves)
            o = passed[whole].reshape(width, leaves, -1)
            found = share[whole].reshape(width, leaves, -1)
            span = max(1, NEAR // (len(x) * width))
            for at in range(0, leaves, span):
                part = slice(at, at + span)
                found[:, part] = paths.value[part] * _split(o[:, part], paths.passing[:, part])
        return np.asarray((self._to_columns @ share).T)

    def _goes_left(self, x: Floats) -> Bools:
        nodes = self.nodes
        values = x[:, nodes.feature]
        # scikit-learn's trees compare in single precision, its histogram boosting in double.
        asked = values.astype(np.float32) if self.read.single else values
        left = np.asarray(asked <= nodes.threshold)
        for node, categories in nodes.categories.items():
            left[:, node] = np.isin(values[:, node], categories)
        return np.where(np.isnan(values), nodes.missing_left, left)

    def _prepare(self, start: float) -> None:
        """The way to every leaf, and its questions joined by column."""
        nodes = self.nodes
        parent = np.full(nodes.size, -1, dtype=np.int64)
        inner = np.flatnonzero(nodes.left >= 0)
        parent[nodes.left[inner]] = inner
        parent[nodes.right[inner]] = inner
        is_left = np.zeros(nodes.size, dtype=bool)
        is_left[nodes.left[inner]] = True
        leaves = np.flatnonzero(nodes.left < 0)
        found: list[tuple[Ints, Ints, Bools, Floats]] = []
        leaf, here = np.arange(len(leaves)), leaves
        while len(leaf):
            up = parent[here]
            going = up >= 0
            leaf, here, up = leaf[going], here[going], up[going]
            share = nodes.cover[here] / np.maximum(nodes.cover[up], NEVER)
            found.append((leaf, up, is_left[here], np.maximum(share, NEVER)))
            here = up
        of = np.concatenate([one[0] for one in found])
        node = np.concatenate([one[1] for one in found])
        feature = nodes.feature[node]
        order = np.lexsort((feature, of))
        of, node, feature = of[order], node[order], feature[order]
        self._step_node = node
        self._step_left = np.concatenate([one[2] for one in found])[order]
        shares = np.concatenate([one[3] for one in found])[order]
        new = np.ones(len(of), dtype=bool)
        new[1:] = (of[1:] != of[:-1]) | (feature[1:] != feature[:-1])
        self._group_start = np.flatnonzero(new)
        self._group_feature = feature[self._group_start]
        first = np.flatnonzero(new)
        value = nodes.value[leaves]
        passing = np.multiply.reduceat(shares, first) if len(first) else np.empty(0)
        whole = np.ones(len(leaves))
        np.multiply.at(whole, of[first], passing)
        self.base = start + float(value @ whole)
        self._lay_out(first, of[first], feature[first], passing, value)

    def _lay_out(
        self, first: Ints, leaf: Ints, feature: Ints, passing: Floats, value: Floats
    ) -> None:
        """Groups in the order `_Paths` says, and their questions in the order of the groups."""
        self._paths: list[_Paths] = []
        if not len(first):
            return
        width = np.bincount(leaf, minlength=len(value))
        begin = np.concatenate([[0], np.cumsum(width)[:-1]]).astype(np.int64)
        blocks, done = [], 0
        for columns in np.unique(width[width > 0]):
            mine = np.flatnonzero(width == columns)
            block = begin[mine] + np.arange(columns)[:, None]
            self._paths.append(_Paths(done, value[mine][:, None], passing[block][:, :, None]))
            blocks.append(block.ravel())
            done += block.size
        order = np.concatenate(blocks)
        length = np.diff(np.append(first, len(self._step_node)))[order]
        self._group_start = np.concatenate([[0], np.cumsum(length)[:-1]]).astype(np.int64)
        within = np.arange(int(length.sum())) - np.repeat(self._group_start, length)
        step = np.repeat(first[order], length) + within
        self._step_node, self._step_left = self._step_node[step], self._step_left[step]
        groups = len(order)
        self._to_columns = csr_matrix(
            (np.ones(groups), (feature[order], np.arange(groups))), shape=(self.columns, groups)
        )


def _split(o: Bools, z: Floats) -> Floats:
    """Shapley shares (width, leaves, rows) of a value of 1 at the end of each way."""
    width = len(o)
    if width == 1:
        return o - z
    node, weight = _gauss((width + 1) // 2)
    # o u + z (1 - u) = z + (o - z) u
    gap = o - z
    inner, factor = np.zeros(gap.shape), np.empty(gap.shape)
    for u, w in zip(node, weight, strict=True):
        np.multiply(gap, u, out=factor)
        factor += z
        np.divide(w * np.multiply.reduce(factor, axis=0), factor, out=factor)
        inner += factor
    inner *= gap
    return inner


@cache
def _gauss(points: int) -> tuple[Floats, Floats]:
    node, weight = np.polynomial.legendre.leggauss(points)
    return (node + 1) / 2, weight / 2


def _forest(trees: list[Any]) -> Nodes:
    """scikit-learn's trees, whose answers are averaged."""
    parts = []
    for one in trees:
        tree = one.tree_
        found = tree.value[:, 0, :]
        if found.shape[1] > 2 or tree.value.shape[1] > 1:
            raise TypeError("only one answer of two classes, or one number, is explained")
        if hasattr(one, "classes_"):
            whole = np.maximum(found.sum(axis=1), NEVER)
            second = found[:, 1] if found.shape[1] == 2 else found[:, 0] * float(one.classes_[0])
            value = second / whole
        else:
            value = found[:, 0]
        missing = getattr(tree, "missing_go_to_left", np.zeros(tree.node_count))
        parts.append(
            (
                tree.children_left,
                tree.children_right,
                tree.feature,
                tree.threshold,
                np.asarray(missing, dtype=bool),
                tree.weighted_n_node_samples,
                value / len(trees),
            )
        )
    return _joined(parts, {})


def _boosting(estimator: Any) -> Nodes:
    parts, categories, offset = [], {}, 0
    column = _order(estimator)
    for stage in estimator._predictors:
        if len(stage) != 1:
            raise TypeError("only one answer of two classes, or one number, is explained")
        nodes = stage[0].nodes
        leaf = nodes["is_leaf"].astype(bool)
        parts.append(
            (
                np.where(leaf, -1, nodes["left"].astype(np.int64)),
                np.where(leaf, -1, nodes["right"].astype(np.int64)),
                column[np.where(leaf, 0, nodes["feature_idx"])],
                nodes["num_threshold"],
                nodes["missing_go_to_left"].astype(bool),
                nodes["count"],
                nodes["value"],
            )
        )
        for node in np.flatnonzero(nodes["is_categorical"].astype(bool) & ~leaf):
            bits = stage[0].raw_left_cat_bitsets[nodes["bitset_idx"][node]]
            flags = np.unpackbits(bits.astype("<u4").view(np.uint8), bitorder="little")
            categories[offset + int(node)] = np.flatnonzero(flags)
        offset += len(nodes)
    return _joined(parts, categories)


def _order(estimator: Any) -> Ints:
    """Which column each of the model's own is: it puts categories before numbers."""
    if estimator._preprocessor is None:
        return np.arange(int(estimator.n_features_in_))
    marked = np.asarray(estimator.is_categorical_, dtype=bool)
    return np.concatenate([np.flatnonzero(marked), np.flatnonzero(~marked)])


def joined(parts: list[tuple[Any, ...]]) -> Nodes:
    """Trees as arrays of left, right, feature, threshold, missing left, cover and value."""
    return _joined(parts, {})


def single() -> Read:
    """Rows are compared in single precision, as scikit-learn's trees do."""
    return Read(single=True)


def _joined(parts: list[tuple[Any, ...]], categories: dict[int, Ints]) -> Nodes:
    sizes = np.array([len(part[0]) for part in parts])
    shift = np.repeat(np.concatenate([[0], np.cumsum(sizes)[:-1]]), sizes)
    left, right, feature, threshold, missing, cover, value = (
        np.concatenate([part[place] for part in parts]) for place in range(7)
    )
    leaf = left < 0
    return Nodes(
        np.where(leaf, -1, left.astype(np.int64) + shift),
        np.where(leaf, -1, right.astype(np.int64) + shift),
        np.where(leaf, 0, feature.astype(np.int64)),
        np.asarray(threshold, dtype=np.float64),
        np.asarray(missing, dtype=bool),
        np.asarray(cover, dtype=np.float64),
        np.asarray(value, dtype=np.float64),
        categories,
    )

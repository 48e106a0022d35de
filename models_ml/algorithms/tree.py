"""A small decision tree that finds groups of people, judged on people and a time it never saw.

CART (Breiman, Friedman, Olshen & Stone 1984) through scikit-learn, made honest in three ways
(after Athey & Imbens 2016, 'Recursive partitioning for heterogeneous causal effects'):

1. People are dealt into two halves by a hash of their id. One half chooses the questions, from
   earlier moments; the other half, at a later moment, gives every rate, interval and figure.
2. How far to prune (cost-complexity) is chosen inside the first half, by AUC over folds of people.
3. Thresholds are cut to the precision in which each feature is stored before anything is judged,
   so `apply` here and a WHERE clause there give the same people, row for row.

Arrays in, arrays out; a missing number is nan, and each question says which way it goes.
"""

from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier

from models_ml.algorithms import classify
from models_ml.algorithms.classify import Bools, Floats, Interval

Ints = NDArray[np.int64]
LEAF = -1


@dataclass(frozen=True, slots=True)
class Params:
    """At most `leaves` groups, so that a person can read them, of at least `min_leaf` people.

    `folds` parts of the structure half choose the pruning.
    """

    depth: int = 4
    leaves: int = 8
    min_leaf: int = 100
    folds: int = 5
    seed: int = 20111209


@dataclass(frozen=True, slots=True)
class Feature:
    """A column: its name, the decimals in which it is stored, and whether it may be unknown."""

    name: str
    decimals: int = 0
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Sample:
    """n people at a moment: x (n, f) with nan for unknown, label (n), person id (n)."""

    x: Floats
    label: Bools
    person: Ints

    def take(self, rows: Bools) -> "Sample":
        return Sample(self.x[rows], self.label[rows], self.person[rows])

    @property
    def size(self) -> int:
        return int(self.label.size)


@dataclass(frozen=True, slots=True)
class Condition:
    """`feature op threshold`; with `missing`, an unknown value passes too."""

    feature: str
    op: str
    threshold: float
    missing: bool


@dataclass(frozen=True, slots=True)
class Tree:
    """Aligned arrays, an entry a node, node 0 the root: x <= threshold goes left, and so does
    an unknown x where `missing_left` says so.

    `rate`, `people`, `yes` come from the half that did not choose the questions; `guess` from the
    half that did.
    """

    features: tuple[Feature, ...]
    feature: Ints
    threshold: Floats
    missing_left: Bools
    left: Ints
    right: Ints
    guess: Floats
    people: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    yes: Ints = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def leaves(self) -> list[int]:
        return [int(i) for i in np.flatnonzero(self.left == LEAF)]

    @property
    def rate(self) -> Floats:
        """Shrunk slightly to the rate of everyone, so that an empty leaf has a rate too."""
        everyone = (self.yes[0] + 1) / (self.people[0] + 2)
        return np.asarray((self.yes + 2 * everyone) / (self.people + 2), dtype=np.float64)

    def apply(self, x: Floats) -> Ints:
        """The leaf of each row."""
        node = np.zeros(len(x), np.int64)
        for _ in range(len(self.left)):
            inner = np.flatnonzero(self.left[node] != LEAF)
            if not inner.size:
                break
            here = node[inner]
            value = x[inner, self.feature[here]]
            goes_left = np.where(
                np.isnan(value), self.missing_left[here], value <= self.threshold[here]
            )
            node[inner] = np.where(goes_left, self.left[here], self.right[here])
        return node

    def path(self, node: int) -> list[tuple[int, bool]]:
        """The questions from the root to `node`: (question, whether x <= threshold)."""
        parent = {
            int(child): (i, side)
            for i in range(len(self.left))
            if self.left[i] != LEAF
            for child, side in ((self.left[i], True), (self.right[i], False))
        }
        steps = []
        while node != 0:
            node, side = parent[node]
            steps.append((node, side))
        return steps[::-1]

    def conditions(self, node: int) -> list[Condition]:
        """The node as the fewest conditions, in the order in which features were asked about."""
        merged: dict[tuple[int, str], float] = {}
        missing: dict[int, bool] = {}
        for question, yes in self.path(node):
            f, cut = int(self.feature[question]), float(self.threshold[question])
            op = "<=" if yes else ">"
            old = merged.get((f, op))
            merged[(f, op)] = cut if old is None else min(old, cut) if yes else max(old, cut)
            goes = self.features[f].nullable and bool(self.missing_left[question]) == yes
            missing[f] = missing.get(f, True) and goes
        return [
            Condition(self.features[f].name, op, cut, missing[f]) for (f, op), cut in merged.items()
        ]

    def as_json(self) -> dict[str, Any]:
        return {
            "features": [asdict(f) for f in self.features],
            **{name: getattr(self, name).tolist() for name in _ARRAYS},
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Tree":
        """Read a stored tree; ValueError when its arrays do not make a tree."""
        arrays = {name: np.asarray(data[name], dtype=kind) for name, kind in _ARRAYS.items()}
        tree = cls(
            features=tuple(
                Feature(f["name"], int(f["decimals"]), bool(f["nullable"]))
                for f in data["features"]
            ),
            **arrays,
        )
        n = len(tree.left)
        inner = tree.left != LEAF
        children = np.concatenate([tree.left[inner], tree.right[inner]])
        sound = (
            n > 0
            and all(len(a) == n for a in arrays.values())
            and sorted(children.tolist()) == list(range(1, n))
            and bool(np.all(tree.left[inner] > np.flatnonzero(inner)))
            and bool(np.all(tree.right[inner] > np.flatnonzero(inner)))
            and bool(
                np.all((tree.feature[inner] >= 0) & (tree.feature[inner] < len(tree.features)))
            )
            and bool(np.isfinite(tree.threshold[inner]).all())
        )
        if not sound:
            raise ValueError("the stored arrays do not make a tree")
        return tree


_ARRAYS: dict[str, Any] = {
    "feature": np.int64,
    "threshold": np.float64,
    "missing_left": np.bool_,
    "left": np.int64,
    "right": np.int64,
    "guess": np.float64,
    "people": np.int64,
    "yes": np.int64,
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the tree is worth on the people and the time it had not seen, beside two dull rules."""

    auc: float
    auc_recency: float
    gain: Interval
    log_loss: float
    log_loss_base: float
    brier: float
    brier_base: float
    base_rate: Interval
    people: int
    calibration: list[dict[str, float]]
    gains: list[dict[str, float]]
    gains_recency: list[dict[str, float]]

    @property
    def better(self) -> bool:
        """Ranks people better than the recency rule and knows more than the average rate."""
        return self.gain.low > 0 and self.log_loss < self.log_loss_base


def halves(person: Ints, seed: int) -> Bools:
    """True for the people of the judging half; by a hash of the id, so nobody ever changes half."""
    return np.asarray(_mix(person, seed) & np.uint64(1), dtype=np.uint64) == 1


def _mix(person: Ints, seed: int) -> NDArray[np.uint64]:
    """SplitMix64 (Steele, Lea & Flood 2014)."""
    with np.errstate(over="ignore"):
        z = person.astype(np.uint64) + np.uint64(seed % 2**64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def fit(*, structure: Sample, judge: Sample, features: tuple[Feature, ...], params: Params) -> Tree:
    """Grow and prune on `structure`, take every rate from `judge`.

    ValueError when somebody is in both samples or one of them has only one answer.
    """
    if np.intersect1d(structure.person, judge.person).size:
        raise ValueError("a person is both in the structure and in the judging half")
    if len(np.unique(structure.label)) < 2 or len(np.unique(judge.label)) < 2:
        raise ValueError("both halves need people who did and people who did not")
    tree = _grow(structure, features, params, _choose_pruning(structure, features, params))
    tree = _without_thin_leaves(tree, judge.x, max(params.min_leaf // 2, 1))
    return _with_rates(tree, judge)


def _grow(sample: Sample, features: tuple[Feature, ...], params: Params, alpha: float) -> Tree:
    model = DecisionTreeClassifier(
        criterion="entropy",
        max_depth=params.depth,
        max_leaf_nodes=params.leaves,
        min_samples_leaf=params.min_leaf,
        ccp_alpha=alpha,
        random_state=params.seed,
    )
    model.fit(sample.x, sample.label)
    raw = model.tree_
    inner = raw.children_left != LEAF
    feature = np.where(inner, raw.feature, 0).astype(np.int64)
    decimals = np.array([f.decimals for f in features])[feature]
    scale = 10.0**decimals
    # Values have these decimals and nothing between, so cutting the threshold down loses nobody.
    cut = np.floor(np.round(raw.threshold * scale, 6)) / scale
    tree = Tree(
        features=features,
        feature=feature,
        threshold=np.where(inner, cut, 0.0),
        missing_left=np.asarray(raw.missing_go_to_left, dtype=np.bool_) & inner,
        left=raw.children_left.astype(np.int64),
        right=np.where(inner, raw.children_right, LEAF).astype(np.int64),
        guess=np.zeros(len(inner)),
    )
    people, yes = _counts(tree, sample)
    everyone = yes[0] / people[0]
    return replace(tree, guess=(yes + 2 * everyone) / (people + 2))


def _choose_pruning(sample: Sample, features: tuple[Feature, ...], params: Params) -> float:
    """The pruning that ranks held-out folds of people best (AUC); of equals, the smallest tree."""
    fold = (_mix(sample.person, params.seed + 1) >> np.uint64(11)) % np.uint64(params.folds)
    if sample.size < 2 * params.folds * params.min_leaf:
        return 0.0
    model = DecisionTreeClassifier(
        criterion="entropy",
        max_depth=params.depth,
        max_leaf_nodes=params.leaves,
        min_samples_leaf=params.min_leaf,
        random_state=params.seed,
    )
    found = np.unique(
        np.maximum(model.cost_complexity_pruning_path(sample.x, sample.label).ccp_alphas, 0.0)
    )
    # Between two steps of the path the tree is the same: the middle stands for the step.
    alphas = np.sqrt(found * np.append(found[1:], found[-1]))
    worth = np.zeros(len(alphas))
    for part in range(params.folds):
        check = fold == part
        grow = sample.take(~check)
        rest = sample.take(check)
        if len(np.unique(grow.label)) < 2 or not rest.size:
            return 0.0
        for i, alpha in enumerate(alphas):
            tree = _grow(grow, features, params, float(alpha))
            worth[i] += np.nan_to_num(classify.auc(rest.label, tree.guess[tree.apply(rest.x)]))
    best = np.flatnonzero(worth >= worth.max() - 1e-9).max()
    return float(alphas[best])


def _counts(tree: Tree, sample: Sample) -> tuple[Ints, Ints]:
    """People and yeses of every node, inner ones included."""
    n = len(tree.left)
    leaf = tree.apply(sample.x)
    people = np.bincount(leaf, minlength=n).astype(np.int64)
    yes = np.bincount(leaf[sample.label], minlength=n).astype(np.int64)
    for i in range(n - 1, -1, -1):  # children stand after their parent
        if tree.left[i] != LEAF:
            people[i] = people[tree.left[i]] + people[tree.right[i]]
            yes[i] = yes[tree.left[i]] + yes[tree.right[i]]
    return people, yes


def _without_thin_leaves(tree: Tree, x: Floats, least: int) -> Tree:
    """Take back questions that leave fewer than `least` people on a side.

    Looks at who the people are and not at what they did, so their rates stay honest.
    """
    left, right = tree.left.copy(), tree.right.copy()
    people, _ = _counts(tree, Sample(x, np.zeros(len(x), np.bool_), np.zeros(len(x), np.int64)))
    for i in range(len(left) - 1, -1, -1):
        if left[i] == LEAF:
            continue
        both = (int(left[i]), int(right[i]))
        if min(people[c] for c in both) < least:
            left[i] = right[i] = LEAF
    keep: list[int] = []
    todo = [0]
    while todo:
        i = todo.pop(0)
        keep.append(i)
        if left[i] != LEAF:
            todo += [int(left[i]), int(right[i])]
    place = {old: new for new, old in enumerate(keep)} | {LEAF: LEAF}
    picked = {
        name: getattr(tree, name)[keep]
        for name in ("feature", "threshold", "missing_left", "guess")
    }
    return Tree(
        features=tree.features,
        left=np.array([place[int(left[i])] for i in keep], dtype=np.int64),
        right=np.array([place[int(right[i])] for i in keep], dtype=np.int64),
        **picked,
    )


def _with_rates(tree: Tree, judge: Sample) -> Tree:
    people, yes = _counts(tree, judge)
    return replace(tree, people=people, yes=yes)


def assess(tree: Tree, judge: Sample, recency: Floats, params: Params) -> Judgement:
    """Judge on the half that did not choose the questions; `recency` (n) in days is the rival rule.

    Ranking uses the rates of the structure half, which saw none of these people. Chances (log
    loss, Brier, calibration) are what we publish, rates of this half, so each person is judged by
    the rates of the others: two folds, each scored with the other's.
    """
    leaf = tree.apply(judge.x)
    ranked = tree.guess[leaf]
    fold = (_mix(judge.person, params.seed + 2) & np.uint64(1)) == 1
    chance, dull = np.empty(judge.size), np.empty(judge.size)
    for side in (fold, ~fold):
        other = judge.take(~side)
        chance[side] = _with_rates(tree, other).rate[leaf[side]]
        dull[side] = (other.label.sum() + 1) / (other.size + 2)
    rival = -np.nan_to_num(recency, nan=1e9)
    return Judgement(
        auc=classify.auc(judge.label, ranked),
        auc_recency=classify.auc(judge.label, rival),
        gain=classify.auc_gain(judge.label, ranked, rival, seed=params.seed),
        log_loss=classify.log_loss(judge.label, chance),
        log_loss_base=classify.log_loss(judge.label, dull),
        brier=classify.brier(judge.label, chance),
        brier_base=classify.brier(judge.label, dull),
        base_rate=classify.wilson(int(judge.label.sum()), judge.size),
        people=judge.size,
        calibration=classify.calibration(judge.label, tree.guess[leaf]),
        gains=classify.gains(judge.label, ranked),
        gains_recency=classify.gains(judge.label, rival),
    )

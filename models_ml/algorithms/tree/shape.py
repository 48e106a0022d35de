"""The tree as aligned arrays: who goes where, the conditions of a group, written and read back."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models_ml.algorithms.classify import Bools, Floats

Ints = NDArray[np.int64]
LEAF = -1
NUMBER, CATEGORY = "number", "category"


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
    """A column: its name, the decimals in which it is stored, and whether it may be unknown.

    Of a category a value is the place of its level in `levels`; any other level, also one that
    nobody had at the training, is `len(levels)`.
    """

    name: str
    decimals: int = 0
    nullable: bool = False
    kind: str = NUMBER
    levels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """n people at a moment: x (n, f) with nan for unknown, label (n), person id (n)."""

    x: Floats
    label: Bools
    person: Ints

    def take(self, rows: Bools | Ints) -> "Sample":
        return Sample(self.x[rows], self.label[rows], self.person[rows])

    @property
    def size(self) -> int:
        return int(self.label.size)


@dataclass(frozen=True, slots=True)
class Condition:
    """`feature op threshold`, or the level is `in` or `not_in` `levels`.

    With `missing`, an unknown value passes too.
    """

    feature: str
    op: str
    threshold: float
    missing: bool
    levels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tree:
    """An entry a node, node 0 the root: x <= threshold goes left, and so does an unknown x where
    `missing_left` says so. A question about a category names in `subset` the levels that go left
    (`len(levels)` for every other one).

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
    subset: tuple[tuple[int, ...], ...] = ()

    @property
    def leaves(self) -> list[int]:
        return [int(i) for i in np.flatnonzero(self.left == LEAF)]

    @property
    def rate(self) -> Floats:
        """Shrunk slightly to the rate of everyone, so that an empty leaf has a rate too."""
        everyone = (self.yes[0] + 1) / (self.people[0] + 2)
        return np.asarray((self.yes + 2 * everyone) / (self.people + 2), dtype=np.float64)

    def asks_category(self, node: int) -> bool:
        return bool(
            self.left[node] != LEAF and self.features[int(self.feature[node])].kind == CATEGORY
        )

    def goes_left(self, node: int, value: Floats) -> Bools:
        """Whether each value of the node's feature goes left."""
        known = np.isfinite(value)
        if not self.asks_category(node):
            return np.where(known, value <= self.threshold[node], self.missing_left[node])
        levels = len(self.features[int(self.feature[node])].levels)
        lefts = np.zeros(levels + 1, np.bool_)
        lefts[list(self.subset[node])] = True
        place = np.clip(np.where(known, value, levels), 0, levels).astype(np.int64)
        return np.where(known, lefts[place], self.missing_left[node])

    def apply(self, x: Floats) -> Ints:
        """The leaf of each row."""
        node = np.zeros(len(x), np.int64)
        for i in range(len(self.left)):  # children stand after their parent
            if self.left[i] == LEAF:
                continue
            here = np.flatnonzero(node == i)
            left = self.goes_left(i, x[here, self.feature[i]])
            node[here] = np.where(left, self.left[i], self.right[i])
        return node

    def path(self, node: int) -> list[tuple[int, bool]]:
        """The questions from the root to `node`: (question, whether the answer goes left)."""
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
        cuts: dict[tuple[int, str], float] = {}
        allowed: dict[int, set[int]] = {}
        missing: dict[int, bool] = {}
        for question, yes in self.path(node):
            f = int(self.feature[question])
            goes = self.features[f].nullable and bool(self.missing_left[question]) == yes
            missing[f] = missing.get(f, True) and goes
            if self.features[f].kind == CATEGORY:
                every = set(range(len(self.features[f].levels) + 1))
                lefts = set(self.subset[question])
                allowed[f] = allowed.get(f, every) & (lefts if yes else every - lefts)
                cuts[f, "in"] = 0.0
                continue
            cut, op = float(self.threshold[question]), "<=" if yes else ">"
            old = cuts.get((f, op))
            cuts[f, op] = cut if old is None else min(old, cut) if yes else max(old, cut)
        return [
            self._among(f, allowed[f], missing[f])
            if op == "in"
            else Condition(self.features[f].name, op, cut, missing[f])
            for (f, op), cut in cuts.items()
        ]

    def _among(self, f: int, allowed: set[int], missing: bool) -> Condition:
        """Levels are named on the side without the 'other' ones, which cannot be listed."""
        one = self.features[f]
        other = len(one.levels) in allowed
        named = tuple(v for i, v in enumerate(one.levels) if (i in allowed) != other)
        return Condition(one.name, "not_in" if other else "in", 0.0, missing, named)

    def as_json(self) -> dict[str, Any]:
        return {
            "features": [
                {
                    "name": f.name,
                    "decimals": f.decimals,
                    "nullable": f.nullable,
                    "kind": f.kind,
                    "levels": list(f.levels),
                }
                for f in self.features
            ],
            **{name: getattr(self, name).tolist() for name in ARRAYS},
            "subset": [list(codes) for codes in self.subsets],
        }

    @property
    def subsets(self) -> tuple[tuple[int, ...], ...]:
        return self.subset or ((),) * len(self.left)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Tree":
        """Read a stored tree; ValueError when its arrays do not make a tree."""
        arrays = {name: np.asarray(data[name], dtype=kind) for name, kind in ARRAYS.items()}
        features = tuple(
            Feature(
                f["name"],
                int(f["decimals"]),
                bool(f["nullable"]),
                f.get("kind", NUMBER),
                tuple(f.get("levels", ())),
            )
            for f in data["features"]
        )
        n = len(arrays["left"])
        subset = tuple(tuple(int(i) for i in codes) for codes in data.get("subset", [()] * n))
        tree = cls(features=features, subset=subset, **arrays)
        if not tree._sound():
            raise ValueError("the stored arrays do not make a tree")
        return tree

    def _sound(self) -> bool:
        n = len(self.left)
        inner = self.left != LEAF
        places = np.flatnonzero(inner)
        children = np.concatenate([self.left[inner], self.right[inner]])
        return (
            n > 0
            and len(self.subset) == n
            and all(len(getattr(self, name)) == n for name in ARRAYS)
            and sorted(children.tolist()) == list(range(1, n))
            and bool(np.all(self.left[inner] > places))
            and bool(np.all(self.right[inner] > places))
            and bool(
                np.all((self.feature[inner] >= 0) & (self.feature[inner] < len(self.features)))
            )
            and bool(np.isfinite(self.threshold[inner]).all())
            and all(
                0 <= code <= len(self.features[int(self.feature[i])].levels)
                for i in places
                for code in self.subset[i]
            )
        )


ARRAYS: dict[str, Any] = {
    "feature": np.int64,
    "threshold": np.float64,
    "missing_left": np.bool_,
    "left": np.int64,
    "right": np.int64,
    "guess": np.float64,
    "people": np.int64,
    "yes": np.int64,
}

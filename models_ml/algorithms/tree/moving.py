"""What became of the groups of an earlier tree: for each new group where its people were before.

Both trees are applied to the same people as they are now, so a difference is the trees' and not
time's. Whether a rate moved is told by Newcombe's interval (1998, method 10) of the difference of
two rates, as both come from people that their trees had not seen.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from models_ml.algorithms import classify
from models_ml.algorithms.classify import Interval
from models_ml.algorithms.tree.shape import Ints, Tree

# The share of people two groups must have in common to be spoken of as the same group moved.
ALIKE = 0.5
SAME, CHANGED, NEW = "same", "changed", "new"


@dataclass(frozen=True, slots=True)
class Move:
    """A group now and the earlier group that shares most people with it.

    `common` is their shared people over all people of both. `before` is None for a new group.
    """

    leaf: int
    was: int | None
    kind: str
    common: float
    before: float | None
    after: float
    difference: Interval | None

    @property
    def moved(self) -> bool:
        """Whether its rate surely changed."""
        return self.difference is not None and (self.difference.low > 0 or self.difference.high < 0)

    def as_json(self) -> dict[str, Any]:
        return {
            "leaf": self.leaf,
            "was": self.was,
            "kind": self.kind,
            "common": round(self.common, 4),
            "before": self.before,
            "after": self.after,
            "difference": self.difference.as_json() if self.difference else None,
            "moved": self.moved,
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """All groups now, the earlier ones that none of them stands for, and how many people changed.

    `changed` is the share of people whose group is not the one that stands for their earlier one.
    """

    moves: tuple[Move, ...]
    gone: tuple[int, ...]
    changed: float

    def as_json(self) -> dict[str, Any]:
        return {
            "moves": [move.as_json() for move in self.moves],
            "gone": list(self.gone),
            "changed": round(self.changed, 4),
        }


def between(old: Tree, new: Tree, was: Ints, now: Ints) -> Comparison:
    """`was` and `now` are the leaves in which the two trees put the same people (n)."""
    befores = {leaf: set(old.conditions(leaf)) for leaf in old.leaves}
    moves, partner = [], {}
    for leaf in new.leaves:
        here = now == leaf
        alike = {
            other: float((here & (was == other)).sum() / max((here | (was == other)).sum(), 1))
            for other in old.leaves
        }
        twin = next((o for o in old.leaves if befores[o] == set(new.conditions(leaf))), None)
        best = twin if twin is not None else max(alike, key=lambda o: alike[o])
        known = twin is not None or alike[best] >= ALIKE
        if known:
            partner[leaf] = best
        moves.append(
            Move(
                leaf=leaf,
                was=best if known else None,
                kind=SAME if twin is not None else CHANGED if known else NEW,
                common=1.0 if twin is not None else alike[best],
                before=_rate(old, best) if known else None,
                after=_rate(new, leaf),
                difference=_difference(old, best, new, leaf) if known else None,
            )
        )
    expected = np.array([partner.get(int(leaf), -1) for leaf in now], dtype=np.int64)
    changed = float((expected != was).mean()) if len(was) else 0.0
    gone = tuple(leaf for leaf in old.leaves if leaf not in partner.values())
    return Comparison(tuple(moves), gone, changed)


def _rate(tree: Tree, leaf: int) -> float:
    return round(float(tree.yes[leaf] / max(tree.people[leaf], 1)), 6)


def _difference(old: Tree, was: int, new: Tree, leaf: int) -> Interval:
    first = classify.wilson(int(old.yes[was]), int(old.people[was]))
    second = classify.wilson(int(new.yes[leaf]), int(new.people[leaf]))
    return newcombe(first, second)


def newcombe(first: Interval, second: Interval) -> Interval:
    """The second rate less the first, with the 95% interval from their own intervals."""
    gap = second.value - first.value
    low = gap - sqrt((second.value - second.low) ** 2 + (first.high - first.value) ** 2)
    high = gap + sqrt((second.high - second.value) ** 2 + (first.value - first.low) ** 2)
    return Interval(gap, low, high)

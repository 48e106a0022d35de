"""Halves of people, rates from the half that chose no question, and what the tree is worth."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models_ml.algorithms import classify
from models_ml.algorithms.classify import Bools, Floats, Interval
from models_ml.algorithms.tree.growing import cut_back, pruned
from models_ml.algorithms.tree.shape import LEAF, Feature, Ints, Params, Sample, Tree


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
    over_chance: Interval

    @property
    def better(self) -> bool:
        """Ranks people better than the dull rule and than chance, and knows more than the average.

        A dull rule may rank worse than chance, so that being better than it says little.
        """
        surely = self.gain.low > 0 and self.over_chance.low > 0
        return surely and self.log_loss < self.log_loss_base


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
    tree = pruned(structure, features, params, _folds(structure.person, params))
    tree = _without_thin_leaves(tree, judge.x, max(params.min_leaf // 2, 1))
    return _with_rates(tree, judge)


def _folds(person: Ints, params: Params) -> Ints:
    mixed = (_mix(person, params.seed + 1) >> np.uint64(11)) % np.uint64(params.folds)
    return np.asarray(mixed, dtype=np.int64)


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
    asked = tree.left != LEAF
    people, _ = _counts(tree, Sample(x, np.zeros(len(x), np.bool_), np.zeros(len(x), np.int64)))
    for i in np.flatnonzero(asked):
        if min(people[tree.left[i]], people[tree.right[i]]) < least:
            asked[i] = False
    return cut_back(tree, asked)


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
        over_chance=classify.auc_gain(judge.label, ranked, np.zeros(judge.size), seed=params.seed),
    )

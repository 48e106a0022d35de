"""Who is learned from and who is judged, inside the training data.

By people: nobody is on both sides, and each part has its share of yeses. By time, when what comes
later is to be foretold from what was before: each block of time is judged by rows whose answers
were known before it began (López de Prado, 2018, calls the rows left out purged).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models_ml.algorithms.tabular.frame import Frame, Schema, Table, Task

Rows = NDArray[np.int64]
Apart = tuple[tuple[Rows, Rows], ...]
MOST_BLOCKS = 20
SAYS_WHEN = 0.95


@dataclass(frozen=True)
class Splits:
    """Pairs of rows: to learn from, to judge. No row is judged twice; `person` is of all rows."""

    pairs: tuple[tuple[Rows, Rows], ...]
    person: NDArray[np.int64]
    by_time: bool = False

    @cached_property
    def rows(self) -> Rows:
        """Every judged row, split after split: the order of whatever is said about them."""
        return np.concatenate([judged for _, judged in self.pairs])

    @cached_property
    def number(self) -> NDArray[np.int64]:
        """The split each of `rows` was judged in."""
        return np.repeat(np.arange(len(self.pairs)), [len(judged) for _, judged in self.pairs])

    @cached_property
    def apart(self) -> Apart:
        """Places in `rows`: of a part, and of all that has neither its split nor its people.

        The same person at two moments close to each other has nearly the same answer.
        """
        return apart(self.number, self.person[self.rows] if self.by_time else None)


def apart(number: NDArray[np.int64], person: NDArray[np.int64] | None = None) -> Apart:
    """See `Splits.apart`; without `person`, people are in one split each."""
    half = np.zeros(len(number), dtype=np.int64)
    if person is not None:
        people, who = np.unique(person, return_inverse=True)
        half = (np.random.default_rng(len(people)).permutation(len(people)) % 2)[who]
    found = []
    for part in np.unique(number):
        for side in np.unique(half):
            others = np.flatnonzero((number != part) & ((half != side) | (person is None)))
            if not len(others):
                others = np.flatnonzero(number != part)
            found.append((np.flatnonzero((number == part) & (half == side)), others))
    return tuple(found)


def choose(
    train: Frame, later: Frame, task: Task, folds: int, seed: int, horizon: timedelta
) -> Splits:
    """By time when the later rows come after several moments of training, else by people."""
    if len(later) and later.moment.min() >= train.moment.max():
        found = forward(train, task, folds, horizon)
        if found is not None:
            return found
    fold = folds_of(train.person, train.y, folds, seed)
    return Splits(
        tuple((np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(folds)),
        train.person,
    )


def folds_of(person: NDArray[np.int64], y: NDArray[Any], folds: int, seed: int) -> NDArray[np.int8]:
    """The fold (0 … folds - 1) of each row, equal for all rows of a person.

    People are shuffled within layers of the target (any yes or none; tenths of the mean amount) and
    dealt out in turn.
    """
    _, who = np.unique(person, return_inverse=True)
    total = np.bincount(who, weights=np.asarray(y, dtype=np.float64))
    mean = total / np.bincount(who)
    if np.asarray(y).dtype == np.bool_:
        layer = (total > 0).astype(np.int64)
    else:
        layer = np.searchsorted(np.quantile(mean, np.linspace(0.1, 0.9, 9)), mean)
    shuffled = np.random.default_rng(seed).permutation(len(mean))
    order = shuffled[np.argsort(layer[shuffled], kind="stable")]
    fold = np.empty(len(mean), dtype=np.int8)
    fold[order] = np.arange(len(mean)) % folds
    return fold[who]


def blocks(moment: NDArray[np.datetime64], most: int) -> NDArray[np.int64]:
    """Up to `most` blocks of about equal size, oldest 0; rows of one moment stay together."""
    _, place, counts = np.unique(moment, return_inverse=True, return_counts=True)
    if len(counts) <= most:
        return place.astype(np.int64)
    middle = (np.cumsum(counts) - counts / 2) / len(moment)
    return np.unique((middle * most).astype(np.int64), return_inverse=True)[1][place]


def forward(frame: Frame, task: Task, folds: int, horizon: timedelta) -> Splits | None:
    """Each of the newer blocks judged by what was known before it began.

    None when there are too few. A row's answer is known a horizon after its moment.
    """
    known = frame.moment + np.timedelta64(horizon)
    block = blocks(frame.moment, folds + 2)
    pairs = []
    for number in range(1, int(block.max()) + 1 if len(block) else 0):
        if number < 2 and block.max() > 2:
            continue
        here = np.flatnonzero(block == number)
        before = np.flatnonzero((block < number) & (known <= frame.moment[here].min()))
        if task == "amount" or min(_rarer(frame.y[before]), _rarer(frame.y[here])) >= 10:
            pairs.append((before, here))
    return Splits(tuple(pairs), frame.person, by_time=True) if len(pairs) >= 2 else None


def _rarer(y: NDArray[Any]) -> int:
    yes = int(np.asarray(y, dtype=bool).sum())
    return min(yes, len(y) - yes)


def columns_that_say_when(schema: Schema, table: Table, frame: Frame) -> list[str]:
    """Columns that are the same for nearly everybody at a time: they tell times, not people, apart.

    What is learned from them comes from as few cases as there are times, and times do not repeat.
    """
    block = blocks(frame.moment, MOST_BLOCKS)
    if len(block) < 2 or block.max() < 1:
        return []
    found = []
    for j, name in enumerate(schema.numbers):
        values = table.numbers[:, j]
        known = np.isfinite(values)
        part = block[known]
        # Ranks, so that one outlier does not decide.
        ranked = pd.Series(values[known]).rank().to_numpy()
        spread = float(np.var(ranked)) if len(part) else 0.0
        if spread == 0:
            continue
        mean = np.bincount(part, weights=ranked) / np.maximum(np.bincount(part), 1)
        if float(np.var(mean[part])) / spread >= SAYS_WHEN:
            found.append(name)
    for j, name in enumerate(schema.categories):
        pairs = pd.DataFrame({"block": block, "code": table.codes[:, j]}).value_counts()
        usual = int(pairs.groupby("block").max().sum())
        if usual / len(block) >= SAYS_WHEN and pairs.groupby("code").sum().max() < usual * 0.9:
            found.append(name)
    return found

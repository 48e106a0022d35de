"""What people did as flat sequences of item positions, in the order of time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_matrix

from models_ml.algorithms.data import DAY, Array, IdMap, Interactions

SECONDS_PER_DAY = float(DAY.astype(np.int64))
# Gaps fall into half octaves of hours; 0 stands for "nothing came before".
GAPS = 32


@dataclass(frozen=True)
class Histories:
    """Flat sequences, people delimited by `start` (users + 1,).

    `item` (m,) int64 are positions in the catalogue, `at` (m,) seconds since 1970. What happened in
    one second has no order of its own: it is shuffled anew each epoch.
    """

    item: Array
    at: Array
    start: Array

    @cached_property
    def sizes(self) -> Array:
        return np.diff(self.start)

    @cached_property
    def owner(self) -> Array:
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @cached_property
    def basket(self) -> Array:
        """(m,) the number of the basket: things of one person in one second."""
        new = np.ones(len(self.item), dtype=bool)
        new[1:] = (self.at[1:] != self.at[:-1]) | (self.owner[1:] != self.owner[:-1])
        return np.cumsum(new) - 1

    @cached_property
    def bounds(self) -> Array:
        """(baskets + 1,) where each basket begins, and where the last one ends."""
        return np.append(np.flatnonzero(np.diff(self.basket, prepend=-1)), len(self.item))

    @cached_property
    def follows(self) -> Array:
        """(m,) the number of the basket after each event's own; -1 where the person has none."""
        if not len(self.item):
            return self.basket
        last = self.basket[self.start[1:][self.owner] - 1]
        return np.where(self.basket < last, self.basket + 1, -1)

    @cached_property
    def tied(self) -> bool:
        """Whether any basket holds more than one thing."""
        return bool(len(self.item)) and int(self.basket[-1]) + 1 < len(self.item)

    @cached_property
    def gap(self) -> Array:
        """(m,) how long after the person's event before, as one of GAPS kinds."""
        if not len(self.item):
            return np.zeros(0, dtype=np.int64)
        hours = np.diff(self.at, prepend=self.at[:1]) / 3600.0
        kind = 1 + np.minimum(np.log2(1.0 + np.maximum(hours, 0.0)) * 2.0, GAPS - 2)
        kind[self.owner != np.concatenate([[-1], self.owner[:-1]])] = 0
        return kind.astype(np.int64)

    @cached_property
    def age(self) -> Array:
        """(m,) days from the event to the last one of all."""
        end = self.at.max() if len(self.at) else 0
        return (end - self.at) / SECONDS_PER_DAY

    def shuffled(self, rng: np.random.Generator) -> Array:
        """`item` with every basket in a fresh random order."""
        if not self.tied:
            return self.item
        order = np.lexsort((rng.random(len(self.item)), self.basket))
        return self.item[order]

    def seen(self, items: int) -> csr_matrix:
        """People by items: a stored 1 where somebody ever did something with it."""
        built = csr_matrix(
            (np.ones(len(self.item), dtype=np.float32), self.item, self.start),
            shape=(len(self.sizes), items),
        )
        built.sum_duplicates()
        return built


def read(data: Interactions, users: IdMap, items: IdMap, *, once: bool) -> Histories:
    """Histories of the people in `users` with the products in `items`, others left out.

    With `once` a product counts when it was first bought and never again.
    """
    order = np.lexsort((data.item, data.at, data.user))
    user, item, at = users.encode(data.user[order]), items.encode(data.item[order]), data.at[order]
    known = (user >= 0) & (item >= 0)
    user, item, at = user[known], item[known], at[known].astype("datetime64[s]").astype(np.int64)
    if once:
        # np.unique gives the first place of every pair, and the rows are in the order of time.
        _, first = np.unique(user * max(1, len(items)) + item, return_index=True)
        first.sort()
        user, item, at = user[first], item[first], at[first]
    return Histories(item=item, at=at, start=np.searchsorted(user, np.arange(len(users) + 1)))


def window(values: Array, begin: Array, end: Array, empty: int) -> Array:
    """values[begin:end] per row, filled up on the right with `empty`: (n, longest)."""
    width = int((end - begin).max(initial=0))
    at = begin[:, None] + np.arange(width)
    inside = at < end[:, None]
    if not len(values):
        return np.full(at.shape, empty, dtype=np.int64)
    return np.where(inside, values[np.where(inside, at, 0)], empty)

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
# What may be done with a product beside buying it, which is kind 0.
LOOKS = ("view", "click", "cart", "wishlist")
KINDS = 1 + len(LOOKS)


@dataclass(frozen=True)
class Looks:
    """What people did with products beside buying them: aligned arrays, ids as in Interactions.

    `kind` (n,) is a place in LOOKS.
    """

    user: Array
    item: Array
    at: Array
    kind: Array

    @classmethod
    def of(cls, user: Array, item: Array, at: Array, kind: Array) -> Looks:
        """Refuses arrays that do not line up, and kinds there are not."""
        found = cls(
            np.asarray(user, dtype=np.int64),
            np.asarray(item, dtype=np.int64),
            np.asarray(at, dtype="datetime64[s]"),
            np.asarray(kind, dtype=np.int64),
        )
        if not len(found.user) == len(found.item) == len(found.at) == len(found.kind):
            raise ValueError("user, item, at and kind must have the same length")
        if len(found.kind) and not 0 <= found.kind.min() <= found.kind.max() < len(LOOKS):
            raise ValueError(f"a kind must be a place in {LOOKS}")
        return found

    def __len__(self) -> int:
        return len(self.user)


@dataclass(frozen=True)
class Histories:
    """Flat sequences, people delimited by `start` (users + 1,).

    `item` (m,) int64 are positions in the catalogue, `at` (m,) seconds since 1970. What happened in
    one second has no order of its own: it is shuffled anew each epoch. `kind` (m,): 0 where the
    product was bought, above it what else was done with it; None where purchases alone are read.
    Purchases are what is asked for; the rest is read only.
    """

    item: Array
    at: Array
    start: Array
    kind: Array | None = None

    @cached_property
    def bought(self) -> Array:
        """(m,) whether it is a purchase."""
        return np.ones(len(self.item), dtype=bool) if self.kind is None else self.kind == 0

    @cached_property
    def purchases(self) -> Histories:
        """The same without what was only looked at."""
        if self.kind is None:
            return self
        start = np.concatenate([[0], np.cumsum(self.bought)])[self.start]
        return Histories(self.item[self.bought], self.at[self.bought], start)

    @cached_property
    def sizes(self) -> Array:
        return np.diff(self.start)

    @cached_property
    def owner(self) -> Array:
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @cached_property
    def basket(self) -> Array:
        """(m,) the number of the basket: things of one person in one second, bought or not."""
        new = np.ones(len(self.item), dtype=bool)
        new[1:] = (self.at[1:] != self.at[:-1]) | (self.owner[1:] != self.owner[:-1])
        new[1:] |= self.bought[1:] != self.bought[:-1]
        return np.cumsum(new) - 1

    @cached_property
    def bounds(self) -> Array:
        """(baskets + 1,) where each basket begins, and where the last one ends."""
        return np.append(np.flatnonzero(np.diff(self.basket, prepend=-1)), len(self.item))

    @cached_property
    def follows(self) -> Array:
        """(m,) the number of the purchase after each event's own basket; -1 where there is none."""
        if not len(self.item):
            return self.basket
        place = np.searchsorted(self.paid, self.basket, side="right")
        after = self.paid[np.minimum(place, len(self.paid) - 1)] if len(self.paid) else place
        theirs = self.owner[self.bounds[after]] if len(self.paid) else np.full(len(place), -1)
        return np.where((place < len(self.paid)) & (theirs == self.owner), after, -1)

    @cached_property
    def paid(self) -> Array:
        """The numbers of the baskets that were bought, rising."""
        return self.basket[self.bounds[:-1]][self.bought[self.bounds[:-1]]]

    @cached_property
    def teaches(self) -> Array:
        """(users,) whose history has a purchase after something else."""
        if self.kind is None:
            return self.sizes > 1
        able = np.zeros(len(self.sizes), dtype=bool)
        able[self.owner[self.follows >= 0]] = True
        return able

    @cached_property
    def tied(self) -> bool:
        """Whether any basket holds more than one thing, or not all was bought."""
        if not len(self.item):
            return False
        return self.kind is not None or int(self.basket[-1]) + 1 < len(self.item)

    @cached_property
    def gap(self) -> Array:
        """(m,) how long after the person's event before, in GAPS steps, and GAPS times its kind."""
        if not len(self.item):
            return np.zeros(0, dtype=np.int64)
        hours = np.diff(self.at, prepend=self.at[:1]) / 3600.0
        kind = 1 + np.minimum(np.log2(1.0 + np.maximum(hours, 0.0)) * 2.0, GAPS - 2)
        kind[self.owner != np.concatenate([[-1], self.owner[:-1]])] = 0
        done = 0 if self.kind is None else self.kind * GAPS
        return kind.astype(np.int64) + done

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
        """People by items: a stored 1 where somebody ever bought it."""
        own = self.purchases
        built = csr_matrix(
            (np.ones(len(own.item), dtype=np.float32), own.item, own.start),
            shape=(len(self.sizes), items),
        )
        built.sum_duplicates()
        return built


def read(
    data: Interactions, users: IdMap, items: IdMap, *, once: bool, looks: Looks | None = None
) -> Histories:
    """Histories of the people in `users` with the products in `items`, others left out.

    With `once` a product counts when it was first bought and never again. `looks` stand between
    the purchases, the same of one day once.
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
    people = np.arange(len(users) + 1)
    if looks is None or not len(looks):
        return Histories(item=item, at=at, start=np.searchsorted(user, people))
    seen = np.stack(
        [users.encode(looks.user), items.encode(looks.item), looks.at.astype(np.int64), looks.kind]
    )
    seen = seen[:, (seen[0] >= 0) & (seen[1] >= 0)]
    seen = seen[:, np.lexsort(seen[[2, 3, 1, 0]])]
    day = np.stack([seen[0], seen[1], seen[3], seen[2] // int(SECONDS_PER_DAY)])
    again = np.r_[False, (day[:, 1:] == day[:, :-1]).all(axis=0)] if day.shape[1] else []
    seen = seen[:, ~np.asarray(again, dtype=bool)]
    user, item, at = (
        np.concatenate([one, other]) for one, other in zip((user, item, at), seen[:3], strict=True)
    )
    kind = np.concatenate([np.zeros(len(user) - seen.shape[1], dtype=np.int64), seen[3] + 1])
    # Of one second what was bought comes last: it was looked at before.
    order = np.lexsort((item, kind == 0, at, user))
    return Histories(item[order], at[order], np.searchsorted(user[order], people), kind=kind[order])


def window(values: Array, begin: Array, end: Array, empty: int) -> Array:
    """values[begin:end] per row, filled up on the right with `empty`: (n, longest)."""
    width = int((end - begin).max(initial=0))
    at = begin[:, None] + np.arange(width)
    inside = at < end[:, None]
    if not len(values):
        return np.full(at.shape, empty, dtype=np.int64)
    return np.where(inside, values[np.where(inside, at, 0)], empty)

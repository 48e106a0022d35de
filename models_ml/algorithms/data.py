"""Interactions, the id maps that number them, and the one place that splits them by time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

Array = np.ndarray[Any, np.dtype[Any]]

# Ids this close together are numbered through a table instead of by sorting.
DENSE = 16

DAY = np.timedelta64(86_400, "s")


@dataclass(frozen=True)
class Interactions:
    """Who bought what, when: four aligned arrays of shape (n,), one place per purchased line.

    `user` and `item` are database ids (int64), `at` is UTC (datetime64[s]), `weight` is float32 and
    says how much the line counts. The order of the rows carries no meaning.
    """

    user: Array
    item: Array
    at: Array
    weight: Array

    @classmethod
    def of(cls, user: Any, item: Any, at: Any, weight: Any = None) -> Interactions:
        """Build from anything array-like; refuse arrays that do not line up."""
        users = np.asarray(user, dtype=np.int64)
        items = np.asarray(item, dtype=np.int64)
        times = np.asarray(at, dtype="datetime64[s]")
        weights = (
            np.ones(len(users), dtype=np.float32)
            if weight is None
            else np.asarray(weight, dtype=np.float32)
        )
        if not len(users) == len(items) == len(times) == len(weights):
            raise ValueError("user, item, at and weight must have the same length")
        if not np.isfinite(weights).all() or (weights < 0).any():
            raise ValueError("weights must be finite and not negative")
        return cls(users, items, times, weights)

    def __len__(self) -> int:
        return len(self.user)

    def where(self, keep: Array) -> Interactions:
        return Interactions(self.user[keep], self.item[keep], self.at[keep], self.weight[keep])

    def between(self, start: Any = None, stop: Any = None) -> Interactions:
        """Rows with start <= at < stop."""
        keep = np.ones(len(self), dtype=bool)
        if start is not None:
            keep &= self.at >= np.datetime64(start, "s")
        if stop is not None:
            keep &= self.at < np.datetime64(stop, "s")
        return self.where(keep)

    @cached_property
    def users(self) -> IdMap:
        return IdMap.of(self.user)

    @cached_property
    def items(self) -> IdMap:
        return IdMap.of(self.item)

    @property
    def span(self) -> tuple[Any, Any]:
        """First and last moment in the data."""
        if not len(self):
            raise ValueError("no interactions")
        return self.at.min(), self.at.max()


@dataclass(frozen=True)
class IdMap:
    """Sorted distinct ids; the position in it is the number an algorithm uses."""

    ids: Array

    @classmethod
    def of(cls, values: Array) -> IdMap:
        values = np.asarray(values, dtype=np.int64)
        if not len(values):
            return cls(values)
        low, high = int(values.min()), int(values.max())
        if high - low > DENSE * len(values):
            return cls(np.unique(values))
        there = np.zeros(high - low + 1, dtype=bool)
        there[values - low] = True
        return cls(np.flatnonzero(there) + low)

    def __len__(self) -> int:
        return len(self.ids)

    def encode(self, values: Array) -> Array:
        """Positions of `values`, -1 where an id is not in the map."""
        values = np.asarray(values, dtype=np.int64)
        if not len(self.ids):
            return np.full(values.shape, -1, dtype=np.int64)
        low, high = int(self.ids[0]), int(self.ids[-1])
        if high - low <= DENSE * len(self.ids) and values.size > len(self.ids):
            table = np.full(high - low + 3, -1, dtype=np.int64)
            table[self.ids - low + 1] = np.arange(len(self.ids))
            return table[np.clip(values - low + 1, 0, high - low + 2)]
        at = np.searchsorted(self.ids, values)
        at[at == len(self.ids)] = 0
        return np.where(self.ids[at] == values, at, -1)


@dataclass(frozen=True)
class Split:
    """Data cut by time: learn on `train`, choose on `validation`, judge once on `test`."""

    train: Interactions
    validation: Interactions
    test: Interactions
    validation_from: Any
    test_from: Any
    until: Any

    @property
    def before_test(self) -> Interactions:
        """What a model may know when it answers for the test window."""
        return concat(self.train, self.validation)


def concat(*parts: Interactions) -> Interactions:
    return Interactions(
        np.concatenate([part.user for part in parts]),
        np.concatenate([part.item for part in parts]),
        np.concatenate([part.at for part in parts]),
        np.concatenate([part.weight for part in parts]),
    )


def split_by_time(
    data: Interactions, *, until: Any, test_days: int = 30, validation_days: int = 30
) -> Split:
    """The last `test_days` before `until` to judge on, the `validation_days` before to choose by.

    Rows at or after `until` are in no part: they are the future of the moment asked about.
    """
    end = np.datetime64(until, "s")
    test_from = end - test_days * DAY
    validation_from = test_from - validation_days * DAY
    return Split(
        train=data.between(stop=validation_from),
        validation=data.between(validation_from, test_from),
        test=data.between(test_from, end),
        validation_from=validation_from,
        test_from=test_from,
        until=end,
    )


def matrix(
    data: Interactions, users: IdMap, items: IdMap, weight: Array | None = None
) -> csr_matrix:
    """Users by items (float32); weights of repeated pairs add up, unknown ids are left out."""
    rows, columns = users.encode(data.user), items.encode(data.item)
    values = data.weight if weight is None else weight
    known = (rows >= 0) & (columns >= 0)
    if not known.all():
        rows, columns, values = rows[known], columns[known], values[known]
    built = csr_matrix(
        (values.astype(np.float32, copy=False), (rows, columns)), shape=(len(users), len(items))
    )
    built.sum_duplicates()
    return built


@dataclass(frozen=True)
class Truth:
    """What people bought in the judged window: for each of `users`, a set of items."""

    users: Array
    row: Array
    item: Array

    @cached_property
    def sizes(self) -> Array:
        return np.bincount(self.row, minlength=len(self.users))


def truth_of(window: Interactions, history: Interactions, *, skip_seen: bool) -> Truth:
    """The distinct items each person with a history bought in `window`.

    With `skip_seen` an item they had already bought does not count, as it is never proposed either;
    people who then have nothing left to be judged on are left out.
    """
    pairs = np.unique(np.stack([window.user, window.item], axis=1), axis=0)
    pairs = pairs[np.isin(pairs[:, 0], history.users.ids)]
    if skip_seen and len(pairs):
        items = IdMap.of(np.concatenate([pairs[:, 1], history.item]))
        width = len(items)
        users = history.users
        seen = users.encode(history.user) * width + items.encode(history.item)
        keys = users.encode(pairs[:, 0]) * width + items.encode(pairs[:, 1])
        pairs = pairs[~np.isin(keys, seen)]
    users_left, row = np.unique(pairs[:, 0], return_inverse=True)
    return Truth(users=users_left, row=row.reshape(-1), item=pairs[:, 1])


def chunks(total: int, size: int) -> Iterator[slice]:
    for start in range(0, total, size):
        yield slice(start, min(start + size, total))

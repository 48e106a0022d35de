"""Purchases as each person's sequence of first purchases, cut into training examples.

A sequence holds every product once, at the moment it was first bought, in the order of time;
products of one basket have no order, so they are shuffled anew each epoch. An example is a prefix
that ends with a basket, and its answer is the set of new products of the next basket.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models_ml.algorithms.data import DAY, Array, IdMap, Interactions

SECONDS_PER_DAY = float(DAY.astype(np.int64))


@dataclass(frozen=True)
class Sequences:
    """Flat sequences: `item` and `basket` (m,), people delimited by `start` (users + 1,).

    `cut` (c,) are the places where an example's prefix ends, `stop` (c,) where its answer ends,
    `owner` (c,) the person's row and `age` (c,) the days from the answer to the end of the data.
    """

    item: Array
    basket: Array
    start: Array
    cut: Array
    stop: Array
    owner: Array
    age: Array

    def shuffled(self, rng: np.random.Generator) -> Array:
        """`item` with every basket in a fresh random order."""
        order = np.lexsort((rng.random(len(self.item)), self.basket))
        return self.item[order]


def first_purchases(data: Interactions, users: IdMap, items: IdMap) -> Sequences:
    """Build sequences of item positions for the people and items in the two maps."""
    order = np.lexsort((data.item, data.at, data.user))
    user, item, at = users.encode(data.user[order]), items.encode(data.item[order]), data.at[order]
    known = (user >= 0) & (item >= 0)
    user, item, at = user[known], item[known], at[known]
    # np.unique gives the first place of every pair, and the rows are in the order of time.
    _, first = np.unique(user * len(items) + item, return_index=True)
    first.sort()
    user, item, at = user[first], item[first], at[first]
    new = np.ones(len(user), dtype=bool)
    new[1:] = (user[1:] != user[:-1]) | (at[1:] != at[:-1])
    basket = np.cumsum(new) - 1
    begins = np.flatnonzero(new)
    ends = np.append(begins[1:], len(user)) if len(begins) else begins
    start = np.searchsorted(user, np.arange(len(users) + 1))
    follows = begins > start[user[begins]] if len(begins) else np.zeros(0, dtype=bool)
    end = at.max() if len(at) else np.datetime64(0, "s")
    age = (end - at[begins[follows]]).astype(np.int64) / SECONDS_PER_DAY
    return Sequences(
        item=item,
        basket=basket,
        start=start,
        cut=begins[follows],
        stop=ends[follows],
        owner=user[begins[follows]],
        age=age,
    )


def window(item: Array, begin: Array, end: Array, length: int, padding: int) -> Array:
    """The last `length` places of item[begin:end] per row, padded on the left: (n, width).

    width is the longest row in the batch, so short people do not pay for long ones.
    """
    width = int(min(length, max(1, (end - begin).max(initial=1))))
    at = end[:, None] - width + np.arange(width)
    inside = at >= begin[:, None]
    return np.where(inside, item[np.where(inside, at, 0)] if len(item) else padding, padding)


def ragged(start: Array, stop: Array) -> tuple[Array, Array]:
    """Row numbers and places of the ranges start[i]:stop[i], both (sum of lengths,)."""
    sizes = stop - start
    rows = np.repeat(np.arange(len(start)), sizes)
    offsets = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return rows, np.repeat(start, sizes) + offsets

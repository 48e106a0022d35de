"""What may be shown: the shop's rules over candidates, arrays in, arrays out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

NOTHING = -1


@dataclass(frozen=True)
class Rules:
    """`size`: products shown; `drop_owned`: leave out what the person bought; `per_category`: at
    most so many of one category (0: any number); `min_stock`: units that must be in stock."""

    size: int = 10
    drop_owned: bool = True
    per_category: int = 0
    min_stock: int = 1

    @classmethod
    def of(cls, stored: dict[str, Any], size: int) -> Rules:
        """Rules as a placement stores them; names it does not know are refused."""
        unknown = set(stored) - {"drop_owned", "per_category", "min_stock"}
        if unknown:
            raise ValueError(f"unknown rules: {', '.join(sorted(unknown))}")
        return cls(size=size, **stored)

    @property
    def wanted(self) -> int:
        """Candidates to ask for, so that enough are left after the rules."""
        return self.size * (4 if self.per_category else 2)


@dataclass(frozen=True)
class Shelf:
    """Products that may be shown at all: sorted ids (m,) and a category number each (-1: none)."""

    ids: Array
    category: Array

    def place(self, items: Array) -> Array:
        """Positions of `items` on the shelf, -1 for what is not on it."""
        if not len(self.ids):
            return np.full(items.shape, -1, dtype=np.int64)
        at = np.searchsorted(self.ids, items)
        at[at == len(self.ids)] = 0
        return np.where(self.ids[at] == items, at, -1)


@dataclass(frozen=True)
class Owned:
    """Who bought what: aligned rows (of the candidates) and product ids."""

    row: Array
    item: Array


def apply(
    picks: Array, scores: Array, *, shelf: Shelf, owned: Owned | None, rules: Rules
) -> tuple[Array, Array]:
    """The first `rules.size` candidates of each row that pass, best first.

    `picks` and `scores` are (n, k); a place that nothing fills holds NOTHING and -inf. The order of
    what is left is the order of what came in.
    """
    place = shelf.place(picks)
    keep = place >= 0
    if rules.drop_owned and owned is not None and len(owned.row):
        width = len(shelf.ids)
        at = shelf.place(owned.item)
        have = owned.row[at >= 0] * width + at[at >= 0]
        here = np.arange(len(picks), dtype=np.int64)[:, None] * width + place
        keep &= ~np.isin(here, have)
    if rules.per_category and keep.any():
        keep &= _within_category(place, keep, shelf.category, rules.per_category)
    return compress(picks, scores, keep, rules.size)


def fill_up(
    picks: Array, scores: Array, others: Array, other_scores: Array
) -> tuple[Array, Array, Array]:
    """Put `others` (n, m) into the empty places of `picks` (n, k), each product once.

    Also returns which places they fill, (n, k) of bool. Scores of the two are of different kinds
    and are not compared.
    """
    size = picks.shape[1]
    new = (others >= 0) & ~(others[:, :, None] == picks[:, None, :]).any(axis=2)
    both = np.concatenate([picks, others], axis=1)
    keep = np.concatenate([picks >= 0, new], axis=1)
    filled = np.concatenate([np.zeros(picks.shape, bool), np.ones(others.shape, bool)], axis=1)
    ids, values = compress(both, np.concatenate([scores, other_scores], axis=1), keep, size)
    rank = np.cumsum(keep, axis=1) - 1
    row, column = np.nonzero(keep & (rank < size))
    from_others = np.zeros((len(picks), size), dtype=bool)
    from_others[row, rank[row, column]] = filled[row, column]
    return ids, values, from_others


def compress(picks: Array, scores: Array, keep: Array, size: int) -> tuple[Array, Array]:
    """Move the kept places of each row to its front and cut at `size`."""
    rank = np.cumsum(keep, axis=1) - 1
    row, column = np.nonzero(keep & (rank < size))
    ids = np.full((len(picks), size), NOTHING, dtype=np.int64)
    values = np.full((len(picks), size), -np.inf, dtype=np.float32)
    ids[row, rank[row, column]] = picks[row, column]
    values[row, rank[row, column]] = scores[row, column]
    return ids, values


def _within_category(place: Array, keep: Array, category: Array, most: int) -> Array:
    """False where a row already has `most` better products of the same category."""
    row, column = np.nonzero(keep)
    code = category[place[row, column]]
    counted = code >= 0
    row, column, code = row[counted], column[counted], code[counted]
    passes = np.ones(keep.shape, dtype=bool)
    if not len(row):
        return passes
    order = np.lexsort((column, code, row))
    row, column, code = row[order], column[order], code[order]
    starts = np.ones(len(row), dtype=bool)
    starts[1:] = (row[1:] != row[:-1]) | (code[1:] != code[:-1])
    first = np.flatnonzero(starts)
    nth = np.arange(len(row)) - np.repeat(first, np.diff(np.append(first, len(row))))
    passes[row, column] = nth < most
    return passes

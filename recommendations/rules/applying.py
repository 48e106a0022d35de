"""Candidates of many people → what is shown to each: arrays in, arrays out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from recommendations.rules import diversity
from recommendations.rules.shelf import Shelf
from recommendations.rules.terms import Rules

Array = np.ndarray[Any, np.dtype[Any]]

NOTHING = -1


@dataclass(frozen=True)
class Owned:
    """Who bought what: aligned rows (of the candidates), sorted, and product ids."""

    row: Array
    item: Array

    def part(self, rows: slice) -> Owned:
        """What the people of these rows bought, numbered from the first of them."""
        ends = np.array([rows.start, rows.stop], dtype=self.row.dtype)
        begin, end = np.searchsorted(self.row, ends)
        return Owned(self.row[begin:end] - ends[0], self.item[begin:end])


@dataclass(frozen=True)
class Limits:
    """What is known of the people asked for, by row of the candidates.

    `price` (n,): what prices are held against (NaN: nothing); `groups`: for each of the rules'
    `allow`, (n,) of bool whether the person is in its group.
    """

    price: Array | None = None
    groups: tuple[Array, ...] = ()

    def part(self, rows: slice) -> Limits:
        """The same of these rows."""
        price = None if self.price is None else self.price[rows]
        return Limits(price, tuple(member[rows] for member in self.groups))


def apply(
    picks: Array,
    scores: Array,
    *,
    shelf: Shelf,
    owned: Owned | None,
    rules: Rules,
    limits: Limits | None = None,
) -> tuple[Array, Array]:
    """The first `rules.size` candidates of each row that pass, best first.

    `picks` and `scores` are (n, k); a place that nothing fills holds NOTHING and -inf. Without a
    boost and without diversity the order of what is left is the order of what came in. The shelf is
    one on which the rules for everybody were kept already (`shelf.under`).
    """
    place = shelf.place(picks)
    keep = place >= 0
    if rules.drop_owned and owned is not None and len(owned.row):
        keep &= ~_has(place, shelf, owned)
    if limits is not None and keep.any():
        keep &= _within_limits(place, shelf, rules, limits)
    if keep.any():
        boost = shelf.boost(rules)
        if boost is not None or rules.diversity:
            order = _ordered(place, keep, boost, shelf, rules)
            picks, scores, place, keep = (
                np.take_along_axis(values, order, axis=1) for values in (picks, scores, place, keep)
            )
    if rules.per_category and keep.any():
        keep &= within_most(place, keep, shelf.category, rules.per_category)
    if rules.per_brand and shelf.brand is not None and keep.any():
        keep &= within_most(place, keep, shelf.brand, rules.per_brand)
    return compress(picks, scores, keep, rules.size)


def _has(place: Array, shelf: Shelf, owned: Owned) -> Array:
    """Whether the person of the row has what stands at `place` (n, k) on the shelf."""
    at = shelf.place(owned.item)
    width = len(shelf.ids)
    have = np.sort(owned.row[at >= 0].astype(np.int64) * width + at[at >= 0])
    if not len(have):
        return np.zeros(place.shape, dtype=bool)
    here = np.arange(len(place), dtype=np.int64)[:, None] * width + place
    spot = np.minimum(np.searchsorted(have, here), len(have) - 1)
    return np.asarray((have[spot] == here) & (place >= 0))


def _within_limits(place: Array, shelf: Shelf, rules: Rules, limits: Limits) -> Array:
    keep = np.ones(place.shape, dtype=bool)
    if limits.price is not None and shelf.price is not None:
        price, held = shelf.price[place], limits.price[:, None]
        # A comparison with NaN is false, and what has nothing to be held against passes.
        if rules.price_from is not None:
            keep &= ~(price < rules.price_from * held)
        if rules.price_to is not None:
            keep &= ~(price > rules.price_to * held)
    for allow, member in zip(rules.allow, limits.groups, strict=True):
        keep &= ~member[:, None] | shelf.allowed(allow)[place]
    return keep


def _ordered(place: Array, keep: Array, boost: Array | None, shelf: Shelf, rules: Rules) -> Array:
    """Columns in the order of how well they fit: by rank, boosted, then unlike before like."""
    shown = np.where(keep, place, -1)
    rank = np.cumsum(keep, axis=1)
    # Scores of engines are of different kinds; their order is what they have in common.
    fit = np.where(keep, 1 / np.log2(1 + np.maximum(rank, 1)), 0.0)
    if boost is not None:
        fit = fit * boost[shown]
        fit = np.where(keep, fit / np.maximum(fit.max(axis=1, keepdims=True), 1e-12), -1.0)
    if rules.diversity:
        return diversity.order(shown, np.maximum(fit, 0.0), shelf, rules.diversity)
    return np.argsort(-fit, axis=1, kind="stable")


def fill_up(
    picks: Array, scores: Array, others: Array, other_scores: Array
) -> tuple[Array, Array, Array]:
    """Put `others` (n, m) into the empty places of `picks` (n, k), each product once.

    Also returns which places they fill, (n, k) of bool. Scores of the two are of different kinds
    and are not compared.
    """
    size = picks.shape[1]
    from_others = np.zeros(picks.shape, dtype=bool)
    short = np.flatnonzero((picks < 0).any(axis=1))
    if not len(short):
        return picks, scores, from_others
    few, more = picks[short], others[short]
    new = (more >= 0) & ~(more[:, :, None] == few[:, None, :]).any(axis=2)
    both = np.concatenate([few, more], axis=1)
    keep = np.concatenate([few >= 0, new], axis=1)
    worth = np.concatenate([scores[short], other_scores[short]], axis=1)
    rank = np.cumsum(keep, axis=1) - 1
    row, column = np.nonzero(keep & (rank < size))
    from_others[short[row], rank[row, column]] = column >= size
    ids, values = picks.copy(), scores.astype(np.float32)
    ids[short], values[short] = compress(both, worth, keep, size)
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


def within_most(place: Array, keep: Array, codes: Array, most: int) -> Array:
    """False where a row already has `most` better products of the same kind."""
    row, column = np.nonzero(keep)
    code = codes[place[row, column]]
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

"""A bounded share of the places for new products: arrays in, arrays out."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from recommendations.rules.applying import (
    NOTHING,
    Array,
    Limits,
    Owned,
    apply,
    compress,
    within_most,
)
from recommendations.rules.shelf import Shelf
from recommendations.rules.terms import Rules


def places(rules: Rules) -> list[int]:
    """Which places of a list new products may have, from 0: with a share of 0.1 every tenth."""
    if not rules.new_share:
        return []
    count = math.floor(rules.size * rules.new_share + 1e-9)
    return [math.ceil(n / rules.new_share - 1e-9) - 1 for n in range(1, count + 1)]


def give_places(
    picks: Array,
    scores: Array,
    new: Array,
    new_scores: Array,
    *,
    shelf: Shelf,
    owned: Owned | None,
    rules: Rules,
    limits: Limits | None = None,
) -> tuple[Array, Array, Array]:
    """Put new products (n, m), best first, into their places among `picks` (n, size).

    The rules hold for them as for others: what is not on the shelf, owned or beyond a cap gets no
    place, and what is picked already needs none. Also returns whence each place is, (n, size): the
    column in `new`, or NOTHING. Where a person has fewer new products, the picks keep their places.
    """
    none = np.full(picks.shape, NOTHING, dtype=np.int64)
    slots = places(rules)
    if not slots or not new.shape[1]:
        return picks, scores, none
    passing, _scores = apply(
        new,
        new_scores,
        shelf=shelf,
        owned=owned,
        # The order is theirs already.
        rules=replace(rules, size=new.shape[1], diversity=0.0, margin_boost=0.0, fresh_boost=0.0),
        limits=limits,
    )
    keep = (new[:, :, None] == passing[:, None, :]).any(axis=2) & (new >= 0)
    keep &= ~(new[:, :, None] == picks[:, None, :]).any(axis=2)
    both = shelf.place(np.concatenate([picks, np.where(keep, new, NOTHING)], axis=1))
    for codes, most in ((shelf.category, rules.per_category), (shelf.brand, rules.per_brand)):
        if most and codes is not None:
            keep &= within_most(both, both >= 0, codes, most)[:, picks.shape[1] :]
    column, _none = compress(
        np.broadcast_to(np.arange(new.shape[1]), new.shape), new_scores, keep, len(slots)
    )
    given = (column >= 0).sum(axis=1)
    is_new = np.zeros(picks.shape, dtype=bool)
    for number, slot in enumerate(slots):
        is_new[:, slot] = given > number
    turn = np.maximum(np.cumsum(is_new, axis=1) - 1, 0)
    old = np.cumsum(~is_new, axis=1) - 1
    taken = np.take_along_axis(column, np.minimum(turn, len(slots) - 1), axis=1)
    whence = np.where(is_new, taken, NOTHING)
    rest = np.maximum(old, 0)
    ids = np.where(
        is_new,
        np.take_along_axis(new, np.maximum(whence, 0), axis=1),
        np.take_along_axis(picks, rest, axis=1),
    )
    values = np.where(
        is_new,
        np.take_along_axis(new_scores, np.maximum(whence, 0), axis=1),
        np.take_along_axis(scores, rest, axis=1),
    )
    # Where picks were few, what is new moves up to them.
    ids, values, whence = _closed(ids, values, whence)
    return ids, values, whence


def _closed(ids: Array, values: Array, whence: Array) -> tuple[Array, Array, Array]:
    order = np.argsort(ids < 0, axis=1, kind="stable")
    closed, scores, from_new = (
        np.take_along_axis(one, order, axis=1) for one in (ids, values, whence)
    )
    return closed, scores.astype(np.float32), from_new

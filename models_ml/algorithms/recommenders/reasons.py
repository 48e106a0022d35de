"""Why a product was proposed: the person's own purchase that added most to its score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models_ml.algorithms.base import NO_ITEM
from models_ml.algorithms.data import Array


@dataclass(frozen=True)
class Reasons:
    """For picks (n, k): what each rests on, all (n, k).

    `anchor` is an item the person had (NO_ITEM where none speaks for the pick), `share` its part
    of everything their purchases added to the score (above 1 where others spoke against it), and
    `people` how many did both, 0 where the engine does not count.
    """

    anchor: Array
    share: Array
    people: Array

    @classmethod
    def none(cls, shape: tuple[int, ...]) -> Reasons:
        return cls(
            np.full(shape, NO_ITEM, dtype=np.int64),
            np.zeros(shape, dtype=np.float32),
            np.zeros(shape, dtype=np.int64),
        )


def strongest(parts: Array, row: Array, own: Array) -> tuple[Array, Array, Array]:
    """Per row the entry of `parts` (e, k) that adds most to each of k picks.

    `row` (e,) are the sorted rows of the entries, `own` (e,) their items. Returns the rows that
    have entries (r,), the place of the strongest entry (r, k; -1 where none is above zero) and its
    share of the sum (r, k).
    """
    starts = np.flatnonzero(np.r_[True, row[1:] != row[:-1]])
    best = np.maximum.reduceat(parts, starts, axis=0)
    whole = np.add.reduceat(parts.astype(np.float64), starts, axis=0)
    spot = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(row))))
    # Of equals the lowest item id speaks, so that the answer does not hang on the order of rows.
    at = np.where(parts == best[spot], own.astype(np.int64)[:, None], np.iinfo(np.int64).max)
    lowest = np.minimum.reduceat(at, starts, axis=0)
    place = np.where(at == lowest[spot], np.arange(len(row))[:, None], len(row))
    first = np.minimum.reduceat(place, starts, axis=0)
    good = best > 0
    share = np.divide(best, whole, out=np.zeros_like(whole), where=good & (whole > 0))
    return row[starts], np.where(good, first, -1), share.astype(np.float32)

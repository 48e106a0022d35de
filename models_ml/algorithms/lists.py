"""What lists of picks are like apart from how often they are right: a figure for each person.

Novelty is the mean self-information of what is shown (Zhou et al., "Solving the apparent
diversity-accuracy dilemma", PNAS 2010), popularity how many people have it already, and diversity
how little the products of one list are had by the same people (1 less their mean cosine).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from models_ml.algorithms.data import Array, Interactions, Truth, chunks, matrix

# Lists whose products are compared: more make the mean no surer, only later.
COMPARED, AT_ONCE = 2_000, 200


@dataclass(frozen=True)
class Shelf:
    """What was bought before the lists were made: people by products, and who has each."""

    held: csr_matrix
    ids: Array
    share: Array

    @classmethod
    def of(cls, history: Interactions) -> Shelf:
        held = matrix(history, history.users, history.items)
        held.data[:] = 1.0
        people = np.bincount(held.indices, minlength=held.shape[1])
        return cls(held, history.items.ids, people / max(1, held.shape[0]))

    def places(self, picks: Array) -> Array:
        """Where products stand, -1 for none and for those that nobody has."""
        at = np.minimum(np.searchsorted(self.ids, picks), max(0, len(self.ids) - 1))
        known = (self.ids[at] == picks) if len(self.ids) else np.zeros(picks.shape, dtype=bool)
        return np.where(known, at, -1)


def novelty(shelf: Shelf, picks: Array) -> Array:
    """Bits a product shown to each person is worth (n,): 1 more for half as many who have it."""
    return _mean(picks, -np.log2(np.maximum(shelf.share, 1e-12)), shelf)


def popularity(shelf: Shelf, picks: Array) -> Array:
    """The share of people who have what each person is shown (n,)."""
    return _mean(picks, shelf.share, shelf)


def _mean(picks: Array, value: Array, shelf: Shelf) -> Array:
    places = shelf.places(picks)
    known = places >= 0
    values = np.where(known, value[places] if len(value) else 0.0, 0.0)
    return values.sum(axis=1) / np.maximum(known.sum(axis=1), 1)


def hits(truth: Truth, picks: Array) -> list[int]:
    """How many of the people judged bought what stood at each place (k,)."""
    width = int(max(truth.item.max(initial=0), picks.max(initial=0))) + 1
    bought = truth.row.astype(np.int64) * width + truth.item
    shown = np.arange(len(picks), dtype=np.int64)[:, None] * width + picks
    return [int(n) for n in (np.isin(shown, bought) & (picks >= 0)).sum(axis=0)]


def diversity(shelf: Shelf, picks: Array, *, seed: int) -> Array:
    """How unlike the products of each list are, 0 to 1, for COMPARED lists drawn by `seed`.

    Lists of fewer than two known products are left out.
    """
    places = shelf.places(picks)
    rows = np.flatnonzero((places >= 0).sum(axis=1) >= 2)
    if len(rows) > COMPARED:
        rows = np.sort(np.random.default_rng(seed).choice(rows, COMPARED, replace=False))
    norms = np.sqrt(np.maximum(shelf.share * shelf.held.shape[0], 1.0))
    # Rows of length one, so that a product of two of them is their cosine.
    by_item = shelf.held.T.astype(np.float64).multiply(1.0 / norms[:, None]).tocsr()
    found = np.empty(len(rows))
    for part in chunks(len(rows), AT_ONCE):
        row, column = np.nonzero(places[rows[part]] >= 0)
        chosen = places[rows[part]][row, column]
        shape = (part.stop - part.start, by_item.shape[0])
        lists = csr_matrix((np.ones(len(row)), (row, chosen)), shape=shape)
        sizes = np.bincount(row, minlength=shape[0])
        together = lists @ by_item
        # The square of a sum of unit vectors is their number and twice the cosines of all pairs.
        squares = np.asarray(together.multiply(together).sum(axis=1)).ravel()
        found[part] = 1.0 - (squares - sizes) / (sizes * (sizes - 1))
    return found

"""Unlike products before like ones: maximal marginal relevance (Carbonell and Goldstein, 1998)."""

from typing import Any

import numpy as np

from recommendations.rules.shelf import Shelf

Array = np.ndarray[Any, np.dtype[Any]]

CATEGORY, BRAND, PRICE = 0.6, 0.2, 0.2
FAR = np.log(4.0)  # prices four times each other are as unlike as prices get
LONG = 60  # places that are put in order anew; what comes after keeps its order


def order(place: Array, fit: Array, shelf: Shelf, weight: float) -> Array:
    """Columns (n, k) in the new order: the next is the one with the most of
    (1 - weight) * fit - weight * its likeness to the likest one before it.

    `place` (n, k) are positions on the shelf, -1 for what is not shown, which comes last in its old
    order; `fit` (n, k) lies between 0 and 1.
    """
    n, k = place.shape
    shown = place >= 0
    value = np.where(shown, (1 - weight) * fit, -np.inf)
    nearest = np.zeros((n, k))
    rows = np.arange(n)
    taken = np.zeros((n, k), dtype=bool)
    columns = np.empty((n, k), dtype=np.int64)
    steps = min(k, LONG)
    for step in range(steps):
        worth = np.where(taken, -np.inf, value - weight * nearest)
        # Among equals the one that came first; when nothing is left, the rest in their order.
        best = np.where(np.isneginf(worth).all(axis=1), np.argmin(taken, axis=1), worth.argmax(1))
        columns[:, step] = best
        taken[rows, best] = True
        chosen = place[rows, best]
        alike = likeness(place, chosen[:, None], shelf)
        nearest = np.maximum(nearest, np.where(chosen[:, None] >= 0, alike, 0.0))
    if steps < k:
        rest = np.argsort(taken, axis=1, kind="stable")[:, : k - steps]
        columns[:, steps:] = rest
    return columns


def likeness(one: Array, other: Array, shelf: Shelf) -> Array:
    """How like two products are, from 0 to 1: by category, brand and price, where known."""
    found = CATEGORY * _same(shelf.category, one, other)
    if shelf.brand is not None:
        found = found + BRAND * _same(shelf.brand, one, other)
    if shelf.price is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            price = np.log(shelf.price)
            apart = np.abs(price[one] - price[other]) / FAR
        found = found + PRICE * np.nan_to_num(np.clip(1 - apart, 0.0, 1.0))
    return found


def _same(codes: Array, one: Array, other: Array) -> Array:
    return ((codes[one] == codes[other]) & (codes[one] >= 0)).astype(float)

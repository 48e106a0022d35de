"""What products sell that are too young for a forecast of their own.

Credibility (Buehlmann 1967): a mean of what the product sold so far and what products of its
category sell after as short a life, weighted by how much the first told of the second in the lives
of older products. Categories are drawn to the whole shop as far as they are small.
"""

from __future__ import annotations

import numpy as np

from models_ml.algorithms import shrinkage
from models_ml.algorithms.demand.series import Bools, Floats, Grain, Ints, Series

LEAST_LIVES = 30
# Periods of its own at which a product speaks as loudly as its category, where no lives are known.
HALF = 4.0


def shrunk(series: Series, origin: int, category: Ints, grain: Grain, *, ages: int) -> Floats:
    """A level for each product younger than `ages` at the origin, 0 for others: (n,)."""
    said = np.zeros(len(series))
    age = series.age(origin)
    young = (age > 0) & (age < ages)
    for a in np.unique(age[young]):
        mine = young & (age == a)
        own = series.units[mine, origin - a : origin].sum(axis=1) / a
        prior, weight = _learned(series, origin, category, grain, int(a))
        usual = prior[category[mine] + 1]
        said[mine] = np.maximum(weight * own + (1 - weight) * usual, 0.0)
    return said


def _learned(
    series: Series, origin: int, category: Ints, grain: Grain, a: int
) -> tuple[Floats, float]:
    """Rates by category (the shop first) after `a` periods of life, and what the own one weighs."""
    ended = series.start + a + grain.horizon <= origin
    lives = ended & (series.start > 0)
    if lives.sum() < LEAST_LIVES:
        # What was sold in the first period of the data may have been sold long before.
        lives = ended
    kinds = int(category.max(initial=-1)) + 2
    rows = np.flatnonzero(lives)
    if not len(rows):
        there = series.start < origin
        sold = series.units[:, :origin].sum(axis=1) / np.maximum(series.age(origin), 1)
        everybody = float(sold[there].mean()) if there.any() else 0.0
        return np.full(kinds, everybody), a / (a + HALF)
    places = series.start[rows, None]
    first = series.units[rows[:, None], places + np.arange(a)].mean(axis=1)
    later = series.units[rows[:, None], places + a + np.arange(grain.horizon)].mean(axis=1)
    # One best seller among a hundred is not what a new product is to be like.
    later = np.minimum(later, np.quantile(later, 0.99))
    prior = _by_category(later, category[rows], kinds)
    if len(rows) < LEAST_LIVES:
        return prior, a / (a + HALF)
    first = np.minimum(first, np.quantile(first, 0.99))
    lean = prior[category[rows] + 1]
    apart = first - lean
    weight = float((apart * (later - lean)).sum() / max((apart**2).sum(), 1e-9))
    return prior, float(np.clip(weight, 0.0, 1.0))


def _by_category(later: Floats, category: Ints, kinds: int) -> Floats:
    """Means by category, drawn to the shop's, which stands first."""
    shop = float(later.mean())
    out = np.full(kinds, shop)
    named: Bools = category >= 0
    if not named.any():
        return out
    count = np.bincount(category[named], minlength=kinds - 1).astype(np.float64)
    total = np.bincount(category[named], weights=later[named], minlength=kinds - 1)
    square = np.bincount(category[named], weights=later[named] ** 2, minlength=kinds - 1)
    middle = total / np.maximum(count, 1)
    spread = np.sqrt(np.maximum(square / np.maximum(count, 1) - middle**2, 0.0))
    found = shrinkage.means(middle, spread, count)
    out[1:] = np.where(count > 0, found.value, shop)
    return out

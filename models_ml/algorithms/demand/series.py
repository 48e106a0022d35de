"""What was sold of each product in each period, side by side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Grain:
    """How time is cut: the days of a period, the periods of a season, how many are looked ahead.

    `soon` is how many periods make the four weeks whose sum is told.
    """

    days: int
    season: int
    horizon: int
    soon: int

    @property
    def step(self) -> int:
        """Periods between two moments that are judged."""
        return max(self.horizon // 4, 1)


WEEKS = Grain(days=7, season=52, horizon=8, soon=4)
FEW_WEEKS = Grain(days=7, season=52, horizon=4, soon=4)
DAYS = Grain(days=1, season=7, horizon=28, soon=28)


@dataclass(frozen=True)
class Series:
    """`units` is (n, T), oldest period first; before its period `start` a product was not there."""

    product: Ints
    units: Floats
    start: Ints

    def __len__(self) -> int:
        return len(self.product)

    @property
    def periods(self) -> int:
        return self.units.shape[1]

    def age(self, origin: int) -> Ints:
        """How many periods each product has been sold for at an origin; 0 before its first."""
        return np.maximum(origin - self.start, 0)

    def take(self, rows: Bools | Ints) -> Series:
        return Series(self.product[rows], self.units[rows], self.start[rows])


def series_of(product: Ints, period: Ints, units: Floats, *, periods: int) -> Series:
    """Sums by product and period; a product begins with its first sale."""
    inside = (period >= 0) & (period < periods) & (units > 0)
    product, period, units = product[inside], period[inside], units[inside]
    known, row = np.unique(product, return_inverse=True)
    table = np.zeros((len(known), periods))
    np.add.at(table, (row, period), units)
    start = np.full(len(known), periods, dtype=np.int64)
    np.minimum.at(start, row, period)
    return Series(known.astype(np.int64), table, start)

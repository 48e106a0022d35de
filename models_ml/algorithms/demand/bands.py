"""Between what and what sales will lie, by how wrong forecasts were at earlier moments.

Split conformal prediction (Papadopoulos et al. 2002; Lei et al. 2018) in groups of products that
sell alike (Mondrian: Vovk et al. 2005), below and above by themselves, as errors of counts are
lopsided. A product whose band begins at zero has all of what is left out above it: nothing can
lie below zero, and a band open to both sides would hold more than it says.

Errors of one moment have the shop's luck of that moment in common, so moments, not products, are
the drawn ones, and few. The level is therefore set by what bands told at each moment held at the
next: conformal risk control (Angelopoulos et al. 2024) over moments, which counts one more moment
that goes badly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models_ml.algorithms.demand.series import Floats, Ints

LEVEL = 0.8
LEAST_GROUP, MOST_GROUPS = 150, 12
# The share that a bad moment leaves out of its bands: half as many again as it may.
BAD = 0.3
LEAST_MOMENTS, LEAST_ROWS = 3, 30
LEVELS = tuple(LEVEL + n / 100 for n in range(17))
# What was said, what it strays by and what came, of every product at one moment: each (m,).
Moment = tuple[Floats, Floats, Floats]


def spread_of(units: Floats, start: Ints, origin: int, *, back: int) -> Floats:
    """How far a product's periods lay from their mean lately, (n,)."""
    first = max(origin - back, 0)
    seen = units[:, first:origin]
    there = np.arange(first, origin)[None, :] >= start[:, None]
    known = np.maximum(there.sum(axis=1), 1)
    middle = (seen * there).sum(axis=1) / known
    return (np.abs(seen - middle[:, None]) * there).sum(axis=1) / known


@dataclass(frozen=True)
class Bands:
    """Groups by the size of what is said: `edges` between them, three quantiles of each.

    Errors are in multiples of `scale(said, spread)`.
    """

    edges: Floats
    low: Floats
    high: Floats
    only: Floats
    level: float = LEVEL

    @classmethod
    def fit(cls, said: Floats, spread: Floats, came: Floats, *, level: float = LEVEL) -> Bands:
        """From what was said and what came, each (m,). ValueError when there is nothing."""
        if not len(said):
            raise ValueError("there is nothing to tell bands from")
        count = int(np.clip(len(said) // LEAST_GROUP, 1, MOST_GROUPS))
        edges = np.unique(np.quantile(said, np.linspace(0, 1, count + 1)[1:-1]))
        group = np.searchsorted(edges, said, side="right")
        error = (came - said) / scale(said, spread)
        tail = (1 - level) / 2
        shape = len(edges) + 1
        low, high, only = (np.zeros(shape) for _ in range(3))
        for g in range(shape):
            mine = group == g
            if not mine.any():
                continue
            low[g] = _quantile(error[mine], tail, upper=False)
            floor = said[mine] + low[g] * scale(said[mine], spread[mine])
            closed = floor <= 0.5
            above = error[mine][~closed] if (~closed).any() else error[mine]
            below = error[mine][closed] if closed.any() else error[mine]
            high[g] = _quantile(above, 1 - tail, upper=True)
            only[g] = _quantile(below, level, upper=True)
        return cls(edges, low, high, only, level)

    @classmethod
    def over(cls, moments: Sequence[Moment], *, level: float = LEVEL) -> Bands:
        """From moments, as wide as holds at a moment not seen yet."""
        return cls.fit(*_together(moments), level=_needed(moments, level))

    def held(self, moment: Moment) -> float:
        """The share of a moment's outcomes that lie within."""
        low, high = self.of(moment[0], moment[1])
        return float(((moment[2] >= low) & (moment[2] <= high)).mean())

    def of(self, said: Floats, spread: Floats) -> tuple[Floats, Floats]:
        """Bounds in whole units around what is said; it always lies between them."""
        group = np.searchsorted(self.edges, said, side="right")
        unit = scale(said, spread)
        low = said + self.low[group] * unit
        closed = low <= 0.5
        factor = np.where(closed, self.only[group], self.high[group])
        # Units are whole: the ends move inwards, where no whole number is lost.
        low = np.where(closed, 0.0, np.minimum(np.ceil(low), np.floor(said)))
        return low, np.maximum(np.floor(said + factor * unit), np.ceil(said))


def _together(moments: Sequence[Moment]) -> Moment:
    said, spread, came = (np.concatenate(part) for part in zip(*moments, strict=True))
    return said, spread, came


def _needed(moments: Sequence[Moment], level: float) -> float:
    """The least level to fit by, so that one moment more keeps the level asked for."""
    if len(moments) < LEAST_MOMENTS or min(len(moment[0]) for moment in moments) < LEAST_ROWS:
        return level
    for tried in LEVELS:
        missed = [
            1 - Bands.fit(*_together([*moments[:n], *moments[n + 1 :]]), level=tried).held(one)
            for n, one in enumerate(moments)
        ]
        if tried >= level and (sum(missed) + BAD) / (len(missed) + 1) <= 1 - level:
            return tried
    return LEVELS[-1]


def scale(said: Floats, spread: Floats) -> Floats:
    """What an error is measured in: what is said, how a product usually strays, and a little."""
    out: Floats = (said + spread) / 2 + 0.5
    return out


def _quantile(values: Floats, share: float, *, upper: bool) -> float:
    """With the one more that makes it hold for a value not seen yet."""
    n = len(values)
    rank = np.ceil((n + 1) * share) if upper else np.floor((n + 1) * share)
    return float(np.sort(values)[int(np.clip(rank, 1, n)) - 1])


def pinball(said: Floats, came: Floats, share: float) -> Floats:
    """The loss by which a quantile is judged (Koenker and Bassett 1978)."""
    gap = came - said
    out: Floats = np.maximum(share * gap, (share - 1) * gap)
    return out

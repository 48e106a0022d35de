"""Forecasts of one product from its own past, for all products at once.

Each is a formula that runs through the periods once and is asked at several origins: origin `o`
knows the periods before `o`. All but the seasonal one say the same for every period ahead. What a
method has to set (its smoothing) is chosen per product by the squared errors it has made one period
ahead by then, so nothing after an origin is ever used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product as pairs

import numpy as np

from models_ml.algorithms.demand.series import Bools, Floats, Ints

ALPHAS = (0.05, 0.1, 0.2, 0.35, 0.6)
SIZES, RATES = (0.1, 0.3), (0.03, 0.1, 0.25)
RECENT = 8

# Asked at the origins, a level of each product: (n, origins).
Method = Callable[[Floats, Ints, Sequence[int]], Floats]


def last(units: Floats, start: Ints, origins: Sequence[int]) -> Floats:
    """As in the last period."""
    return np.stack([units[:, o - 1] for o in origins], axis=1)


def seasonal(
    units: Floats, start: Ints, origin: int, *, season: int, horizon: int
) -> tuple[Floats, Bools]:
    """As one season ago, where the product was sold then, else as in the last period: (n, horizon).

    Also of whom a season ago is known.
    """
    said = np.repeat(units[:, origin - 1 : origin], horizon, axis=1)
    known = np.zeros(len(units), dtype=bool)
    if origin >= season:
        known = start <= origin - season
        place = origin - season + np.arange(horizon) % season
        said[known] = units[known][:, place]
    return said, known


def mean(units: Floats, start: Ints, origins: Sequence[int]) -> Floats:
    """The mean of the last periods, of those since the first sale."""
    found = np.empty((len(units), len(origins)))
    for n, o in enumerate(origins):
        known = np.clip(o - start, 1, RECENT)
        found[:, n] = units[:, max(o - RECENT, 0) : o].sum(axis=1) / known
    return found


def smoothed(units: Floats, start: Ints, origins: Sequence[int]) -> Floats:
    """Simple exponential smoothing (Brown 1959)."""
    alpha = np.array(ALPHAS)[:, None]
    level = np.zeros((len(ALPHAS), len(units)))

    def runs() -> Iterator[Floats]:
        for t in range(units.shape[1]):
            now = units[:, t]
            level[:] = np.where(t > start, level + alpha * (now - level), now)
            yield level

    return _asked(runs(), units, start, origins)


def croston(units: Floats, start: Ints, origins: Sequence[int]) -> Floats:
    """Croston's (1972) size over interval, with the correction of Syntetos and Boylan (2005)."""
    alpha = np.array(ALPHAS[:3])[:, None]
    size = np.zeros((len(alpha), len(units)))
    interval = np.ones((len(alpha), len(units)))
    since = np.ones(len(units))

    def runs() -> Iterator[Floats]:
        for t in range(units.shape[1]):
            now, sold = units[:, t], units[:, t] > 0
            first = t == start
            size[:] = np.where(sold, np.where(first, now, size + alpha * (now - size)), size)
            interval[:] = np.where(sold & ~first, interval + alpha * (since - interval), interval)
            since[:] = np.where(sold, 1.0, since + 1.0)
            yield (1 - alpha / 2) * size / interval

    return _asked(runs(), units, start, origins)


def fading(units: Floats, start: Ints, origins: Sequence[int]) -> Floats:
    """Teunter, Syntetos and Babai (2011): the chance of a sale is smoothed in every period.

    So a product that is no longer sold fades, which Croston's never does.
    """
    settings = np.array(list(pairs(SIZES, RATES)))
    alpha, beta = settings[:, :1], settings[:, 1:]
    size = np.zeros((len(settings), len(units)))
    chance = np.ones((len(settings), len(units)))

    def runs() -> Iterator[Floats]:
        for t in range(units.shape[1]):
            now, sold = units[:, t], units[:, t] > 0
            first = t == start
            size[:] = np.where(sold, np.where(first, now, size + alpha * (now - size)), size)
            chance[:] = np.where(t > start, chance + beta * (sold - chance), chance)
            yield chance * size

    return _asked(runs(), units, start, origins)


OWN: dict[str, Method] = {
    "mean": mean,
    "smoothing": smoothed,
    "croston": croston,
    "fading": fading,
}


def _asked(runs: Iterator[Floats], units: Floats, start: Ints, origins: Sequence[int]) -> Floats:
    """The level of the best setting by each origin. `runs` gives (settings, n) a period."""
    wanted = {o: n for n, o in enumerate(origins)}
    found = np.zeros((len(units), len(origins)))
    before: Floats | None = None
    lost: Floats | None = None
    everyone = np.arange(len(units))
    for t, levels in enumerate(runs):
        if lost is None:
            lost = np.zeros_like(levels)
        if before is not None:
            lost += np.where(t > start, (units[:, t] - before) ** 2, 0.0)
        if t + 1 in wanted:
            found[:, wanted[t + 1]] = levels[np.argmin(lost, axis=0), everyone]
        before = levels.copy()
    return found


def groups(units: Floats, start: Ints, origin: int, *, back: int = 26) -> Ints:
    """How products sell, after Syntetos, Boylan and Croston (2005): 0 steady, 1 uneven amounts,
    2 rarely, 3 rarely and in uneven amounts; (n,).
    """
    seen = units[:, max(origin - back, 0) : origin]
    sold = seen > 0
    times = sold.sum(axis=1)
    interval = np.clip(origin - start, 1, seen.shape[1]) / np.maximum(times, 1)
    size = seen.sum(axis=1) / np.maximum(times, 1)
    squares = (seen**2).sum(axis=1) / np.maximum(times, 1)
    uneven = np.maximum(squares - size**2, 0) / np.maximum(size, 1e-9) ** 2
    return (2 * (interval >= 1.32) + (uneven >= 0.49)).astype(np.int64)

"""A forecast that learns from all products together: gradient boosting over what was sold."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from models_ml.algorithms.demand.series import Floats, Grain, Series

LEAST_AGE = 8
MOST_ROWS = 60_000
LOOKS = 12
# A week of many times the usual says little of the usual weeks.
MOST_TIMES = 10.0
# Units, not products, are what is to be right in all; but no product may outweigh the others.
MOST_WEIGHT = 50.0


def looked_at(series: Series, origin: int, grain: Grain) -> tuple[Floats, Floats]:
    """What is known of each product at an origin, in multiples of its scale: (n, columns), (n,)."""
    units, age = series.units, series.age(origin)
    week = max(7 // grain.days, 1)

    def sum_of(periods: int, until: int = origin) -> Floats:
        return units[:, max(until - periods, 0) : until].sum(axis=1)

    def rate(periods: int) -> Floats:
        return sum_of(periods) / np.clip(age, 1, periods)

    scale = rate(13 * week) + 0.05
    shop = units[:, max(origin - 13 * week, 0) : origin].sum(axis=0)
    trend = shop[-4 * week :].mean() / max(shop.mean(), 1e-9) if len(shop) else 1.0
    seen = units[:, max(origin - 13 * week, 0) : origin]
    sold = seen > 0
    days = np.where(sold.any(axis=1), np.argmax(sold[:, ::-1], axis=1), 13 * week)
    columns = [
        *(units[:, origin - n] / scale if origin >= n else scale * 0 for n in range(1, 5)),
        *(rate(periods * week) / scale for periods in (2, 4, 8, 26)),
        sold.mean(axis=1),
        days,
        seen.std(axis=1) / scale,
        seen.max(axis=1, initial=0.0) / scale,
        np.log(scale),
        np.log1p(age),
        np.full(len(series), trend),
    ]
    return np.stack(columns, axis=1), scale


def _ahead(series: Series, origin: int, h: int, grain: Grain, scale: Floats) -> Floats:
    """What depends on how far ahead is looked: the step, and the same period a season ago."""
    place = origin + h - 1 - grain.season
    ago = np.full(len(series), -1.0)
    if place >= 0:
        known = series.start <= place
        ago[known] = series.units[known, place] / scale[known]
    return np.stack([np.full(len(series), float(h)), ago], axis=1)


class Boosting:
    """Histogram gradient boosting of what comes, in multiples of a product's own scale."""

    def __init__(self, grain: Grain, *, seed: int) -> None:
        self.grain, self.seed = grain, seed
        self.model: Any = None

    def fit(self, series: Series, origin: int) -> Boosting:
        """Learn from what was known at earlier origins and came before this one."""
        rng = np.random.default_rng(self.seed)
        grain, x, y, weight = self.grain, [], [], []
        newest = origin - 1
        looks = range(max(LEAST_AGE, 1), newest + 1)
        step = max(len(looks) // LOOKS, 1)
        chosen = sorted({*looks[::-1][::step]})
        for look in chosen:
            old = series.age(look) >= LEAST_AGE
            if not old.any():
                continue
            mine = series.take(old)
            base, scale = looked_at(mine, look, grain)
            reach = min(grain.horizon, origin - look)
            ahead = np.unique(np.linspace(1, reach, min(reach, 4)).astype(int))
            for h in ahead:
                came = mine.units[:, look + h - 1] / scale
                weight.append(np.minimum(scale, MOST_WEIGHT))
                more = _ahead(mine, look, int(h), grain, scale)
                x.append(np.concatenate([base, more], axis=1))
                y.append(np.minimum(came, MOST_TIMES))
        if not x or sum(map(len, y)) < 200:
            return self
        rows, target, chance = (np.concatenate(part) for part in (x, y, weight))
        # Drawn by weight: the library's weighted bins take longer than all of its trees.
        drawn = rng.choice(len(rows), min(len(rows), MOST_ROWS), p=chance / chance.sum())
        rows, target = rows[drawn], target[drawn]
        if target.sum() <= 0:
            return self
        model = HistGradientBoostingRegressor(
            loss="poisson",
            max_iter=80,
            learning_rate=0.1,
            max_leaf_nodes=16,
            min_samples_leaf=80,
            l2_regularization=1.0,
            random_state=self.seed,
        )
        # Waiting threads would take the cores from whoever serves.
        with threadpool_limits(limits=1, user_api="openmp"):
            self.model = model.fit(rows, target)
        return self

    def say(self, series: Series, origin: int) -> Floats | None:
        """(n, horizon); None when there was too little to learn from."""
        if self.model is None:
            return None
        base, scale = looked_at(series, origin, self.grain)
        said = np.empty((len(series), self.grain.horizon))
        for h in range(1, self.grain.horizon + 1):
            more = _ahead(series, origin, h, self.grain, scale)
            said[:, h - 1] = self.model.predict(np.concatenate([base, more], axis=1)) * scale
        return said

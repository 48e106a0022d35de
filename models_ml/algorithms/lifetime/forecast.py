"""From models of buying to a forecast that has been tried out on the past.

The three models are averaged: which of them is best differs from shop to shop and from month to
month, and their mean is seldom far from the best (Bates & Granger 1969).

A likelihood fits the past as well as a law can; it does not promise that the sum of what is said of
the future is right. So the models are fitted again as of some earlier days, what they said then is
laid beside what came, and the line

    purchases = slope * said + floor * time

is carried forward.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

from models_ml.algorithms import artifacts
from models_ml.algorithms.lifetime import likelihood
from models_ml.algorithms.lifetime.bgnbd import BGNBD, MBGNBD
from models_ml.algorithms.lifetime.buying import Buying
from models_ml.algorithms.lifetime.pareto import ParetoNBD
from models_ml.algorithms.lifetime.summary import (
    WEEK,
    Floats,
    Purchases,
    Summary,
    bought_within,
    summarise,
)

FILE = "forecast.json"
KINDS: tuple[type[Buying], ...] = (BGNBD, MBGNBD, ParetoNBD)
# Parts of the history after which the models are tried out.
WINDOWS = (0.7, 0.75, 0.8, 0.85)


@dataclass(frozen=True)
class Window:
    """What was said and what came after an earlier day: sums over `people` within `time`."""

    share: float
    people: int
    time: float
    said: float
    came: float


@dataclass(frozen=True)
class Forecast:
    """The mean of `models`, straightened by the line that `windows` gave."""

    models: tuple[Buying, ...]
    slope: float = 1.0
    floor: float = 0.0
    windows: tuple[Window, ...] = ()

    def expected(self, data: Summary, time: float) -> Floats:
        """Purchases of each person within `time` from now (n,)."""
        return np.asarray(self.expected_at(data, [time])[:, 0])

    def expected_at(self, data: Summary, times: Sequence[float]) -> Floats:
        """The same until each of several times (n, times)."""
        return self.slope * _said(self.models, data, times) + self.floor * np.asarray(times)

    def alive(self, data: Summary) -> Floats:
        """The chance that each person is still a customer (n,).

        BG/NBD has no say beside others: to it whoever never came back cannot have left.
        """
        asked = [one for one in self.models if one.kind != BGNBD.kind] or list(self.models)
        return np.asarray(np.mean([one.alive(data) for one in asked], axis=0))

    def order_chance(self, data: Summary, time: float) -> Floats:
        """The chance that each person buys within `time` from now (n,), at most what is expected.

        The line that straightens the count is read as a story of purchases: `slope` lets each
        purchase of the laws happen or not, and `floor` is a stream beside them that no law told.
        """
        chance = np.mean([one.order_chance(data, time) for one in self.models], axis=0)
        thinned = _thinned(chance, _said(self.models, data, [time])[:, 0], self.slope)
        return np.asarray(1 - (1 - thinned) * np.exp(-self.floor * time))

    def next_order(self, data: Summary, share: float = 0.5) -> Floats:
        """The time by which `share` of people like each would have ordered, if still customers."""
        return np.asarray(np.median([one.next_order(data, share) for one in self.models], axis=0))

    def save(self, folder: Path) -> None:
        stored = {**asdict(self), "models": [one.as_json() for one in self.models]}
        artifacts.write_json(folder / FILE, stored)

    @classmethod
    def load(cls, folder: Path) -> Forecast:
        stored: dict[str, Any] = artifacts.read_json(folder / FILE)
        return cls(
            tuple(Buying.from_json(one) for one in stored["models"]),
            float(stored["slope"]),
            float(stored["floor"]),
            tuple(Window(**one) for one in stored["windows"]),
        )


def learn(
    purchases: Purchases,
    *,
    until: np.datetime64,
    unit_days: float = WEEK,
    kinds: Sequence[type[Buying]] = KINDS,
    report: Callable[[str, int, int], None] = lambda kind, done, total: None,
) -> Forecast:
    """Fit on what is known by the end of a day, tried out on its past; Unfit if too little."""
    past = _Past(purchases, until, unit_days)
    models: list[Buying] = []
    for number, kind in enumerate(kinds):
        report(kind.kind, number, len(kinds) + 1)
        models.append(kind.fit(past.at(1.0), by_first=True))
    report("windows", len(kinds), len(kinds) + 1)
    return _straightened(tuple(models), past)


def _said(models: Sequence[Buying], data: Summary, times: Sequence[float]) -> Floats:
    return np.asarray(np.mean([one.expected_at(data, times) for one in models], axis=0))


def _thinned(chance: Floats, count: Floats, slope: float) -> Floats:
    """The chance of any of `count` expected purchases, of which a part `slope` happens.

    Below 1, as if those who buy at all bought a geometric number of times, whose mean is
    count / chance; above 1 nobody can be made surer than by as many tries. Either way between 0 and
    1, at most slope * count, and rising with both.
    """
    chance = np.clip(chance, 0.0, 1.0)
    if slope >= 1:
        return np.asarray(-np.expm1(slope * np.log1p(-np.minimum(chance, 1 - 1e-15))))
    count = np.maximum(count, chance)
    any_at_all = chance > 0
    odds = slope / np.where(any_at_all, chance, 1.0)
    odds = odds + (1 - slope) / np.where(any_at_all, count, 1.0)
    return np.asarray(np.where(any_at_all, slope / odds, 0.0))


def _straightened(models: tuple[Buying, ...], past: _Past) -> Forecast:
    """With slope and floor, neither below 0, of all windows together."""
    columns, counts, windows = [], [], []
    for share in WINDOWS:
        data, day = past.at(share), past.day(share)
        try:
            then = [type(one).fit(data, by_first=True, near=one) for one in models]
        except likelihood.Unfit:
            continue
        came, time = past.came(data, day)
        if time <= 0:
            continue
        said = _said(then, data, [time])[:, 0]
        columns.append(np.column_stack([said, np.full(len(data), time)]))
        counts.append(came)
        windows.append(Window(share, len(data), time, float(said.sum()), float(came.sum())))
    if not any(count.any() for count in counts):
        return Forecast(models, windows=tuple(windows))
    found, _ = nnls(np.concatenate(columns), np.concatenate(counts))
    return Forecast(models, float(found[0]), float(found[1]), tuple(windows))


def judge(said: Floats, came: Floats) -> tuple[float, float, float]:
    """Root mean square error, correlation, and the sum said as a part of the sum that came."""
    flat = len(said) < 2 or np.ptp(said) == 0 or np.ptp(came) == 0
    return (
        float(np.sqrt(np.mean((said - came) ** 2))),
        0.0 if flat else float(np.corrcoef(said, came)[0, 1]),
        float(said.sum() / max(came.sum(), 1e-9)),
    )


@dataclass(frozen=True)
class _Past:
    """A history until a day, and what was known at earlier parts of it."""

    purchases: Purchases
    until: np.datetime64
    unit_days: float

    def day(self, share: float) -> np.datetime64:
        last = self.until.astype("datetime64[D]")
        known = self.purchases.day[self.purchases.day <= int(last.astype(np.int64))]
        span = int(last.astype(np.int64) - known.min()) if len(known) else 0
        return last - np.timedelta64(round(span * (1 - share)), "D")

    def at(self, share: float) -> Summary:
        return summarise(self.purchases, until=self.day(share), unit_days=self.unit_days)

    def came(self, data: Summary, day: np.datetime64) -> tuple[Floats, float]:
        """Purchases of each person from a day to the end, and how long that is."""
        count, _money = bought_within(self.purchases, data.person, after=day, until=self.until)
        return count, int((self.until - day).astype(np.int64)) / self.unit_days

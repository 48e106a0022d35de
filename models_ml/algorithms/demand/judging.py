"""How good forecasts were, a product a row: MASE (Hyndman and Koehler 2006) and bands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models_ml.algorithms import metrics
from models_ml.algorithms.demand import bands
from models_ml.algorithms.demand.series import Bools, Floats, Grain, Series


def scale_of(series: Series, origin: int) -> Floats:
    """The mean step from a period to the next by the origin, since the first sale: (n,)."""
    steps = np.abs(np.diff(series.units[:, :origin], axis=1))
    there = np.arange(1, origin)[None, :] > series.start[:, None]
    out: Floats = (steps * there).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    return out


def mase(series: Series, said: Floats, origin: int) -> Floats:
    """Mean absolute error in units of `scale_of`; nan where that is zero."""
    came = series.units[:, origin : origin + said.shape[1]]
    unit = scale_of(series, origin)
    error = np.abs(came - said).mean(axis=1)
    return np.where(unit > 0, error / np.maximum(unit, 1e-12), np.nan)


@dataclass(frozen=True)
class Said:
    """What was said at one origin with its bounds: (n, horizon), and of four weeks together."""

    value: Floats
    low: Floats
    high: Floats
    soon_low: Floats
    soon_high: Floats


class Tally:
    """Adds origin to origin what was said and what came."""

    def __init__(self, series: Series, grain: Grain) -> None:
        self.series, self.grain = series, grain
        self.ours: list[Floats] = []
        self.theirs: list[Floats] = []
        self.rules: dict[str, list[Floats]] = {}
        self.losses: list[tuple[float, float]] = []
        self.held = {name: np.zeros(3) for name in ("weeks", "soons", "young")}
        self.sums = np.zeros(2)

    def add(
        self,
        origin: int,
        ours: Said,
        theirs: Said,
        young: Bools,
        others: dict[str, Floats],
    ) -> None:
        series, grain = self.series, self.grain
        came = series.units[:, origin : origin + grain.horizon]
        soon = came[:, : grain.soon].sum(axis=1)
        there = series.age(origin) > 0
        old = there & ~young & (scale_of(series, origin) > 0)
        self.ours.append(np.where(old, mase(series, ours.value, origin), np.nan))
        self.theirs.append(np.where(old, mase(series, theirs.value, origin), np.nan))
        for name, said in others.items():
            errors = np.where(old, mase(series, said, origin), np.nan)
            self.rules.setdefault(name, []).append(errors)
        unit = scale_of(series, origin)[old]
        self.losses.append((_loss(ours, came, old, unit), _loss(theirs, came, old, unit)))
        fresh = there & young
        self.held["weeks"] += _held(ours.low[there], ours.high[there], came[there])
        self.held["soons"] += _held(ours.soon_low[there], ours.soon_high[there], soon[there])
        self.held["young"] += _held(ours.soon_low[fresh], ours.soon_high[fresh], soon[fresh])
        self.sums += (ours.value[there].sum(), came[there].sum())

    def exam(self, *, seed: int) -> Exam:
        """All origins together; each product counts once. The table holds a line a method."""
        ours, theirs = _mean(self.ours), _mean(self.theirs)
        known = np.isfinite(ours)
        ours, theirs = ours[known], theirs[known]
        table = []
        for name, errors in self.rules.items():
            mine = _mean(errors)[known]
            gain = metrics.paired_difference(theirs, mine, seed=seed)
            table.append({"name": name, "mase": float(mine.mean()), "gain": gain.as_dict()})
        loss, loss_rule = np.mean(self.losses, axis=0)
        figures = {
            "mase": float(ours.mean()) if len(ours) else np.nan,
            "pinball": float(loss),
            "total_ratio": float(self.sums[0] / max(self.sums[1], 1e-9)),
            "coverage": _share(self.held["weeks"], 0),
            "coverage_4_weeks": _share(self.held["soons"], 0),
            "above_4_weeks": _share(self.held["soons"], 1),
            "coverage_young": _share(self.held["young"], 0),
        }
        rule = {
            "mase": float(theirs.mean()) if len(theirs) else np.nan,
            "pinball": float(loss_rule),
        }
        return Exam(ours, theirs, figures, rule, table)


@dataclass(frozen=True)
class Exam:
    """MASE of each product judged, by us and by the baseline; figures of both; a line a method."""

    ours: Floats
    theirs: Floats
    figures: dict[str, float]
    baseline: dict[str, float]
    table: list[dict[str, Any]]


def _mean(parts: list[Floats]) -> Floats:
    both = np.stack(parts)
    known = np.isfinite(both)
    total = np.where(known, both, 0.0).sum(axis=0)
    return np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)


def _loss(said: Said, came: Floats, rows: Bools, unit: Floats) -> float:
    """The mean of the losses of both bounds, in units of each product's scale."""
    if not rows.any():
        return 0.0
    tail = (1 - bands.LEVEL) / 2
    low = bands.pinball(said.low[rows], came[rows], tail)
    high = bands.pinball(said.high[rows], came[rows], 1 - tail)
    return float(((low + high).mean(axis=1) / 2 / unit).mean())


def _held(low: Floats, high: Floats, came: Floats) -> Floats:
    """How many lay in their band, how many above it, of how many."""
    inside = (came >= low) & (came <= high)
    return np.array([inside.sum(), (came > high).sum(), inside.size], dtype=np.float64)


def _share(held: Floats, place: int) -> float:
    return float(held[place] / held[2]) if held[2] else float("nan")

"""Which forecast serves which product, and how good that is on what came later.

Origins roll through time (Tashman 2000). At the later ones everything is judged; who serves a
product there, and how wide its band is, was told by origins whose outcomes all lay before. Errors
of one product are few and noisy, so the choice takes those of products that sell alike as well.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from models_ml.algorithms import metrics
from models_ml.algorithms.classify import Interval
from models_ml.algorithms.demand import judging, methods, young
from models_ml.algorithms.demand.bands import Bands, Moment, spread_of
from models_ml.algorithms.demand.judging import Exam, Said
from models_ml.algorithms.demand.pooled import LEAST_AGE, Boosting
from models_ml.algorithms.demand.series import (
    DAYS,
    FEW_WEEKS,
    WEEKS,
    Floats,
    Grain,
    Ints,
    Series,
)
from models_ml.algorithms.errors import Unfit

JUDGED = 4
BASELINE, YOUNG, BOOSTING = "seasonal", "young", "boosting"
CANDIDATES = (*methods.OWN, BOOSTING)
METHODS = (*CANDIDATES, YOUNG)
# How many origins of products alike count beside a product's own.
ALIKE = 16.0
LEAST_PRODUCTS = 5
# Periods before the first origin.
LEAST_KNOWN = 8
DENSE = 0.5
Report = Callable[[str, int, int], None]


def origins(grain: Grain, periods: int) -> tuple[list[int], list[int]]:
    """Earlier origins to choose by and later ones to judge at."""
    last = periods - grain.horizon
    late = [last - n * grain.step for n in range(JUDGED)]
    most = JUDGED - 1 + grain.horizon // grain.step
    early = [late[-1] - n * grain.step for n in range(1, most + 1)]
    return sorted(early), sorted(late)


def fits(grain: Grain, periods: int) -> bool:
    return origins(grain, periods)[0][0] >= LEAST_KNOWN * (7 // grain.days or 1)


def grain_of(*, days: int, dense: float) -> Grain:
    """Days where most of what is sold is sold on most of them and weeks are few; else weeks.

    `dense` is the share of days with a sale of the product in the middle. Unfit when too short.
    """
    if fits(WEEKS, days // 7):
        return WEEKS
    if dense >= DENSE and fits(DAYS, days):
        return DAYS
    if fits(FEW_WEEKS, days // 7):
        return FEW_WEEKS
    needed = next(n for n in range(1, 200) if fits(FEW_WEEKS, n)) * 7
    raise Unfit("history_too_short", {"days": days, "needed": needed})


@dataclass(frozen=True)
class Told:
    """Forecasts from one origin: (candidates, n, horizon), and the baseline (n, horizon).

    `level` is of the young, whose age is below LEAST_AGE.
    """

    by: Floats
    baseline: Floats
    level: Floats


@dataclass(frozen=True)
class Forecast:
    """Of each product and period ahead, and of the next four weeks together."""

    method: Ints
    bounds: Said
    baseline: Floats
    soon: Floats


@dataclass(frozen=True)
class Outcome:
    """`forecast` is aligned with `series`; `gain` is in MASE over the baseline."""

    forecast: Forecast
    exam: Exam
    gain: Interval
    shares: dict[str, int]
    seconds: float

    @property
    def ok(self) -> bool:
        return self.gain.low > 0


def run(
    series: Series,
    grain: Grain,
    category: Ints,
    *,
    seed: int,
    report: Report = lambda name, done, total: None,
) -> Outcome:
    """Roll, choose, judge, and forecast what comes after the last period. Unfit when it cannot."""
    began = time.monotonic()
    early, late = origins(grain, series.periods)
    if early[0] < 1 or not len(series):
        raise Unfit("history_too_short", {"days": series.periods * grain.days, "needed": 0})
    everything = sorted({*early, *late, series.periods})
    told: dict[int, Told] = {}
    own = {name: one(series.units, series.start, everything) for name, one in methods.OWN.items()}
    for n, origin in enumerate(everything):
        report(BOOSTING, n, len(everything))
        levels = [own[name][:, n] for name in methods.OWN]
        told[origin] = _tell(series, grain, category, origin, levels, seed)
    judged = int((judging.scale_of(series, late[-1]) > 0)[series.age(late[-1]) > 0].sum())
    if judged < LEAST_PRODUCTS:
        raise Unfit("too_few_products", {"products": judged, "needed": LEAST_PRODUCTS})
    tally = judging.Tally(series, grain)
    for origin in late:
        ours = forecast_at(series, grain, told, origin)
        theirs = _baseline_at(series, grain, told, origin)
        by = dict(zip(CANDIDATES, told[origin].by, strict=True))
        tally.add(origin, ours.bounds, theirs, ours.method == len(CANDIDATES), by)
    exam = tally.exam(seed=seed)
    if len(exam.ours) < LEAST_PRODUCTS:
        raise Unfit("too_few_products", {"products": len(exam.ours), "needed": LEAST_PRODUCTS})
    forecast = forecast_at(series, grain, told, series.periods)
    better = metrics.paired_difference(exam.theirs, exam.ours, seed=seed)
    shares = np.bincount(forecast.method, minlength=len(METHODS))
    return Outcome(
        forecast=forecast,
        exam=exam,
        gain=Interval(better.mean, better.low, better.high),
        shares={name: int(n) for name, n in zip(METHODS, shares, strict=True) if n},
        seconds=time.monotonic() - began,
    )


def _tell(
    series: Series, grain: Grain, category: Ints, origin: int, levels: list[Floats], seed: int
) -> Told:
    flat = [np.repeat(level[:, None], grain.horizon, axis=1) for level in levels]
    boosted = Boosting(grain, seed=seed).fit(series, origin).say(series, origin)
    # Without enough to learn from it says what the mean says, and is never the better.
    flat.append(flat[0] if boosted is None else boosted)
    baseline, _known = methods.seasonal(
        series.units, series.start, origin, season=grain.season, horizon=grain.horizon
    )
    level = young.shrunk(series, origin, category, grain, ages=_ripe(grain))
    return Told(np.stack(flat), baseline, level)


def _ripe(grain: Grain) -> int:
    """The age in periods from which a product is forecast from its own past."""
    return LEAST_AGE * (7 // grain.days if grain.days < 7 else 1)


def _known(told: Iterable[int], origin: int, periods: int) -> list[int]:
    """The origins of which so many periods after them had come by another origin."""
    return sorted(one for one in told if one + periods <= origin)


def choose(series: Series, grain: Grain, told: dict[int, Told], known: Sequence[int]) -> Ints:
    """The candidate of each product by the errors of four weeks together at known origins."""
    if not known:
        return np.zeros(len(series), dtype=np.int64)
    lost = np.zeros((len(CANDIDATES), len(series)))
    seen = np.zeros(len(series))
    for origin in known:
        unit = judging.scale_of(series, origin)
        there = (series.age(origin) >= _ripe(grain)) & (unit > 0)
        came = series.units[:, origin : origin + grain.soon].sum(axis=1)
        said = told[origin].by[:, :, : grain.soon].sum(axis=2)
        error = np.abs(said - came) / np.maximum(unit * grain.soon, 1e-9)
        lost += np.where(there, np.minimum(error, 10.0), 0.0)
        seen += there
    alike = methods.groups(series.units, series.start, max(known) + grain.soon)
    together = np.stack(
        [lost[:, alike == g].sum(axis=1) / max(seen[alike == g].sum(), 1.0) for g in range(4)],
        axis=1,
    )
    found: Ints = np.argmin((lost + ALIKE * together[:, alike]) / (seen + ALIKE), axis=0)
    return found


def forecast_at(series: Series, grain: Grain, told: dict[int, Told], origin: int) -> Forecast:
    """What is said at an origin by what was known then."""
    chosen = choose(series, grain, told, _known(told, origin, grain.soon))
    is_young = series.age(origin) < _ripe(grain)
    said = _of(told[origin], chosen, is_young)
    spread = spread_of(series.units, series.start, origin, back=_back(grain))
    low, high = np.zeros_like(said), np.zeros_like(said)
    soon = said[:, : grain.soon].sum(axis=1)
    soon_low, soon_high = np.zeros_like(soon), np.zeros_like(soon)
    for mine, at_age in ((~is_young, False), (is_young, True)):
        if not mine.any():
            continue
        weekly, together = fit_bands(series, grain, told, origin, choosing=True, young=at_age)
        low[mine], high[mine] = weekly.of(said[mine], _wide(spread[mine], grain))
        unit = spread[mine] * grain.soon**0.5
        soon_low[mine], soon_high[mine] = together.of(soon[mine], unit)
    method = np.where(is_young, len(CANDIDATES), chosen)
    bounds = Said(said, low, high, soon_low, soon_high)
    return Forecast(method, bounds, told[origin].baseline, soon)


def _baseline_at(series: Series, grain: Grain, told: dict[int, Told], origin: int) -> Said:
    """The baseline with bands told from its own errors, as ours are."""
    said = told[origin].baseline
    spread = spread_of(series.units, series.start, origin, back=_back(grain))
    weekly, together = fit_bands(series, grain, told, origin, choosing=False)
    soon = said[:, : grain.soon].sum(axis=1)
    return Said(
        said, *weekly.of(said, _wide(spread, grain)), *together.of(soon, spread * grain.soon**0.5)
    )


def fit_bands(
    series: Series,
    grain: Grain,
    told: dict[int, Told],
    origin: int,
    *,
    choosing: bool,
    young: bool = False,
) -> tuple[Bands, Bands]:
    """Of a period and of four weeks, by the errors at earlier origins; of the baseline without
    choosing.

    The four weeks are over before all that is looked ahead is, so later origins tell of them, and
    each origin's methods are chosen by the others: an error that helped to choose is too small.
    """
    soon = _errors(series, grain, told, origin, grain.soon, choosing, young)
    week = _errors(series, grain, told, origin, grain.horizon, choosing, young)
    weeks = [(a.ravel(), _wide(b, grain).ravel(), c.ravel()) for a, b, c in week]
    return (
        Bands.over(weeks),
        Bands.over([(a.sum(axis=1), b * grain.soon**0.5, c.sum(axis=1)) for a, b, c in soon]),
    )


def _errors(
    series: Series,
    grain: Grain,
    told: dict[int, Told],
    origin: int,
    periods: int,
    choosing: bool,
    young: bool,
) -> list[Moment]:
    """At every origin after which so many periods had come, what was said of them, the spread by
    then, and what came: a row a product.
    """
    pieces: list[Moment] = []
    known = _known(told, origin, periods)
    decided = _known(told, origin, grain.soon)
    for both in (False, True):
        for one in known:
            age = series.age(one)
            fresh = age < _ripe(grain)
            mine = (age > 0) & ((fresh == young) | both)
            said = told[one].baseline
            if choosing:
                others = [other for other in decided if other != one]
                said = _of(told[one], choose(series, grain, told, others), fresh)
            spread = spread_of(series.units, series.start, one, back=_back(grain))
            came = series.units[:, one : one + periods]
            pieces.append((said[mine, :periods], spread[mine], came[mine]))
        if sum(len(piece[0]) for piece in pieces) >= 20:
            break
        pieces = []
    if not pieces:
        raise Unfit("history_too_short", {"days": series.periods * grain.days, "needed": 0})
    return pieces


def _back(grain: Grain) -> int:
    """A quarter of a year in periods."""
    return 13 * max(7 // grain.days, 1)


def _wide(spread: Floats, grain: Grain) -> Floats:
    return np.repeat(spread[:, None], grain.horizon, axis=1)


def _of(told: Told, chosen: Ints, is_young: np.ndarray) -> Floats:
    said = told.by[chosen, np.arange(len(chosen))]
    return np.where(is_young[:, None], told.level[:, None], said)

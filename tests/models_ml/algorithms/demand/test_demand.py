"""Demand: formulas against what they are by hand, planted products, and bounds that hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_ml.algorithms.demand import contest, methods, young
from models_ml.algorithms.demand.bands import Bands
from models_ml.algorithms.demand.series import DAYS, FEW_WEEKS, WEEKS, Series, series_of
from models_ml.algorithms.errors import Unfit

RNG = np.random.default_rng(3)


def planted(products: int = 150, weeks: int = 60, seed: int = 5) -> Series:
    """Each product sells by a rate of its own, by chance around it."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(1.2, 8, products)
    units = rng.poisson(rate[:, None], (products, weeks)).astype(float)
    start = np.argmax(units > 0, axis=1)
    return Series(np.arange(products), units, start)


def none(series: Series) -> np.ndarray:
    return np.full(len(series), -1)


@pytest.fixture(scope="module")
def outcome() -> tuple[Series, contest.Outcome]:
    series = planted()
    return series, contest.run(series, WEEKS, none(series), seed=1)


def test_a_product_begins_with_its_first_sale() -> None:
    made = series_of(
        np.array([7, 7, 3, 7]), np.array([2, 2, 0, 4]), np.array([1.0, 2, 5, 0]), periods=5
    )
    assert made.product.tolist() == [3, 7]
    assert made.start.tolist() == [0, 2]
    assert made.units.tolist() == [[5, 0, 0, 0, 0], [0, 0, 3, 0, 0]]


def test_exponential_smoothing_is_the_formula_with_the_best_weight_so_far() -> None:
    units = np.array([[4.0, 8, 6, 10, 2]])
    levels = {}
    for alpha in methods.ALPHAS:
        level, lost = units[0, 0], 0.0
        for value in units[0, 1:]:
            lost += (value - level) ** 2
            level += alpha * (value - level)
        levels[lost] = level
    said = methods.smoothed(units, np.array([0]), [5])
    assert said[0, 0] == pytest.approx(levels[min(levels)])


def test_croston_divides_the_size_by_the_interval_and_tsb_lets_a_dead_product_fade() -> None:
    units = np.zeros((1, 60))
    units[0, 0:30:3] = 9.0
    start = np.array([0])
    alive, dead = methods.croston(units, start, [30, 60])[0]
    assert alive == pytest.approx(3.0, rel=0.1)
    assert dead == pytest.approx(alive)
    alive, dead = methods.fading(units, start, [30, 60])[0]
    assert alive == pytest.approx(3.0, rel=0.35)
    assert dead < 0.3 * alive


def test_a_season_ago_is_said_only_of_products_that_were_there() -> None:
    units = np.arange(120.0).reshape(2, 60)
    said, known = methods.seasonal(units, np.array([0, 20]), 56, season=52, horizon=4)
    assert said[0].tolist() == [4, 5, 6, 7]
    assert said[1].tolist() == [115.0] * 4
    assert known.tolist() == [True, False]


@given(st.integers(9, 40), st.integers(0, 1_000))
def test_what_came_later_never_changes_what_was_said(origin: int, seed: int) -> None:
    series = planted(6, 48, seed=4)
    other = series.units.copy()
    other[:, origin:] = np.random.default_rng(seed).integers(0, 500, other[:, origin:].shape)
    for method in methods.OWN.values():
        ours = method(series.units, series.start, [origin])
        theirs = method(other, series.start, [origin])
        np.testing.assert_array_equal(ours, theirs)


def test_rates_are_found_and_beat_the_last_value(outcome: tuple[Series, contest.Outcome]) -> None:
    series, found = outcome
    assert found.ok
    assert found.exam.figures["mase"] < found.exam.baseline["mase"]
    assert found.exam.figures["total_ratio"] == pytest.approx(1.0, abs=0.05)
    truth = np.random.default_rng(5).gamma(1.2, 8, len(series))
    said = found.forecast.soon / 4
    assert np.median(np.abs(said - truth) / (truth + 1)) < 0.2
    assert set(found.shares) <= set(contest.METHODS)


def test_bounds_hold_four_times_of_five_where_nothing_changes(
    outcome: tuple[Series, contest.Outcome],
) -> None:
    figures = outcome[1].exam.figures
    assert figures["coverage"] == pytest.approx(0.8, abs=0.06)
    assert figures["coverage_4_weeks"] == pytest.approx(0.8, abs=0.07)
    told = outcome[1].forecast
    assert (told.bounds.low <= told.bounds.value).all()
    assert (told.bounds.value <= told.bounds.high).all()
    assert (told.bounds.soon_low <= told.soon).all()


def test_bounds_are_told_by_all_that_has_come_and_by_no_error_that_chose(monkeypatch) -> None:
    series = planted(products=30)
    asked: list[list[int]] = []
    real = contest.choose

    def choose(series, grain, told, known):
        asked.append(list(known))
        return real(series, grain, told, known)

    monkeypatch.setattr(contest, "choose", choose)
    levels = [one(series.units, series.start, [30, 36, 40]) for one in methods.OWN.values()]
    told = {
        origin: contest._tell(
            series, WEEKS, none(series), origin, [level[:, n] for level in levels], 1
        )
        for n, origin in enumerate([30, 36, 40])
    }
    contest.fit_bands(series, WEEKS, told, 44, choosing=True)
    soon, week = asked[:3], asked[3:]
    assert soon == [[36, 40], [30, 40], [30, 36]]  # four weeks after the 40th are over by the 44th
    assert week == [[36, 40], [30, 40]]


def test_a_shop_whose_last_value_is_the_best_guess_is_not_published() -> None:
    rng = np.random.default_rng(8)
    units = np.round(5_000 + rng.normal(0, 40, (60, 48)).cumsum(axis=1))
    series = Series(np.arange(60), units, np.zeros(60, dtype=int))
    found = contest.run(series, WEEKS, none(series), seed=1)
    assert not found.ok


def test_young_products_are_drawn_to_their_category() -> None:
    rng = np.random.default_rng(2)
    rate = np.repeat([2.0, 40.0], 60)
    start = np.r_[rng.integers(1, 20, 118), 47, 47]
    units = rng.poisson(rate[:, None], (120, 48)).astype(float)
    units[np.arange(48)[None, :] < start[:, None]] = 0
    units[118, 47], units[119, 47] = 12.0, 12.0
    category = np.repeat([0, 1], 60)
    category[118] = 0
    said = young.shrunk(Series(np.arange(120), units, start), 48, category, WEEKS, ages=8)
    assert said[:118].sum() == 0
    assert said[118] < 12 < said[119]


def test_a_band_that_begins_at_zero_keeps_what_is_left_out_above_it() -> None:
    came = RNG.poisson(0.6, 4_000).astype(float)
    said, spread = np.full(4_000, 0.6), np.full(4_000, 0.7)
    low, high = Bands.fit(said, spread, came).of(said[:1], spread[:1])
    assert (low[0], high[0]) == (0.0, 1.0)


def test_bands_hold_at_a_new_moment_though_each_moment_has_a_luck_of_its_own() -> None:
    rng = np.random.default_rng(4)
    plain, wider = [], []
    for _shop in range(40):
        rate = rng.gamma(3, 8, 150)
        moments = [
            (rate, rate**0.5, rng.poisson(rate * np.exp(rng.normal(0, 0.25))).astype(float))
            for _moment in range(7)
        ]
        *known, new = moments
        plain.append(Bands.fit(*map(np.concatenate, zip(*known, strict=True))).held(new))
        wider.append(Bands.over(known).held(new))
    assert np.mean(plain) < 0.76
    assert 0.8 <= np.mean(wider) < 0.84
    few = moments[:2]  # too few moments to tell how they differ
    assert Bands.over(few).level == 0.8


def test_what_is_too_short_is_refused_and_few_weeks_of_dense_sales_go_by_days() -> None:
    assert contest.grain_of(days=373, dense=0.1) == WEEKS
    assert contest.grain_of(days=200, dense=0.9) == DAYS
    assert contest.grain_of(days=200, dense=0.1) == FEW_WEEKS
    with pytest.raises(Unfit) as short:
        contest.grain_of(days=100, dense=0.1)
    assert short.value.code == "history_too_short"
    assert short.value.facts == {"days": 100, "needed": 154}
    series = planted(3, 60)
    with pytest.raises(Unfit, match="too_few_products"):
        contest.run(series, WEEKS, none(series), seed=1)

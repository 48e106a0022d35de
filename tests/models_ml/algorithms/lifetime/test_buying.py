"""Models of buying against published formulas, simulation, and parameters planted in a shop."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import gammaln, hyp2f1

from models_ml.algorithms.lifetime.bgnbd import BGNBD, MBGNBD
from models_ml.algorithms.lifetime.buying import Buying
from models_ml.algorithms.lifetime.forecast import Forecast
from models_ml.algorithms.lifetime.likelihood import Unfit
from models_ml.algorithms.lifetime.pareto import ParetoNBD
from models_ml.algorithms.lifetime.spend import GammaGamma, together
from models_ml.algorithms.lifetime.summary import Summary
from models_ml.algorithms.lifetime.value import discounted, lifetime_value, per_period

# The maximum likelihood estimates of Fader, Hardie & Lee (2005) on the CDNOW sample.
BG = BGNBD(0.243, 4.414, 0.793, 2.426)
MBG = MBGNBD(0.525, 6.183, 0.891, 1.614)
PARETO = ParetoNBD(0.553, 10.578, 0.606, 11.669)
MODELS: list[Buying] = [BG, MBG, PARETO]
NAMES = ["BG/NBD", "MBG/NBD", "Pareto/NBD"]


def people(*rows: tuple[float, float, float]) -> Summary:
    return Summary.of_counts(*zip(*rows, strict=True))


SOME = people((2, 30.43, 38.86), (1, 1.71, 38.86), (0, 0, 38.86), (11, 35.0, 36.0))


def test_bgnbd_expects_what_the_published_series_gives() -> None:
    r, alpha, a, b = 0.243, 4.414, 0.793, 2.426
    for x, recency, age in ((2, 30.43, 38.86), (1, 1.71, 38.86), (0, 0.0, 38.86)):
        series = hyp2f1(r + x, b + x, a + b + x - 1, 39 / (alpha + age + 39))
        top = (
            (a + b + x - 1)
            / (a - 1)
            * (1 - ((alpha + age) / (alpha + age + 39)) ** (r + x) * series)
        )
        left = a / (b + x - 1) * ((alpha + age) / (alpha + recency)) ** (r + x) if x else 0
        found = BG.expected(people((x, recency, age)), 39.0)[0]
        assert found == pytest.approx(top / (1 + left), rel=1e-6)


def test_the_person_of_the_bgnbd_paper_is_expected_to_buy_1_226_times() -> None:
    assert BG.expected(people((2, 30.43, 38.86)), 39.0)[0] == pytest.approx(1.226, abs=0.001)


def test_pareto_is_the_published_difference_of_hypergeometric_functions() -> None:
    r, alpha, s, beta = 0.553, 10.578, 0.606, 11.669

    def part(x: float, y: float) -> float:
        z = (beta - alpha) / (beta + y)
        return float(hyp2f1(r + s + x, r + x, r + s + x + 1, z)) / (beta + y) ** (r + s + x)

    for x, recency, age in ((2, 30.43, 38.86), (0, 0.0, 38.86), (7, 20.0, 30.0)):
        inner = part(x, recency) - part(x, age)
        whole = (alpha + age) ** -(r + x) * (beta + age) ** -s + s / (r + s + x) * inner
        count = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta)
        one = people((x, recency, age))
        assert PARETO.log_likelihood(one)[0] == pytest.approx(count + np.log(whole), rel=1e-9)
        alive = (alpha + age) ** -(r + x) * (beta + age) ** -s / whole
        assert PARETO.alive(one)[0] == pytest.approx(alive, rel=1e-8)


def test_somebody_who_never_came_back_is_alive_for_bgnbd_alone() -> None:
    once = people((0, 0, 38.86))
    assert BG.alive(once)[0] == 1.0
    assert MBG.alive(once)[0] == pytest.approx(0.39, abs=0.01)
    assert PARETO.alive(once)[0] == pytest.approx(0.295, abs=0.001)


@pytest.mark.parametrize("model", MODELS, ids=NAMES)
def test_chance_of_an_order_is_the_share_of_simulated_lives_with_one(model: Any) -> None:
    rng = np.random.default_rng(1)
    x, recency, age, time, n = 3.0, 20.0, 30.0, 10.0, 400_000
    rate = rng.gamma(model.r + x, 1 / (model.alpha + age), n)
    wait = rng.exponential(1 / rate)
    if isinstance(model, ParetoNBD):
        leaves = rng.exponential(1 / rng.gamma(model.s, 1 / (model.beta + age), n))
        ordered = (wait < time) & (wait < leaves)
    else:
        ordered = wait < time
    one = people((x, recency, age))
    said = model.order_chance(one, time)[0] / model.alive(one)[0]
    assert said == pytest.approx(ordered.mean(), abs=0.003)
    assert (
        model.next_order(one)[0] > np.sort(wait)[[int(n * 0.495), int(n * 0.505)]]
    ).tolist() == [
        True,
        False,
    ]


@pytest.mark.parametrize("model", [BG, MBG], ids=NAMES[:2])
def test_expected_orders_are_the_mean_of_simulated_lives(model: BGNBD) -> None:
    rng = np.random.default_rng(2)
    x, age, time, n = 3.0, 30.0, 20.0, 200_000
    rate = rng.gamma(model.r + x, 1 / (model.alpha + age), n)
    leaves = rng.beta(model.a, model.b + x + model.at_first, n)
    at, count = np.zeros(n), np.zeros(n)
    alive = np.ones(n, dtype=bool)
    while alive.any():
        at = at + rng.exponential(1 / rate)
        alive &= at < time
        count += alive
        alive &= rng.random(n) >= leaves
    said = model.expected_if_alive(people((x, 20.0, age)), time)[0]
    assert said == pytest.approx(count.mean(), abs=0.015)


def shop(n: int, seed: int) -> Summary:
    """People who buy by a gamma law of rates and leave after purchases by a beta law."""
    rng = np.random.default_rng(seed)
    rate, leaves = rng.gamma(0.8, 1 / 6, n), rng.beta(0.8, 2.5, n)
    age = rng.uniform(20, 60, n)
    repeats, last = np.zeros(n), np.zeros(n)
    at, alive = np.zeros(n), np.ones(n, dtype=bool)
    while alive.any():
        at = at + rng.exponential(1 / rate)
        alive &= at < age
        repeats += alive
        last = np.where(alive, at, last)
        alive &= rng.random(n) >= leaves
    return Summary.of_counts(repeats, last, age)


def test_planted_parameters_are_found_again() -> None:
    found = BGNBD.fit(shop(6_000, 3))
    assert found.r == pytest.approx(0.8, rel=0.1)
    assert found.alpha == pytest.approx(6, rel=0.15)
    assert found.a / (found.a + found.b) == pytest.approx(0.8 / 3.3, rel=0.1)


@pytest.mark.parametrize("kind", [BGNBD, MBGNBD, ParetoNBD], ids=NAMES)
def test_no_step_from_the_fit_makes_the_history_likelier(kind: Any) -> None:
    data = shop(800, 5)
    found = kind.fit(data)
    best = found.log_likelihood(data).sum()
    values = [found.r, found.alpha, found.leave, found.stay]
    for place in range(4):
        for factor in (0.98, 1.02):
            moved = [v * (factor if i == place else 1) for i, v in enumerate(values)]
            assert kind(*moved).log_likelihood(data).sum() <= best + 1e-6


def test_a_first_purchase_that_tells_about_the_rate_is_used() -> None:
    data = shop(1500, 7)
    first = 20 * np.exp(0.5 * np.log1p(data.repeats))
    known = Summary(data.person, data.repeats, data.recency, data.age, data.spend, first)
    found = BGNBD.fit(known, by_first=True)
    assert found.lift > 0.2
    assert found.log_likelihood(known).sum() > BGNBD.fit(known).log_likelihood(known).sum() + 10
    nobody = Summary(data.person, data.repeats, data.recency, data.age, data.spend, first * np.nan)
    assert found.alphas(nobody).tolist() == [found.alpha] * 1500


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(MODELS),
    st.integers(0, 3000),
    st.floats(0, 1),
    st.floats(0.01, 3000),
    st.floats(0.01, 1000),
)
def test_any_history_gets_finite_answers_within_bounds(
    model: Buying, repeats: int, part: float, age: float, time: float
) -> None:
    one = people((repeats, age * part if repeats else 0.0, age))
    alive, chance = model.alive(one)[0], model.order_chance(one, time)[0]
    expected = model.expected(one, time)[0]
    assert 0 <= alive <= 1
    assert 0 <= chance <= alive + 1e-9
    assert np.isfinite(expected)
    assert chance <= expected + 1e-6
    assert expected <= model.expected(one, time * 2)[0] + 1e-9
    assert np.isfinite(model.next_order(one)[0])


@settings(max_examples=80, deadline=None)
@given(
    st.floats(0, 4),
    st.floats(0, 0.2),
    st.integers(0, 300),
    st.floats(0, 1),
    st.floats(0.5, 300),
    st.floats(0.01, 300),
)
def test_a_straightened_chance_is_at_most_the_count_and_rises_with_time(
    slope: float, floor: float, repeats: int, part: float, age: float, time: float
) -> None:
    one = people((repeats, age * part if repeats else 0.0, age))
    made = Forecast(tuple(MODELS), slope, floor)
    chance, longer = (made.order_chance(one, t)[0] for t in (time, 1.5 * time))
    assert 0 <= chance <= min(1.0, made.expected(one, time)[0] + 1e-6)
    assert chance <= longer + 1e-9
    plain = Forecast(tuple(MODELS))
    assert plain.order_chance(one, time)[0] == pytest.approx(
        np.mean([model.order_chance(one, time)[0] for model in MODELS])
    )


def test_too_little_history_is_a_named_state() -> None:
    with pytest.raises(Unfit) as few:
        BGNBD.fit(Summary.of_counts([1] * 10, [1] * 10, [2] * 10))
    assert (few.value.code, few.value.facts["people"]) == ("too_few_people", 10)
    with pytest.raises(Unfit) as once:
        ParetoNBD.fit(Summary.of_counts([0] * 500, [0] * 500, [9] * 500))
    assert once.value.code == "too_few_repeaters"
    with pytest.raises(Unfit) as same:
        GammaGamma.fit(Summary.of_counts([2] * 99, [1] * 99, [5] * 99, [10.0] * 99))
    assert same.value.code == "no_spread"


def test_what_an_order_is_worth_is_drawn_to_everybodys_mean() -> None:
    law = GammaGamma(6.25, 3.74, 15.44)
    data = Summary.of_counts([0, 1, 50], [0, 1, 30], [40] * 3, [np.nan, 100.0, 100.0])
    never, once, often = law.mean(data)
    assert never == pytest.approx(6.25 * 15.44 / 2.74)
    assert once == pytest.approx(6.25 * (15.44 + 100) / (6.25 + 2.74))
    assert never < once < often < 100


def test_gamma_gamma_finds_planted_parameters() -> None:
    rng = np.random.default_rng(4)
    n = 6000
    x = rng.integers(1, 8, n).astype(float)
    z = rng.gamma(6.0 * x, 1.0) / (rng.gamma(4.0, 1 / 15.0, n) * x)
    found = GammaGamma.fit(Summary.of_counts(x, x, x + 1, z))
    assert found.p == pytest.approx(6, rel=0.1)
    assert found.q == pytest.approx(4, rel=0.1)
    assert found.gamma == pytest.approx(15, rel=0.15)
    assert abs(together(Summary.of_counts(x, x, x + 1, z))) < 0.05


def test_value_is_the_sum_of_months_discounted() -> None:
    assert discounted(np.array([[110.0, 121.0]]), 0.1)[0] == pytest.approx(200.0)
    law = GammaGamma(6.25, 3.74, 15.44)
    months = per_period(PARETO, SOME, periods=12, length=4.0)
    np.testing.assert_allclose(months.sum(axis=1), PARETO.expected(SOME, 48.0), rtol=1e-9)
    plain = lifetime_value(PARETO, law, SOME, periods=12, length=4.0, rate=0.0, margin=0.3)
    np.testing.assert_allclose(plain, 0.3 * law.mean(SOME) * months.sum(axis=1))
    assert (
        lifetime_value(PARETO, law, SOME, periods=12, length=4.0, rate=0.05) < plain / 0.3
    ).all()


def test_leaving_is_an_integral_over_the_moment_of_leaving() -> None:
    def density(y: float, x: float) -> float:
        return (
            PARETO.s * (PARETO.alpha + y) ** -(PARETO.r + x) * (PARETO.beta + y) ** -(PARETO.s + 1)
        )

    for x, recency, age in ((40.0, 35.0, 36.0), (3.0, 0.1, 200.0)):
        log = PARETO._parts(people((x, recency, age)))[1][0]
        slow = quad(density, recency, age, args=(x,), epsabs=0, epsrel=1e-11)[0]
        assert log == pytest.approx(np.log(slow), abs=1e-8)

"""The distributions that pages use are those of a library that pages may not load."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from campaigns.experiments import balance, comparisons, power, winners
from campaigns.experiments.distributions import (
    beta_below,
    binomial_p,
    chi_square_above,
    student,
)
from campaigns.experiments.winners import Arm


@pytest.mark.parametrize("degrees", [1, 2, 3.7, 12, 199, 201, 5_000])
def test_the_width_for_few_people_is_students(degrees):
    assert math.isclose(student(degrees=degrees), stats.t.ppf(0.975, degrees), rel_tol=1e-6)


@given(st.floats(0.001, 0.999), st.floats(0.5, 2_000), st.floats(0.5, 2_000))
def test_the_incomplete_beta_agrees_with_the_library(x, a, b):
    assert math.isclose(beta_below(x, a, b), stats.beta.cdf(x, a, b), abs_tol=1e-9)


@given(st.floats(0, 200), st.integers(1, 40))
def test_the_chi_square_agrees_with_the_library(x, degrees):
    assert math.isclose(chi_square_above(x, degrees), stats.chi2.sf(x, degrees), abs_tol=1e-9)


@given(st.integers(1, 3_000), st.floats(0.05, 0.95), st.data())
def test_the_binomial_is_exact(n, share, data):
    k = data.draw(st.integers(0, n))
    tail = min(stats.binom.cdf(k, n, share), stats.binom.sf(k - 1, n, share))
    assert math.isclose(binomial_p(successes=k, n=n, share=share), min(1, 2 * tail), abs_tol=1e-8)


def test_sides_that_came_out_as_drawn_raise_no_alarm_and_lost_people_do():
    assert not balance.check(counts=[90_050, 9_950], shares=[0.9, 0.1]).alarm
    lost = balance.check(counts=[90_000, 9_600], shares=[0.9, 0.1])
    assert lost.alarm
    assert lost.expected == (89_640, 9_960)
    assert balance.check(counts=[300, 300, 420], shares=[1, 1, 1]).alarm
    assert not balance.check(counts=[330, 345, 345], shares=[1, 1, 1]).alarm


def test_the_alarm_of_a_million_people_is_as_exact():
    found = balance.check(counts=[899_000, 101_000], shares=[0.9, 0.1])
    assert math.isclose(found.p, 2 * stats.binom.cdf(899_000, 1_000_000, 0.9), rel_tol=1e-6)


def test_an_empty_trial_raises_no_alarm():
    assert balance.check(counts=[0, 0], shares=[1, 1]).p == 1
    with pytest.raises(ValueError, match="share above zero"):
        balance.check(counts=[1, 2], shares=[1, 0])


def test_twenty_answers_are_judged_together():
    # The example of Benjamini and Hochberg's own paper, section 3.2.
    seen = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240,
            0.4262, 0.5719, 0.6528, 0.7590, 1.0]  # fmt: skip
    assert sum(q <= 0.05 for q in comparisons.benjamini_hochberg(seen)) == 4
    assert sum(p <= 0.05 for p in comparisons.holm(seen)) == 3


@given(st.lists(st.floats(0, 1), max_size=30))
def test_a_chance_only_grows_when_others_are_looked_at_too(chances):
    for adjusted in (comparisons.holm(chances), comparisons.benjamini_hochberg(chances)):
        assert all(q >= p - 1e-12 for p, q in zip(chances, adjusted, strict=True))
        assert all(q <= 1 for q in adjusted)


def test_the_smallest_effect_is_found_four_times_in_five():
    effect = power.smallest(treated=9_000, control=1_000, variance=0.05 * 0.95)
    assert effect is not None
    error = math.sqrt(0.05 * 0.95 * (1 / 9_000 + 1 / 1_000))
    assert math.isclose(stats.norm.sf(1.959964 - effect / error), 0.8, abs_tol=1e-3)
    need = power.people(effect=effect, variance=0.05 * 0.95, held=0.1)
    assert need in (10_000, 10_001)
    share = power.holdout_percent(people=10_000, effect=effect, variance=0.05 * 0.95)
    assert share is not None
    assert round(share, 6) == 10
    assert power.holdout_percent(people=100, effect=0.01, variance=0.05) is None
    assert power.smallest(treated=10, control=0, variance=1) is None


def test_the_chance_to_win_is_the_one_that_draws_would_find():
    found = winners.by_share([Arm(1_000, 30), Arm(1_000, 42), Arm(1_000, 39)])
    posts = [stats.beta(31, 971), stats.beta(43, 959), stats.beta(40, 962)]
    draws = [post.rvs(200_000, random_state=i) for i, post in enumerate(posts)]
    best = [sum(1 for row in zip(*draws, strict=True) if max(row) == row[i]) for i in range(3)]
    assert all(abs(p - n / 200_000) < 0.005 for p, n in zip(found, best, strict=True))
    assert math.isclose(sum(found), 1)


def test_two_equal_variants_share_the_chance_however_many_people_saw_them():
    for n in (0, 10, 100_000, 3_000_000):
        assert all(
            abs(p - 0.5) < 1e-9 for p in winners.by_share([Arm(n, n // 20), Arm(n, n // 20)])
        )
    assert winners.by_share([Arm(5, 1)]) == [1.0]


def test_means_with_errors_win_as_normals_do():
    found = winners.by_mean([(1.0, 0.1), (1.2, 0.1)])
    assert math.isclose(found[1], stats.norm.cdf(0.2 / math.hypot(0.1, 0.1)), abs_tol=1e-3)

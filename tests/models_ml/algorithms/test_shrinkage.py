"""Figures of small groups against planted truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_ml.algorithms import shrinkage


def test_a_small_group_is_drawn_to_everybody_and_a_large_one_stays() -> None:
    yes, people = np.array([3.0, 300.0, 50.0, 90.0]), np.array([3.0, 1000.0, 500.0, 600.0])
    found = shrinkage.rates(yes, people)
    assert found.value[0] < 0.6
    assert found.value[1] == pytest.approx(0.3, abs=0.01)
    assert found.drawn[0] > 0.8
    assert found.drawn[1] < 0.1
    assert found.high[0] - found.low[0] > 5 * (found.high[1] - found.low[1])


def test_rates_drawn_to_everybody_are_nearer_the_truth_and_their_intervals_hold() -> None:
    rng = np.random.default_rng(2)
    truth = rng.beta(4, 36, 400)
    people = rng.integers(1, 120, 400).astype(float)
    yes = rng.binomial(people.astype(int), truth).astype(float)
    found = shrinkage.rates(yes, people)
    assert np.mean((found.value - truth) ** 2) < 0.5 * np.mean((yes / people - truth) ** 2)
    assert 0.92 <= np.mean((found.low <= truth) & (truth <= found.high)) <= 0.98
    assert found.weight == pytest.approx(40, rel=0.5)


def test_means_drawn_to_everybody_are_nearer_the_truth_and_their_intervals_hold() -> None:
    rng = np.random.default_rng(3)
    truth = rng.normal(50, 5, 300)
    people = rng.integers(1, 60, 300)
    drawn = [rng.normal(m, 20, n) for m, n in zip(truth, people, strict=True)]
    mean = np.array([d.mean() for d in drawn])
    spread = np.array([d.std(ddof=1) if len(d) > 1 else np.nan for d in drawn])
    found = shrinkage.means(mean, spread, people.astype(float))
    assert np.mean((found.value - truth) ** 2) < 0.5 * np.mean((mean - truth) ** 2)
    assert 0.91 <= np.mean((found.low <= truth) & (truth <= found.high)) <= 0.985
    assert found.weight == pytest.approx(16, rel=0.5)


def test_nobody_at_all_still_has_a_rate_with_a_wide_interval() -> None:
    found = shrinkage.rates(np.zeros(1), np.zeros(1))
    assert found.value[0] == 0.5
    assert found.high[0] - found.low[0] > 0.9


def test_an_empty_group_gets_everybodys_mean() -> None:
    found = shrinkage.means(
        np.array([10.0, np.nan]), np.array([2.0, np.nan]), np.array([50.0, 0.0])
    )
    assert found.value.tolist() == pytest.approx([10.0, 10.0])
    assert found.high[1] - found.low[1] > found.high[0] - found.low[0]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 500)), min_size=1, max_size=20))
def test_any_groups_have_rates_within_intervals_within_0_and_1(
    rows: list[tuple[int, int]],
) -> None:
    yes = np.array([float(min(k, n)) for k, n in rows])
    people = np.array([float(n) for _, n in rows])
    found = shrinkage.rates(yes, people)
    assert (found.low <= found.value + 1e-12).all()
    assert (found.value <= found.high + 1e-12).all()
    assert (found.low >= 0).all()
    assert (found.high <= 1).all()


def test_more_yes_than_people_is_refused() -> None:
    with pytest.raises(ValueError, match="none and all"):
        shrinkage.rates(np.array([3.0]), np.array([2.0]))

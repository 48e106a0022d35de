"""Figures and intervals of a contest."""

import numpy as np
import pytest

from models_ml.algorithms import classify
from models_ml.algorithms.tabular import judging
from models_ml.algorithms.tabular.judging import Profit


def drawn(n, seed):
    rng = np.random.default_rng(seed)
    good, poor = rng.normal(size=n), rng.normal(size=n)
    label = rng.random(n) < 1 / (1 + np.exp(-good - 0.5 * poor))
    return label, good, poor


def test_the_gain_is_the_difference_of_the_two_areas():
    label, good, poor = drawn(500, 1)
    found = judging.gain(label, good, poor, np.arange(500), "chance")
    assert found.value == pytest.approx(classify.auc(label, good) - classify.auc(label, poor))
    assert found.low < found.value < found.high


def test_the_interval_of_a_gain_is_that_of_the_bootstrap():
    label, good, poor = drawn(800, 2)
    ours = judging.gain(label, good, poor, np.arange(800), "chance")
    drawn_again = classify.auc_gain(label, good, poor, seed=1, draws=1000)
    assert ours.low == pytest.approx(drawn_again.low, abs=0.01)
    assert ours.high == pytest.approx(drawn_again.high, abs=0.01)


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    truth = judging.gain(*drawn(200_000, 0), np.arange(200_000), "chance").value
    inside = 0
    for seed in range(200):
        found = judging.gain(*drawn(300, seed + 1), np.arange(300), "chance")
        inside += found.low <= truth <= found.high
    assert 182 <= inside <= 198


def test_rows_of_one_person_do_not_count_as_several_people():
    label, good, poor = drawn(300, 3)
    once = judging.gain(label, good, poor, np.arange(300), "chance")
    four = [np.tile(part, 4) for part in (label, good, poor, np.arange(300))]
    found = judging.gain(*four, "chance")
    assert found.value == pytest.approx(once.value)
    assert found.high - found.low == pytest.approx(once.high - once.low, rel=1e-6)


def test_an_amount_gains_what_it_saves_of_the_error():
    rng = np.random.default_rng(4)
    y = rng.normal(100, 20, 400)
    found = judging.gain(
        y, y + rng.normal(0, 5, 400), np.full(400, 100.0), np.arange(400), "amount"
    )
    assert 12 < found.low < found.value < found.high < 18


def test_chances_that_are_true_have_little_error_and_halved_ones_half_the_rate():
    rng = np.random.default_rng(5)
    chance = rng.uniform(0, 1, 20_000)
    label = rng.random(20_000) < chance
    assert judging.calibration_error(label, chance) < 0.01
    assert judging.calibration_error(label, chance / 2) == pytest.approx(0.25, abs=0.01)


def test_profit_is_counted_on_what_really_happened():
    chance = np.array([0.9, 0.6, 0.3, 0.1])
    label = np.array([True, False, True, False])
    found = judging.threshold(label, chance, Profit(worth=10, cost=5))
    assert found["chance"] == 0.5
    assert found["people"] == 2
    assert found["expected"] == 5.0
    assert found["seen"] == 0.0
    assert found["everyone"] == 0.0


def test_reaching_nobody_is_right_when_a_contact_costs_more_than_a_yes_is_worth():
    found = judging.threshold(np.array([True, False]), np.array([0.9, 0.2]), Profit(1, 5))
    assert found["people"] == 0
    assert found["seen"] == 0
    assert judging.threshold(np.array([True]), np.array([0.9]), Profit(0, 0))["people"] == 0

"""Figures of yes/no predictions against hand-worked values, and intervals against simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_ml.algorithms import classify


def bools(text: str) -> np.ndarray:
    return np.array([c == "1" for c in text])


def test_auc_counts_pairs_and_ties_as_halves() -> None:
    assert classify.auc(bools("1100"), np.array([4.0, 2.0, 3.0, 1.0])) == 0.75
    assert classify.auc(bools("10"), np.array([1.0, 1.0])) == 0.5
    assert math.isnan(classify.auc(bools("11"), np.array([1.0, 2.0])))


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=2, max_size=30).filter(
        lambda rows: len({label for label, _ in rows}) == 2
    )
)
def test_auc_is_the_share_of_pairs_ranked_right(rows: list[tuple[bool, int]]) -> None:
    label, score = np.array([r[0] for r in rows]), np.array([r[1] for r in rows], dtype=float)
    pairs = [(y > n) + (y == n) / 2 for y in score[label] for n in score[~label]]
    assert classify.auc(label, score) == pytest.approx(np.mean(pairs))


def test_wilson_of_nobody_of_everyone_and_of_half() -> None:
    half = classify.wilson(50, 100)
    assert (round(half.low, 4), half.value, round(half.high, 4)) == (0.4038, 0.5, 0.5962)
    none = classify.wilson(0, 10)
    assert (none.low, none.value, round(none.high, 4)) == (0.0, 0.0, 0.2775)
    assert (classify.wilson(0, 0).low, classify.wilson(0, 0).high) == (0.0, 1.0)


def test_lift_interval_holds_the_true_lift_about_95_times_in_a_hundred() -> None:
    rng = np.random.default_rng(1)
    group, everyone, p, q = 120, 600, 0.6, 0.3
    truth = p / ((group * p + (everyone - group) * q) / everyone)
    held = 0
    for _ in range(2000):
        yes = rng.binomial(group, p)
        rest = rng.binomial(everyone - group, q)
        found = classify.lift(int(yes), group, int(yes + rest), everyone)
        held += found.low <= truth <= found.high
    assert 0.93 <= held / 2000 <= 0.97


def test_lift_of_a_group_without_a_yes_has_an_open_low_end() -> None:
    found = classify.lift(0, 50, 100, 500)
    assert (found.value, found.low) == (0.0, 0.0)
    assert 0 < found.high < 1
    assert classify.lift(100, 500, 100, 500) == classify.Interval(1.0, 1.0, 1.0)


def test_log_loss_and_brier_by_hand() -> None:
    label, chance = bools("10"), np.array([0.8, 0.4])
    assert classify.log_loss(label, chance) == pytest.approx(-(math.log(0.8) + math.log(0.6)) / 2)
    assert classify.brier(label, chance) == pytest.approx((0.04 + 0.16) / 2)


def test_the_lift_chart_shares_ties_out_evenly_and_ends_at_everyone() -> None:
    found = classify.gains(bools("1010"), np.ones(4), points=4)
    assert [p["found"] for p in found] == [0.0, 0.25, 0.5, 0.75, 1.0]
    sharp = classify.gains(bools("1100"), np.array([4.0, 3.0, 2.0, 1.0]), points=4)
    assert [p["found"] for p in sharp] == [0.0, 0.5, 1.0, 1.0, 1.0]


def test_equal_chances_stay_in_one_calibration_bin() -> None:
    chance = np.array([0.2] * 50 + [0.7] * 50)
    label = np.array([True] * 10 + [False] * 40 + [True] * 35 + [False] * 15)
    rows = classify.calibration(label, chance)
    assert [(r["said"], r["seen"], r["people"]) for r in rows] == [(0.2, 0.2, 50), (0.7, 0.7, 50)]


def test_a_ranking_beats_a_coin_beyond_chance_and_itself_by_nothing() -> None:
    rng = np.random.default_rng(0)
    label = rng.random(800) < 0.4
    good = label + rng.normal(0, 1, 800)
    gain = classify.auc_gain(label, good, rng.random(800), seed=1)
    assert gain.low > 0
    assert classify.auc_gain(label, good, good, seed=1).value == 0.0

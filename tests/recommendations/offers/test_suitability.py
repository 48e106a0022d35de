"""What is not known of somebody is a refusal, never a guess."""

import numpy as np
import pytest

from recommendations.offers.suitability import Rule, Texts, judge
from recommendations.offers.worth import expect, reckon

RULES = [
    Rule("at_least", 3, "risk_class"),
    Rule("at_least", 18, "age"),
    Rule("holds_not", ("FUND",)),
    Rule("one_of", ("GB", "IE"), "country"),
]


def test_each_person_is_left_out_by_the_first_rule_that_does_not_hold():
    found = judge(
        RULES,
        facts={
            "risk_class": Texts.of(["4", "2", None, "5", "3", "high"]),
            "age": Texts.of(["40", "40", "40", "", "40", "30"]),
            "country": Texts.of(["GB", "GB", "GB", "GB", "FR", "GB"]),
        },
        held={"FUND": np.zeros(6, dtype=bool)},
        people=6,
    )
    assert found.fits.tolist() == [True, False, False, False, False, False]
    assert found.by.tolist() == [-1, 0, 0, 1, 3, 0]
    assert found.unknown.tolist() == [False, False, True, True, False, True]


def test_who_holds_it_already_is_left_out():
    found = judge(RULES[2:3], facts={}, held={"FUND": np.array([True, False])}, people=2)
    assert found.fits.tolist() == [False, True]


def test_without_a_measured_effect_everybody_who_takes_it_costs_the_discount():
    found = reckon(
        chance=np.array([0.5, np.nan]), value=np.array([20.0, 20.0]),
        discount=np.array([4.0, 4.0]), contact=0.1, effect=None,
    )  # fmt: skip
    assert found.worth.tolist() == [0.5 * 20 - 0.5 * 4 - 0.1, -np.inf]
    assert found.cost.tolist() == [0.5 * 4 + 0.1, 0.0]


def test_with_one_nobody_who_buys_anyway_gets_the_discount():
    found = reckon(
        chance=np.array([0.9, 0.3, 0.2]), value=np.full(3, 20.0),
        discount=np.full(3, 4.0), contact=0.0, effect=np.array([0.05, 0.2, np.nan]),
    )  # fmt: skip
    assert found.anyway.tolist() == [True, False, False]
    assert found.worth[0] < 0 < found.worth[1]
    assert found.worth[1] == 0.2 * 20 - 0.3 * 4
    assert found.worth[2] == -np.inf


def test_the_sum_is_surer_the_more_people_share_it_and_never_surer_than_the_level():
    few = expect(chance=np.full(10, 0.5), gain=np.full(10, 10.0), fixed=0.0, level=(1.0, 1.0))
    many = expect(chance=np.full(1000, 0.5), gain=np.full(1000, 0.1), fixed=0.0, level=(1.0, 1.0))
    assert few.value == pytest.approx(many.value) == 50.0
    one = expect(chance=np.array([0.5]), gain=np.array([9.0]), fixed=0.5, level=(1.0, 1.0))
    assert (one.low, one.high) == (-0.5, 8.5)
    assert few.high - few.low > 5 * (many.high - many.low)
    off = expect(chance=np.full(1000, 0.5), gain=np.full(1000, 0.1), fixed=5.0, level=(0.8, 1.1))
    assert [round(off.value, 1), round(off.low, 1), round(off.high, 1)] == [45.0, 31.9, 53.1]

"""Two thousand campaigns whose truth is known: how often a report would be wrong about them."""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from campaigns.experiments import Lift, Sums, cuped, difference, means, sequential, simulated

CAMPAIGNS, PEOPLE, HELD = 2_000, 5_000, 0.1
AMOUNT, LATER = simulated.AMOUNT, simulated.LATER


@dataclass
class Wrong:
    """In what part of the campaigns the truth was outside, at the end and at any of the looks."""

    share: float
    money: float
    adjusted: float
    share_ever: float
    money_ever: float
    adjusted_ever: float


@cache
def _wrong(lift: float) -> Wrong:
    shop = simulated.shop(
        campaigns=CAMPAIGNS, people=PEOPLE, held=HELD, lift=lift, later=LATER, seed=11
    )
    ever = np.zeros((CAMPAIGNS, 3), dtype=bool)
    last = np.zeros((CAMPAIGNS, 3), dtype=bool)
    for campaign in range(CAMPAIGNS):
        treated, control = (int(n) for n in shop.n[campaign])
        both = shop.sums(campaign, 0, 0) + shop.sums(campaign, 0, 1)
        for day in range(simulated.DAYS):
            a, b = (int(n) for n in shop.converted[campaign, day])
            sides = shop.sums(campaign, day, 0), shop.sums(campaign, day, 1)
            share = difference(
                treated=treated, treated_converted=a, control=control, control_converted=b
            )
            money = means(treated=sides[0], control=sides[1])
            adjusted = cuped.adjust(treated=sides[0], control=sides[1])
            assert share is not None
            assert money is not None
            assert adjusted is not None
            true_share, true_money = simulated.truths(lift, day)
            of_money = sequential.planned_money(
                treated=treated, control=control, variance=both.variance_before, typical=40
            )
            of_share = sequential.planned_share(treated=treated, control=control, rate=0.09)
            rate = max(a / treated, b / control)
            always = (
                sequential.always(lift=share, planned=of_share, converted=rate),
                sequential.always(lift=money, planned=of_money),
                sequential.always(lift=adjusted.lift, planned=of_money),
            )
            truths = (true_share, true_money, true_money)
            ever[campaign] |= [_out(x, t) for x, t in zip(always, truths, strict=True)]
            fixed = (share, money, adjusted.lift)
            last[campaign] = [_out(x, t) for x, t in zip(fixed, truths, strict=True)]
    return Wrong(*last.mean(axis=0), *ever.mean(axis=0))


def _out(lift: Lift, truth: float) -> bool:
    return not lift.low <= truth <= lift.high


def test_where_a_mail_does_nothing_one_report_in_twenty_says_it_does():
    wrong = _wrong(0.0)
    assert 0.04 <= wrong.share <= 0.06
    assert 0.04 <= wrong.money <= 0.06
    assert 0.04 <= wrong.adjusted <= 0.06


def test_looking_every_day_raises_no_more_false_alarms_than_looking_once():
    wrong = _wrong(0.0)
    assert wrong.share_ever <= 0.05
    assert wrong.money_ever <= 0.05
    assert wrong.adjusted_ever <= 0.05


def test_a_planted_lift_lies_inside_the_interval_as_often_as_it_says():
    wrong = _wrong(0.2)
    assert 0.93 <= 1 - wrong.share <= 0.97
    assert 0.93 <= 1 - wrong.money <= 0.97
    assert 0.93 <= 1 - wrong.adjusted <= 0.97


def test_a_planted_lift_is_never_lost_on_any_day_in_at_least_95_of_a_hundred():
    wrong = _wrong(0.2)
    assert wrong.share_ever <= 0.05
    assert wrong.money_ever <= 0.05
    assert wrong.adjusted_ever <= 0.05


def test_peeking_at_the_plain_interval_is_what_the_other_one_guards_against():
    """The plain interval looked at daily is wrong far more often: the guard is needed."""
    shop = simulated.shop(campaigns=1_000, people=5_000, held=0.3, later=LATER, seed=3)
    fooled = 0
    for campaign in range(1_000):
        for day in range(simulated.DAYS):
            found = means(treated=shop.sums(campaign, day, 0), control=shop.sums(campaign, day, 1))
            if found is not None and found.proven:
                fooled += 1
                break
    assert fooled / 1_000 > 0.12


def test_what_people_spent_before_narrows_the_interval_as_theory_says():
    shop = simulated.shop(campaigns=400, people=3_000, held=0.5, earlier=2.0, later=2.0, seed=7)
    left = []
    for campaign in range(400):
        found = cuped.adjust(treated=shop.sums(campaign, 13, 0), control=shop.sums(campaign, 13, 1))
        assert found is not None
        left.append(found.left)
    # Spending is taste times chance: money before and after share the taste alone.
    mean, square = math.exp(3.5 + AMOUNT**2 / 2), math.exp(7 + 2 * AMOUNT**2)
    shared = 4 * mean**2
    rho = shared / (2 * square + shared)
    assert abs(np.mean(left) - (1 - rho**2)) < 0.01


def test_the_past_moves_no_answer():
    """On average the adjusted difference is the plain one."""
    shop = simulated.shop(
        campaigns=400, people=3_000, held=0.5, earlier=2.0, later=2.0, lift=0.1, seed=8
    )
    apart = []
    for campaign in range(400):
        sides = shop.sums(campaign, 13, 0), shop.sums(campaign, 13, 1)
        plain = means(treated=sides[0], control=sides[1])
        adjusted = cuped.adjust(treated=sides[0], control=sides[1])
        assert plain is not None
        assert adjusted is not None
        apart.append(adjusted.lift.difference - 0.2 * math.exp(3.5 + AMOUNT**2 / 2))
    assert abs(np.mean(apart)) < 4 * np.std(apart) / math.sqrt(len(apart))


def test_sums_add_up_like_the_people_they_came_from():
    draw = np.random.default_rng(2)
    x, y = draw.gamma(1, 30, 500), draw.gamma(1, 20, 500)

    def of(rows: slice) -> Sums:
        a, b = x[rows], y[rows]
        return Sums(
            len(a), a.sum(), (a**2).sum(), b.sum(), (b**2).sum(), (a * b).sum(), (a**3).sum()
        )

    whole = of(slice(0, 200)) + of(slice(200, 500))
    assert math.isclose(whole.mean, x.mean())
    assert math.isclose(whole.variance, x.var(ddof=1))
    assert math.isclose(whole.variance_before, y.var(ddof=1))
    assert math.isclose(whole.covariance, np.cov(x, y)[0, 1])
    assert math.isclose(whole.third, ((x - x.mean()) ** 3).mean())

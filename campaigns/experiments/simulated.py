"""Thousands of campaigns whose truth is known, as the sums that a database would give each day.

People differ in how much they buy, before and after alike, so the past tells of the future. Only
orders are drawn, never people who buy nothing.
"""

import math
from dataclasses import dataclass

import numpy as np

from campaigns.experiments.effects import Sums

DAYS = 14
EARLIER, LATER, AMOUNT = 0.10, 0.06, 0.6


@dataclass(frozen=True)
class Shop:
    """Per campaign, day and side: [campaign, day, side (0 treated, 1 control)]."""

    n: np.ndarray  # [campaign, side]
    converted: np.ndarray
    money: np.ndarray
    money_squares: np.ndarray
    cross: np.ndarray  # money after times money before
    before: np.ndarray  # [campaign, side]
    before_squares: np.ndarray
    money_cubes: np.ndarray

    def sums(self, campaign: int, day: int, side: int) -> Sums:
        """Money after a day's end, with money before."""
        return Sums(
            int(self.n[campaign, side]),
            float(self.money[campaign, day, side]),
            float(self.money_squares[campaign, day, side]),
            float(self.before[campaign, side]),
            float(self.before_squares[campaign, side]),
            float(self.cross[campaign, day, side]),
            float(self.money_cubes[campaign, day, side]),
        )


def shop(
    *, campaigns: int, people: int, held: float, lift: float = 0.0, seed: int = 1,
    regulars: float = 1.0, amount: float = AMOUNT,
    earlier: float = EARLIER, later: float = LATER,
) -> Shop:  # fmt: skip
    """`lift` is the part by which treated people order more often; `regulars` how unlike people are
    (shape of their gamma); `amount` the spread of an order's logarithm; `earlier`, `later` orders
    a head in the days before and after.
    """
    draw = np.random.default_rng(seed)
    total = campaigns * people
    side = (draw.random(total) < held).astype(np.int8)
    taste = draw.gamma(regulars, 1 / regulars, total)
    cell = (np.arange(total) // people) * 2 + side
    n = np.bincount(cell, minlength=campaigns * 2).reshape(campaigns, 2)

    orders = draw.poisson(taste * earlier)
    owner = np.repeat(np.arange(total), orders)
    spent = draw.lognormal(3.5, amount, len(owner))
    past = np.bincount(owner, spent, minlength=total)
    before = np.bincount(cell, past, minlength=campaigns * 2).reshape(campaigns, 2)
    squares = np.bincount(cell, past**2, minlength=campaigns * 2).reshape(campaigns, 2)

    orders = draw.poisson(taste * later * np.where(side == 0, 1 + lift, 1.0))
    owner = np.repeat(np.arange(total), orders)
    day = draw.integers(0, DAYS, len(owner))
    order = np.lexsort((day, owner))
    owner, day = owner[order], day[order]
    spent = draw.lognormal(3.5, amount, len(owner))
    running = np.cumsum(spent)
    first = np.r_[True, owner[1:] != owner[:-1]]
    start = np.maximum.accumulate(np.where(first, np.r_[0.0, running[:-1]], 0.0))
    had = np.r_[0.0, running[:-1]] - start

    def cumulated(weights: np.ndarray) -> np.ndarray:
        place = ((owner // people) * DAYS + day) * 2 + side[owner]
        found = np.bincount(place, weights, minlength=campaigns * DAYS * 2)
        return found.reshape(campaigns, DAYS, 2).cumsum(axis=1)

    return Shop(
        n, cumulated(first.astype(float)).astype(int), cumulated(spent),
        cumulated(spent * (2 * had + spent)), cumulated(spent * past[owner]), before, squares,
        cumulated((had + spent) ** 3 - had**3),
    )  # fmt: skip


def truths(lift: float, day: int) -> tuple[float, float]:
    """The true differences at a day's end, of a shop as unlike as exponentials and at these rates:
    of those who ordered, and of money a head.
    """
    passed = LATER * (day + 1) / DAYS
    share = 1 / (1 + passed) - 1 / (1 + passed * (1 + lift))
    return share, passed * lift * math.exp(3.5 + AMOUNT**2 / 2)

"""What somebody is worth: the sum over periods t of M_t / (1 + d)^t."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from models_ml.algorithms.lifetime.spend import GammaGamma
from models_ml.algorithms.lifetime.summary import Floats, Summary


def discounted(money: Floats, rate: float) -> Floats:
    """The sum over t of M_t / (1 + rate)^t for M (n, periods), the first period being t = 1.

    `rate` is the discount of one period.
    """
    if rate <= -1:
        raise ValueError("a discount of one period is above -1")
    t = np.arange(1, money.shape[1] + 1)
    return np.asarray(money @ (1.0 + rate) ** -t)


class Expecting(Protocol):
    """A model of buying, or a forecast made of some."""

    def expected_at(self, data: Summary, times: Sequence[float]) -> Floats: ...


def per_period(buying: Expecting, data: Summary, *, periods: int, length: float) -> Floats:
    """Expected purchases of each person in each of the next periods (n, periods)."""
    until = buying.expected_at(data, [(t + 1) * length for t in range(periods)])
    return np.diff(until, axis=1, prepend=0.0)


def lifetime_value(
    buying: Expecting,
    spend: GammaGamma,
    data: Summary,
    *,
    periods: int = 12,
    length: float = 365.25 / 12 / 7,
    rate: float = 0.01,
    margin: float = 1.0,
) -> Floats:
    """CLV of each person over `periods` of `length` (a month of weeks), discounted by `rate` each.

    `margin` is the part of the takings that is earned.
    """
    bought = per_period(buying, data, periods=periods, length=length)
    return discounted(bought * (margin * spend.mean(data))[:, None], rate)

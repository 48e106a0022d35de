"""Clicks that may still come: what impressions of the past hours and days can cost a day at most.

An impression keeps its price for an hour. After that its click is only likely or not, by what was
measured of earlier clicks: of the delays that had all their time, each stands for the impressions
whose click would fall into what is left of the day, had it this delay. Those numbers lie between
nothing and a known most, so that their true mean has an upper bound for any distribution there is
(Hoeffding, Journal of the American Statistical Association 58, 1963, theorem 1, in its form with
the Kullback-Leibler divergence). Pure.
"""

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

# A click later than a week is not reckoned with.
HOURS = 168
# Until so many clicks were measured, as many that came at once are taken for granted.
LEAST = 200
# The bound on what is still to come is wrong so seldom.
DOUBT = 0.01


class Shown(NamedTuple):
    """Impressions of one hour: how many hours ago it began, how many, whether it was today."""

    ago: float
    n: float
    today: bool


def highest_mean(mean: float, n: float, *, doubt: float = DOUBT) -> float:
    """The highest true mean of numbers between 0 and 1, where n of them have this mean.

    With k of n it is wrong no more often than `doubt`; with none of n it is that of Clopper and
    Pearson.
    """
    if n <= 0 or mean >= 1:
        return 1.0
    most, low, high = math.log(1 / doubt) / n, mean, 1.0
    for _halving in range(50):
        middle = (low + high) / 2
        if _divergence(mean, middle) > most:
            high = middle
        else:
            low = middle
    return high


def _divergence(seen: float, true: float) -> float:
    if true >= 1:
        return math.inf
    came = seen * math.log(seen / true) if seen > 0 else 0.0
    return came + (1 - seen) * math.log((1 - seen) / (1 - true))


def open_ones(*, shown: Sequence[Shown], waits: Sequence[float], rest: float) -> float:
    """As many impressions as all these are worth that have their click still to come today.

    `waits` are clicks by the whole hours they took, HOURS numbers; `rest` the hours the day still
    has. Today's impressions of less than an hour ago are not counted: their price is kept.
    """
    rows = [one for one in shown if one.n > 0 and (one.ago >= 1 or not one.today)]
    if not rows or rest <= 0:
        return 0.0
    steps = [0.0] * (HOURS + 1)
    for one in rows:
        # All of an hour's impressions count where any of them may be clicked in what is left.
        first = max(math.floor(one.ago - 2) + 1, 1 if one.today else 0)
        after = min(math.ceil(one.ago + rest), HOURS)
        if first < after:
            steps[first] += one.n
            steps[after] -= one.n
    each = list(accumulate(steps))[:HOURS]
    most = max(each)
    enough = max(float(sum(waits)), float(LEAST))
    if most <= 0:
        return 0.0
    mean = min(sum(n * wait for n, wait in zip(each, waits, strict=True)) / most / enough, 1.0)
    return most * highest_mean(mean, enough)

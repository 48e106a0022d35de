"""Clicks that we may still be told of: what impressions of past hours and days can cost a day.

An impression keeps its price for an hour. After that its click is only likely or not, by what was
measured of earlier clicks. Each of those has two delays: until it happened, and until we were told.
Of those that had all their time, each stands for the impressions whose click would have happened
today by the day's end, and of which we would not have been told yet, had it these delays. Those
numbers lie between nothing and a known most, so that their true mean has an upper bound for any
distribution there is (Hoeffding, Journal of the American Statistical Association 58, 1963, theorem
1, in its form with the Kullback-Leibler divergence). Pure.
"""

import math
from collections.abc import Mapping, Sequence
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


class _Span(NamedTuple):
    """Which clicks of an hour's impressions are still to be told of and are today's: those told
    from so many whole hours on, and happened between these.
    """

    told: int
    first: int
    after: int
    n: float


def _span(one: Shown, gone: float, rest: float) -> _Span:
    """All of an hour's impressions count where the click of any of them would."""
    told = math.floor(one.ago - 2) + 1
    first = 0 if one.today else max(math.floor(one.ago - 2 - gone) + 1, 0)
    return _Span(
        max(told, 1 if one.today else 0), first, min(math.ceil(one.ago + rest), HOURS), one.n
    )


def open_ones(
    *, shown: Sequence[Shown], waits: Mapping[tuple[int, int], float], gone: float, rest: float
) -> float:
    """As many impressions as all these are worth whose click is today's and not told of yet.

    `waits` are clicks by the whole hours until they happened, fewer than HOURS, and until they were
    told of; `gone` and `rest` the hours that the day has had and still has. Today's impressions of
    less than an hour ago are not counted: their price is kept.
    """
    rows = [one for one in shown if one.n > 0 and (one.ago >= 1 or not one.today)]
    if not rows or rest <= 0:
        return 0.0
    spans = sorted(span for one in rows if (span := _span(one, gone, rest)).first < span.after)
    steps = [0.0] * (HOURS + 1)
    place, counted = 0, 0.0
    each, last = steps, -1
    for (happened, told), n in sorted(waits.items(), key=lambda pair: pair[0][1]):
        if told > last:
            last = told
            while place < len(spans) and spans[place].told <= told:
                _add(steps, spans[place])
                place += 1
            each = list(accumulate(steps))
        counted += n * each[happened]
    for span in spans[place:]:
        _add(steps, span)
    most = max(accumulate(steps))
    if most <= 0:
        return 0.0
    enough = max(float(sum(waits.values())), float(LEAST))
    return most * highest_mean(min(counted / most / enough, 1.0), enough)


def _add(steps: list[float], span: _Span) -> None:
    steps[span.first] += span.n
    steps[span.after] -= span.n

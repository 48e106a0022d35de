"""How long answers take, told from those that came, and how many tries can have answered by now.

An answer is only seen once it came, so long delays are missing among recent tries. The product
limit for such a cut on the right (Lynden-Bell, Monthly Notices of the RAS 155, 1971; Woodroofe,
Annals of Statistics 13, 1985) puts that right without waiting for the slowest. Pure.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate


@dataclass(frozen=True)
class Delays:
    """The share of answers that has come by each age, in hours; a step after each of `at`."""

    at: Sequence[float] = ()
    by: Sequence[float] = ()

    def share(self, age: float) -> float:
        """Of the answers a try will ever get, the share that has come when it is so old."""
        if not self.at:
            return 1.0
        place = bisect_right(self.at, age)
        return self.by[place - 1] if place else 0.0


def learn(seen: Iterable[tuple[float, float, float]]) -> Delays:
    """From (delay, age of the try now, how many) of answers that came, both in hours.

    Nothing can be told of delays longer than the oldest try, so what is told is told up to there.
    """
    rows = sorted((delay, max(age, delay), n) for delay, age, n in seen if n > 0 and delay >= 0)
    if not rows:
        return Delays()
    steps: list[tuple[float, float]] = []
    for delay, _age, n in rows:
        if steps and steps[-1][0] == delay:
            steps[-1] = (delay, steps[-1][1] + n)
        else:
            steps.append((delay, n))
    # Those at risk at a delay: it came no later, and could have come as late as this.
    delays = [row[0] for row in rows]
    ages = sorted((age, n) for _delay, age, n in rows)
    came_before = list(accumulate((n for _d, _a, n in rows), initial=0.0))
    too_young = list(accumulate((n for _a, n in ages), initial=0.0))
    age_values = [age for age, _n in ages]
    share, by = 1.0, [1.0]
    for delay, n in reversed(steps[1:]):
        came = came_before[bisect_right(delays, delay)]
        # Whoever is younger than this delay cannot have had it; all of them came before it.
        young = too_young[bisect_left(age_values, delay)]
        at_risk = max(came - young, n)
        share *= 1 - n / at_risk
        by.append(share)
    return Delays([delay for delay, _n in steps], by[::-1])


def ripe(tries: Iterable[tuple[float, float]], delays: Delays) -> float:
    """How many tries these are worth that have had all their time, from (age, how many)."""
    return sum(n * delays.share(age) for age, n in tries)

"""The chance that each variant is the best one, given what came so far.

Exact integrals rather than draws, so that a page shows the same number twice and a share of the
audience that follows it is known to the last digit.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from campaigns.experiments.distributions import NORMAL, beta_below

_STEPS = 400
_MANY = 400


@dataclass(frozen=True)
class Arm:
    """One variant: how many got it and how many of them did what was wanted."""

    n: int
    converted: int


def by_share(arms: Sequence[Arm], *, prior: tuple[float, float] = (1.0, 1.0)) -> list[float]:
    """The chance of each to have the highest true share, all being Beta after a flat prior."""
    posts = [(prior[0] + arm.converted, prior[1] + arm.n - arm.converted) for arm in arms]
    spans = [(a / (a + b), math.sqrt(a * b / ((a + b) ** 2 * (a + b + 1)))) for a, b in posts]
    if min(min(post) for post in posts) > _MANY:
        return by_mean(spans)  # by now a Beta is a normal to every digit that is shown

    def below(i: int) -> Callable[[float], float]:
        return lambda x: beta_below(x, *posts[i])

    low = max(0.0, min(mean - 8 * spread for mean, spread in spans))
    high = min(1.0, max(mean + 8 * spread for mean, spread in spans))
    return _best([below(i) for i in range(len(posts))], low, high)


def by_mean(arms: Sequence[tuple[float, float]]) -> list[float]:
    """The same for means with their standard errors, as pairs."""
    spread = max(error for _mean, error in arms) or 1e-12

    def below(mean: float, error: float) -> Callable[[float], float]:
        return lambda x: NORMAL.cdf((x - mean) / max(error, spread * 1e-3))

    low = min(mean - 8 * error for mean, error in arms) - spread
    high = max(mean + 8 * error for mean, error in arms) + spread
    return _best([below(*arm) for arm in arms], low, high)


def _best(below: Sequence[Callable[[float], float]], low: float, high: float) -> list[float]:
    """P(each is the largest): the integral of its density times that all others lie below.

    The two halves of each step see the others at the step's middle, so the sum over all is one up
    to the rounding that the last line takes out.
    """
    if len(below) == 1:
        return [1.0]
    found = [0.0] * len(below)
    width = (high - low) / _STEPS
    last = [each(low) for each in below]
    for step in range(_STEPS):
        here = [each(low + (step + 1) * width) for each in below]
        middle = [(a + b) / 2 for a, b in zip(last, here, strict=True)]
        for i in range(len(below)):
            others = math.prod(value for j, value in enumerate(middle) if j != i)
            found[i] += (here[i] - last[i]) * others
        last = here
    total = sum(found)
    return [value / total for value in found] if total > 0 else [1 / len(below)] * len(below)

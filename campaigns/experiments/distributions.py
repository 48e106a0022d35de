"""The few distributions that pages need, without loading a numeric library into the web process."""

import math
from statistics import NormalDist

NORMAL = NormalDist()
_TINY = 1e-300


def student(*, degrees: float, level: float = 0.95) -> float:
    """How many standard errors a two-sided interval spans, with so many degrees of freedom.

    Exact for one and two, by bisection on the distribution for others below 200; beyond that the
    first terms of Cornish and Fisher's expansion are exact to six digits.
    """
    if degrees <= 0:
        return math.inf
    z = NORMAL.inv_cdf(0.5 + level / 2)
    if degrees >= 200:
        return z + (z**3 + z) / (4 * degrees) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
    low, high = z, 1.0 + z
    while _beyond(high, degrees) > 1 - level:
        high *= 2
    for _round in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _beyond(middle, degrees) > 1 - level else (low, middle)
    return high


def _beyond(t: float, degrees: float) -> float:
    return beta_below(degrees / (degrees + t * t), degrees / 2, 0.5)


def beta_below(x: float, a: float, b: float) -> float:
    """The chance that a Beta(a, b) variable is at most x: the regularised incomplete beta."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    if x < (a + 1) / (a + b + 2):
        return front * _continued(x, a, b) / a
    return 1 - front * _continued(1 - x, b, a) / b


def _continued(x: float, a: float, b: float) -> float:
    """Lentz's way through the continued fraction of the incomplete beta function."""
    c, d = 1.0, 1 / _away(1 - (a + b) * x / (a + 1))
    found = d
    for m in range(1, 20_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d, c = 1 / _away(1 + even * d), _away(1 + even / c)
        found *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d, c = 1 / _away(1 + odd * d), _away(1 + odd / c)
        found *= d * c
        if abs(d * c - 1) < 1e-14:
            break
    return found


def _away(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def binomial_p(*, successes: int, n: int, share: float) -> float:
    """Exact two-sided p: twice the smaller tail, at most one."""
    below = beta_below(1 - share, n - successes, successes + 1) if successes < n else 1.0
    above = beta_below(share, successes, n - successes + 1) if successes > 0 else 1.0
    return min(1.0, 2 * min(below, above))


def chi_square_above(x: float, degrees: int) -> float:
    """The chance that a chi-square variable exceeds x: the upper incomplete gamma function."""
    a, x = degrees / 2, x / 2
    if x <= 0:
        return 1.0
    front = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1:
        term = total = 1 / a
        n = a
        while abs(term) > abs(total) * 1e-15:
            n += 1
            term *= x / n
            total += term
        return max(0.0, 1 - front * total)
    b = x + 1 - a
    c, d = 1 / _TINY, 1 / b
    found = d
    for i in range(1, 10_000):
        step = -i * (i - a)
        b += 2
        d, c = 1 / _away(step * d + b), _away(b + step / c)
        found *= d * c
        if abs(d * c - 1) < 1e-14:
            break
    return front * found

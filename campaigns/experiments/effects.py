"""The difference between two sides with its interval, from sums alone.

Sums are all that is needed: the database adds up a million people once, and every figure of a
report comes from a handful of numbers.
"""

import math
from dataclasses import dataclass

from campaigns.experiments.distributions import NORMAL, student

Z95 = 1.959963984540054


@dataclass(frozen=True)
class Sums:
    """One side: how many people, and sums over them of x (what came) and y (known before).

    `xxx`, the sum of cubes, tells how lopsided x is; leave it zero where x is not money.
    """

    n: int = 0
    x: float = 0.0
    xx: float = 0.0
    y: float = 0.0
    yy: float = 0.0
    xy: float = 0.0
    xxx: float = 0.0

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            self.n + other.n,
            self.x + other.x,
            self.xx + other.xx,
            self.y + other.y,
            self.yy + other.yy,
            self.xy + other.xy,
            self.xxx + other.xxx,
        )

    @property
    def mean(self) -> float:
        return self.x / self.n if self.n else 0.0

    @property
    def mean_before(self) -> float:
        return self.y / self.n if self.n else 0.0

    @property
    def variance(self) -> float:
        """Of x, unbiased; zero for fewer than two people."""
        return self._spread(self.xx, self.x, self.x)

    @property
    def variance_before(self) -> float:
        return self._spread(self.yy, self.y, self.y)

    @property
    def covariance(self) -> float:
        return self._spread(self.xy, self.x, self.y)

    @property
    def third(self) -> float:
        """The third central moment of x; zero where cubes were not added up."""
        if not self.xxx or not self.n:
            return 0.0
        mean = self.mean
        return self.xxx / self.n - 3 * mean * self.xx / self.n + 2 * mean**3

    def _spread(self, product: float, one: float, other: float) -> float:
        if self.n < 2:
            return 0.0
        found = (product - one * other / self.n) / (self.n - 1)
        return max(found, 0.0) if one is other else found


@dataclass(frozen=True)
class Lift:
    """Treated minus control with its 95% interval; shares, or money a head."""

    treated: float
    control: float
    difference: float
    low: float
    high: float
    error: float = 0.0

    @property
    def proven(self) -> bool:
        """True when the interval leaves zero out."""
        return self.low > 0 or self.high < 0

    @property
    def relative(self) -> float | None:
        """The difference as a part of what the control did; None when they did nothing."""
        return self.difference / self.control if self.control else None

    @property
    def p(self) -> float:
        """Two-sided, of no difference; 1 when nothing varies."""
        if self.error <= 0:
            return 1.0
        return 2 * NORMAL.cdf(-abs(self.difference) / self.error)

    def times(self, factor: float) -> "Lift":
        """The same in another unit, such as for everybody instead of a head."""
        return Lift(
            self.treated * factor,
            self.control * factor,
            self.difference * factor,
            self.low * factor,
            self.high * factor,
            self.error * factor,
        )


def _wilson(successes: int, n: int, z: float) -> tuple[float, float]:
    rate = successes / n
    centre = rate + z * z / (2 * n)
    margin = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (centre - margin) / scale), min(1.0, (centre + margin) / scale)


def difference(
    *, treated: int, treated_converted: int, control: int, control_converted: int, z: float = Z95
) -> Lift | None:
    """Compare two shares; None when either side is empty.

    Interval: hybrid score, method 10 of Newcombe, "Interval estimation for the difference between
    independent proportions", Statistics in Medicine 17 (1998), which holds its level for the small
    rates and uneven groups of a hold-out.
    """
    if not 0 <= treated_converted <= treated or not 0 <= control_converted <= control:
        raise ValueError("conversions must lie between zero and the size of the group")
    if treated == 0 or control == 0:
        return None
    a, b = treated_converted / treated, control_converted / control
    a_low, a_high = _wilson(treated_converted, treated, z)
    b_low, b_high = _wilson(control_converted, control, z)
    both = (treated_converted + control_converted) / (treated + control)
    return Lift(
        treated=a,
        control=b,
        difference=a - b,
        low=a - b - math.hypot(a - a_low, b_high - b),
        high=a - b + math.hypot(a_high - a, b - b_low),
        error=math.sqrt(both * (1 - both) * (1 / treated + 1 / control)),
    )


def means(*, treated: Sums, control: Sums) -> Lift | None:
    """Compare two means; None when a side has fewer than two people.

    Interval: Welch, "The generalization of 'Student's' problem when several different population
    variances are involved", Biometrika 34 (1947), made good for lopsided sums of money.
    """
    if treated.n < 2 or control.n < 2:
        return None
    return welch(
        treated=(treated.mean, treated.variance, treated.n),
        control=(control.mean, control.variance, control.n),
        skewness=skewness(treated, control),
    )


def skewness(one: Sums, other: Sums) -> float:
    """How lopsided x is among both sides together; the smaller side alone says too little."""
    both = one + other
    return both.third / both.variance**1.5 if both.variance > 0 else 0.0


def welch(
    *, treated: tuple[float, float, int], control: tuple[float, float, int], skewness: float = 0.0
) -> Lift:
    """The same from mean, variance and number of each side.

    A few large orders make money lopsided, and a small control group misses them more often than
    not. The transformation of Hall, "On the removal of skewness by transformation", Journal of the
    Royal Statistical Society B 54 (1992), in the form for two samples of Zhou and Dinh,
    Biostatistics 6 (2005), moves the interval by as much.
    """
    (a, a_variance, a_n), (b, b_variance, b_n) = treated, control
    a_part, b_part = a_variance / a_n, b_variance / b_n
    error = math.sqrt(a_part + b_part)
    if error == 0:
        return Lift(a, b, a - b, a - b, a - b)
    degrees = (a_part + b_part) ** 2 / (a_part**2 / (a_n - 1) + b_part**2 / (b_n - 1))
    t = student(degrees=degrees)
    tilt = skewness * (a_part**1.5 / math.sqrt(a_n) - b_part**1.5 / math.sqrt(b_n)) / error**3
    low, high = a - b - error * _untilted(t, tilt), a - b - error * _untilted(-t, tilt)
    return Lift(a, b, a - b, low, high, error)


def _untilted(t: float, tilt: float) -> float:
    if abs(tilt) < 1e-9:
        return t
    inner = 1 + tilt * (t - tilt / 6)
    return 3 / tilt * (math.copysign(abs(inner) ** (1 / 3), inner) - 1)

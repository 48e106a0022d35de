"""Less noise by what was known before: people who spent more before spend more after on both sides.

Deng, Xu, Kohavi, Walker, "Improving the sensitivity of online controlled experiments by utilizing
pre-experiment data", WSDM 2013. What is subtracted was settled before anybody was drawn, so the
difference stays without bias; its variance shrinks by the factor 1 − ρ², ρ being the correlation
between before and after.
"""

from dataclasses import dataclass

from campaigns.experiments.effects import Lift, Sums, skewness, welch


@dataclass(frozen=True)
class Adjusted:
    """The lift after adjustment, and how much of the variance is left (1 − ρ²)."""

    lift: Lift
    slope: float
    left: float


def adjust(*, treated: Sums, control: Sums) -> Adjusted | None:
    """Compare means with the past taken out; None when a side has fewer than two people."""
    if treated.n < 2 or control.n < 2:
        return None
    slope = slope_of(treated, control)
    before = (treated.y + control.y) / (treated.n + control.n)
    sides = []
    for side in (treated, control):
        mean = side.mean - slope * (side.mean_before - before)
        variance = side.variance - 2 * slope * side.covariance + slope**2 * side.variance_before
        sides.append((mean, max(variance, 0.0), side.n))
    lift = welch(treated=sides[0], control=sides[1], skewness=skewness(treated, control))
    raw = treated.variance / treated.n + control.variance / control.n
    return Adjusted(lift, slope, lift.error**2 / raw if raw > 0 else 1.0)


def slope_of(treated: Sums, control: Sums) -> float:
    """The slope of after on before inside the sides, both together; 0 when nothing varies."""
    a, b = treated.n - 1, control.n - 1
    spread = a * treated.variance_before + b * control.variance_before
    if spread <= 0:
        return 0.0
    return (a * treated.covariance + b * control.covariance) / spread

"""The smallest effect that so many people can show, and how many an effect needs."""

import math

from campaigns.experiments.distributions import NORMAL

ALPHA, POWER = 0.05, 0.8


def _needed(alpha: float, power: float) -> float:
    return NORMAL.inv_cdf(1 - alpha / 2) + NORMAL.inv_cdf(power)


def smallest(
    *, treated: int, control: int, variance: float, alpha: float = ALPHA, power: float = POWER
) -> float | None:
    """The true difference found in four of five repetitions; None when a side is empty."""
    if treated <= 0 or control <= 0:
        return None
    return _needed(alpha, power) * math.sqrt(variance * (1 / treated + 1 / control))


def people(
    *, effect: float, variance: float, held: float, alpha: float = ALPHA, power: float = POWER
) -> int:
    """How many people a difference needs when the share `held` of them is held out."""
    if not 0 < held < 1 or effect == 0:
        raise ValueError("an effect and a share between 0 and 1 are needed")
    return math.ceil(
        (_needed(alpha, power) / abs(effect)) ** 2 * variance * (1 / held + 1 / (1 - held))
    )


def holdout_percent(
    *, people: int, effect: float, variance: float, alpha: float = ALPHA, power: float = POWER
) -> float | None:
    """The smallest share to hold out that shows the effect; None when no share does."""
    want = (effect / _needed(alpha, power)) ** 2 * people / variance if variance > 0 else math.inf
    if want < 4:  # 1/h + 1/(1-h) is never below 4
        return None
    return 50 * (1 - math.sqrt(1 - 4 / want))

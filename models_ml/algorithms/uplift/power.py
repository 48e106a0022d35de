"""How many people would have to be held out for an effect to be told from none."""

from __future__ import annotations

import math

from models_ml.algorithms.classify import Interval

# Of those treated and of those not, to learn anything at all.
LEAST_EACH = 50
# Sure at 95%, and found four times in five.
Z_SURE, Z_FOUND = 1.959964, 0.841621


def for_mean(*, rate: float, effect: float, ratio: float) -> int | None:
    """People held out so that an effect on everybody shows; None for an effect of nothing.

    `rate` is what the held-out do, `effect` is added to it, `ratio` the treated to one held out.
    """
    other = min(max(rate + effect, 0.0), 1.0)
    spread = rate * (1 - rate) + other * (1 - other) / max(ratio, 1e-9)
    if not effect or not spread:
        return None
    return math.ceil((Z_SURE + Z_FOUND) ** 2 * spread / effect**2)


def for_ranking(*, found: Interval, held_out: int) -> int | None:
    """People held out so that a ranking as good as it looks shows; None when it looks no good."""
    if found.value <= 0:
        return None
    error = (found.high - found.low) / (2 * Z_SURE)
    return math.ceil(held_out * ((Z_SURE + Z_FOUND) * error / found.value) ** 2)

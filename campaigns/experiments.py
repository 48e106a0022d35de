"""Who is held out, and whether the mail made a difference.

Assignment is a hash, so a person keeps the same side however often it is asked and wherever it is
computed: `held_out` here and `holdout_ceiling` inside SQL agree to the bit.
"""

import hashlib
import math
from dataclasses import dataclass

_BUCKETS = 2**32
Z95 = 1.959963984540054


def bucket(*, key: str, unit: int) -> str:
    """Eight hexadecimal digits, uniform; in SQL substr(md5(key || ':' || unit), 1, 8)."""
    return hashlib.md5(f"{key}:{unit}".encode(), usedforsecurity=False).hexdigest()[:8]


def holdout_ceiling(percent: float) -> str:
    """The first bucket that is not held out; compare as text in the C collation."""
    if not 0 <= percent <= 100:
        raise ValueError("a share must lie between 0 and 100 percent")
    edge = round(percent / 100 * _BUCKETS)
    return "g" if edge >= _BUCKETS else f"{edge:08x}"


def held_out(*, key: str, unit: int, percent: float) -> bool:
    """True for a stable `percent` of units; a larger percent keeps everyone a smaller one held."""
    return bucket(key=key, unit=unit) < holdout_ceiling(percent)


@dataclass(frozen=True)
class Lift:
    """Rate among the mailed minus rate among the held out, with its 95% interval (as shares)."""

    treated: float
    control: float
    difference: float
    low: float
    high: float

    @property
    def proven(self) -> bool:
        """True when the interval leaves zero out."""
        return self.low > 0 or self.high < 0


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
    return Lift(
        treated=a,
        control=b,
        difference=a - b,
        low=a - b - math.hypot(a - a_low, b_high - b),
        high=a - b + math.hypot(a_high - a, b - b_low),
    )

"""Who is on which side. Assignment is a hash, so a person keeps the same side however often it is
asked and wherever it is computed: the functions here and SQL by the same edges agree to the bit.
"""

import hashlib
from collections.abc import Sequence

_BUCKETS = 2**32


def bucket(*, key: str, unit: int | str) -> str:
    """Eight hexadecimal digits, uniform; in SQL substr(md5(key || ':' || unit), 1, 8)."""
    return hashlib.md5(f"{key}:{unit}".encode(), usedforsecurity=False).hexdigest()[:8]


def _edge(share: float) -> str:
    edge = round(share * _BUCKETS)
    return "g" if edge >= _BUCKETS else f"{edge:08x}"


def holdout_ceiling(percent: float) -> str:
    """The first bucket that is not held out; compare as text in the C collation."""
    if not 0 <= percent <= 100:
        raise ValueError("a share must lie between 0 and 100 percent")
    return _edge(percent / 100)


def held_out(*, key: str, unit: int | str, percent: float) -> bool:
    """True for a stable `percent` of units; a larger percent keeps everyone a smaller one held."""
    return bucket(key=key, unit=unit) < holdout_ceiling(percent)


def edges(weights: Sequence[float]) -> list[str]:
    """The first bucket after each side, for sides as large as their weights; the last is all."""
    if not weights or min(weights) < 0 or sum(weights) <= 0:
        raise ValueError("a split needs weights of which one is above zero")
    total, so_far, found = sum(weights), 0.0, []
    for weight in weights:
        so_far += weight
        found.append(_edge(so_far / total))
    last = max(i for i, weight in enumerate(weights) if weight > 0)
    return [*found[:last], *["g"] * (len(weights) - last)]


def side(*, key: str, unit: int | str, ceilings: Sequence[str]) -> int:
    """Which of the sides with these ceilings a unit is on."""
    mine = bucket(key=key, unit=unit)
    return next(i for i, ceiling in enumerate(ceilings) if mine < ceiling)

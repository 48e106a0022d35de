"""What is known of an impression in a few dozen words, and the chance that a small table gives it.

Words are single facts and pairs of facts, hashed into a fixed number of places (Weinberger et al.,
"Feature hashing for large scale multitask learning", ICML 2009), so that the table stays small and
new creatives need no new columns. A worker fits the table; whoever asks only adds numbers up, which
takes no library. Pure.
"""

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

SIZE = 1 << 12
EDGE = 1e-6


class Facts(NamedTuple):
    """Of one impression; zeros and empty texts where nothing is known."""

    creative: int
    placement: int
    hour: int
    weekday: int
    device: int = 0
    country: str = ""
    recency: int = 0
    orders: int = 0


_SINGLE = ("hour", "weekday", "device", "country", "recency", "orders")
_CROSSED = ("hour", "device", "country", "recency", "orders")


def words(facts: Facts) -> list[str]:
    """Each fact alone, with the creative, and the creative in its placement."""
    values = facts._asdict()
    found = [f"{name}={values[name]}" for name in _SINGLE]
    found += [f"c{facts.creative}&{name}={values[name]}" for name in _CROSSED]
    found += [f"p{facts.placement}&{name}={values[name]}" for name in ("hour", "device")]
    found += [f"recency={facts.recency}&orders={facts.orders}"]
    return found


def places(facts: Facts) -> list[int]:
    """Where the words of an impression stand in the table."""
    return [zlib.crc32(word.encode()) % SIZE for word in words(facts)]


def shrunk(yes: float, n: float, *, towards: float, by: float) -> float:
    """A rate drawn towards another by as much as `by` tries weigh."""
    return (yes + by * towards) / (n + by) if n + by > 0 else towards


def logit(chance: float) -> float:
    bounded = min(max(chance, EDGE), 1 - EDGE)
    return math.log(bounded / (1 - bounded))


def sigmoid(margin: float) -> float:
    bounded = min(max(margin, -35.0), 35.0)
    return 1 / (1 + math.exp(-bounded))


@dataclass(frozen=True)
class Table:
    """A fitted model: plain rates of creative and placement, and what the words add to them.

    `slope` and `shift` calibrate the sum. `rates` is by "creative:placement", `rate` that of all.
    """

    rate: float
    rates: Mapping[str, float]
    weights: Mapping[int, float]
    slope: float = 1.0
    shift: float = 0.0
    creatives: Mapping[str, float] = field(default_factory=dict)

    def plain(self, facts: Facts) -> float:
        """The rate of the creative in the placement, or of the creative, or of all."""
        known = self.rates.get(f"{facts.creative}:{facts.placement}")
        return known if known is not None else self.creatives.get(str(facts.creative), self.rate)

    def chance(self, facts: Facts) -> float:
        """The chance of an answer."""
        added = sum(self.weights.get(place, 0.0) for place in places(facts))
        return sigmoid(self.shift + self.slope * (logit(self.plain(facts)) + added))

    def as_json(self) -> dict[str, Any]:
        return {
            "rate": self.rate,
            "rates": dict(self.rates),
            "creatives": dict(self.creatives),
            "weights": {str(place): weight for place, weight in self.weights.items()},
            "slope": self.slope,
            "shift": self.shift,
            "size": SIZE,
        }

    @classmethod
    def of_json(cls, kept: Mapping[str, Any]) -> "Table":
        return cls(
            kept["rate"],
            kept["rates"],
            {int(place): weight for place, weight in kept["weights"].items()},
            kept["slope"],
            kept["shift"],
            kept["creatives"],
        )


def suited(chances: Sequence[float], *, floor: float) -> list[float]:
    """The shares of creatives for one person: the likeliest, and the floor for every other."""
    if not chances:
        return []
    floor = min(max(floor, 0.0), 1 / len(chances))
    best = max(range(len(chances)), key=lambda i: chances[i])
    shares = [floor] * len(chances)
    shares[best] = 1 - floor * (len(chances) - 1)
    return shares

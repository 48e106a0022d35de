"""A log of ads whose truth is known: for the demo shop, tests and benchmarks. Seeded.

Who clicks depends on the creative, the placement, the device (one creative is made for phones), how
long ago somebody ordered, and the hour. Of those who click some convert, hours or days later.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from campaigns.ads import features, reading
from campaigns.ads.features import Facts
from campaigns.ads.reading import Hit
from campaigns.models import AdHit

HOURS = (2, 1, 1, 1, 1, 2, 4, 7, 9, 10, 10, 10, 11, 11, 10, 10, 10, 11, 13, 15, 16, 14, 9, 5)
SHIFTS = (-0.35, 0.05, 0.25, -0.1, 0.0)
PHONE = reading.DEVICES.index("mobile")


@dataclass
class World:
    """What is shown where. `effects` is how much facts matter: 0 for rates of creatives alone."""

    creatives: Sequence[str]
    placements: Sequence[str]
    people: Sequence[tuple[str, int]] = ()
    effects: float = 1.0
    rate: float = 0.02
    turns: float = 0.08
    cost: Decimal = Decimal("0.002")
    seed: int = 7
    made: int = field(default=0)

    def truth(self, facts: Facts) -> float:
        """The chance of a click; `creative` and `placement` are places in the lists here."""
        margin = features.logit(self.rate) + SHIFTS[facts.creative % len(SHIFTS)]
        margin += 0.3 * (facts.placement == 0)
        pull = 0.7 if facts.creative % 2 else -0.5
        margin += self.effects * (pull if facts.device == PHONE else -pull / 2)
        margin += self.effects * (0.0, 0.6, 0.2, -0.2, -0.5)[facts.recency]
        margin += self.effects * 0.4 * math.sin((facts.hour - 14) / 24 * 2 * math.pi)
        return features.sigmoid(margin)

    def day(self, start: datetime, impressions: int, *, until: datetime) -> Iterator[Hit]:
        """The hits of 24 hours from `start`, none after `until`."""
        rng = random.Random(f"{self.seed}:{start:%Y%m%d%H}")
        hours = rng.choices(range(24), HOURS, k=impressions)
        for hour in hours:
            at = start + timedelta(hours=hour, seconds=rng.randrange(3600))
            creative = rng.randrange(len(self.creatives))
            placement = rng.randrange(len(self.placements))
            known = bool(self.people) and rng.random() < 0.5
            person, recency = rng.choice(self.people) if known else ("", 0)
            device = PHONE if rng.random() < 0.6 else 1
            chance = self.truth(
                Facts(creative, placement, at.hour, at.weekday(), device, "", recency)
            )
            clicks, turns = rng.random() < chance, rng.random() < self.turns
            answered = at + timedelta(seconds=rng.randrange(2, 120))
            bought = answered + timedelta(hours=rng.expovariate(1 / 20))
            if at >= until:
                continue
            yield self._hit(AdHit.IMPRESSION, at, creative, placement, person, device, None)
            name = self.made
            if clicks and answered < until:
                cause = reading.key_of(AdHit.IMPRESSION, f"{self.seed}:{name}")
                yield self._hit(AdHit.CLICK, answered, creative, placement, person, device, cause)
                cause = reading.key_of(AdHit.CLICK, f"{self.seed}:{self.made}")
                if turns and bought < until:
                    yield self._hit(
                        AdHit.CONVERSION, bought, creative, placement, person, device, cause
                    )

    def _hit(
        self, kind: int, at: datetime, creative: int, placement: int, person: str, device: int,
        cause: object,
    ) -> Hit:  # fmt: skip
        self.made += 1
        return Hit(
            kind,
            reading.key_of(kind, f"{self.seed}:{self.made}"),
            self.made,
            at,
            self.creatives[creative],
            self.placements[placement],
            cause,  # type: ignore[arg-type]
            (person, "", ""),
            not person,
            "",
            device,
            self.cost if kind == AdHit.IMPRESSION else Decimal(0),
            Decimal("24.90") if kind == AdHit.CONVERSION else Decimal(0),
        )

"""One variant beside the others and beside those held out, as every table of variants shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from campaigns.experiments import Lift, comparisons, difference, winners
from campaigns.experiments.winners import Arm
from campaigns.reporting.tallies import Tally

SURE = 0.05


@dataclass(frozen=True, kw_only=True)
class Side:
    """One variant, by people of the first shares. `wins` is its chance of being the best."""

    key: str
    name: str
    tally: Tally
    counted: Arm
    wins: float
    lift: Lift | None
    p: float

    @property
    def rate(self) -> float:
        """The part of those counted that answered."""
        return self.counted.converted / self.counted.n if self.counted.n else 0.0

    @property
    def proven(self) -> bool:
        """Against those held out, with all variants looked at together."""
        return self.lift is not None and self.p < SURE


def beside(
    *, keys: Sequence[str], names: Mapping[str, str], tallies: Sequence[Tally],
    counted: Sequence[Arm], held: Tally,
) -> list[Side]:  # fmt: skip
    """The variants of these keys against each other, and against those held out by their orders."""
    lifts = [
        difference(
            treated=tally.people,
            treated_converted=tally.ordered,
            control=held.people,
            control_converted=held.ordered,
        )
        for tally in tallies
    ]
    together = comparisons.holm([lift.p if lift else 1.0 for lift in lifts])
    rows = zip(keys, tallies, counted, winners.by_share(counted), lifts, together, strict=True)
    return [
        Side(
            key=key, name=names.get(key) or key.upper(), tally=tally, counted=arm, wins=wins,
            lift=lift, p=p,
        )
        for key, tally, arm, wins, lift, p in rows
    ]  # fmt: skip

"""The variants of a campaign beside each other, and each beside those held out.

Only people of the first shares are compared: whoever came later was given a variant because of what
the first had answered, so their numbers would favour the winner.
"""

from dataclasses import dataclass
from typing import Any

from campaigns.experiments import Lift, balance, comparisons, difference, winners
from campaigns.experiments.winners import Arm
from campaigns.models import Campaign, Trial
from campaigns.reporting.tallies import HELD, LATER, Arms, Tally

SURE = 0.05


@dataclass(frozen=True)
class Row:
    """One variant. `later`: how many more people got it afterwards."""

    key: str
    name: str
    tally: Tally
    later: int
    rate: float
    wins: float
    lift: Lift | None
    p: float

    @property
    def proven(self) -> bool:
        """Against those held out, with all variants looked at together."""
        return self.lift is not None and self.p < SURE


@dataclass(frozen=True)
class Table:
    """All variants of a run, and whether they came out as they were drawn."""

    rows: tuple[Row, ...]
    metric: str
    balance: balance.Balance


def table(*, campaign: Campaign, snapshot: dict[str, Any], arms: Arms) -> Table | None:
    """None for a campaign of one variant."""
    shares = [(key, weight) for key, weight in snapshot.get("draw", {}).get("variants", [])]
    if len(shares) < 2:
        return None
    trial = Trial.objects.filter(campaign=campaign).first()
    metric = trial.metric if trial else Trial.Metric.CLICKED
    names = dict(campaign.variants.values_list("key", "name"))
    tallies = [arms.get(key, Tally()) for key, _weight in shares]
    counted = [Arm(max(t.sent, n), n) for t in tallies for n in [getattr(t, metric)]]
    chances = winners.by_share(counted)
    held = arms.get(HELD, Tally())
    lifts = [
        difference(
            treated=t.people,
            treated_converted=t.ordered,
            control=held.people,
            control_converted=held.ordered,
        )
        for t in tallies
    ]
    together = comparisons.holm([lift.p if lift else 1.0 for lift in lifts])
    rows = tuple(
        Row(
            key=key,
            name=names.get(key) or key.upper(),
            tally=tally,
            later=arms.get(key + LATER, Tally()).people,
            rate=arm.converted / arm.n if arm.n else 0.0,
            wins=chance,
            lift=lift,
            p=p,
        )
        for (key, _w), tally, arm, chance, lift, p in zip(
            shares, tallies, counted, chances, lifts, together, strict=True
        )
    )
    drawn = [
        (t.people, weight) for t, (_key, weight) in zip(tallies, shares, strict=True) if weight
    ]
    return Table(
        rows=rows,
        metric=metric,
        balance=balance.check(
            counts=[n for n, _weight in drawn], shares=[weight for _n, weight in drawn]
        ),
    )

"""The variants of a campaign beside each other, and each beside those held out.

Only people of the first shares are compared: whoever came later was given a variant because of what
the first had answered, so their numbers would favour the winner.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from campaigns.experiments import balance
from campaigns.experiments.winners import Arm
from campaigns.models import Campaign, Run, Trial
from campaigns.reporting import settled
from campaigns.reporting.sides import Side, beside
from campaigns.reporting.tallies import HELD, LATER, Arms, Tally


@dataclass(frozen=True, kw_only=True)
class Row(Side):
    """One variant. `hour` of people's own clocks; `later`: how many more got it afterwards."""

    hour: int | None
    later: int


@dataclass(frozen=True)
class Table:
    """All variants of a run, and whether they came out as they were drawn."""

    rows: tuple[Row, ...]
    metric: str
    balance: balance.Balance


def of_run(*, run: Run, arms: Arms, now: datetime) -> Table | None:
    """The table of a send. Variants of different hours are compared by answers of one day each."""
    assert run.campaign is not None
    if (run.snapshot.get("draw") or {}).get("routes"):
        return None  # who gets which channel is no matter of chance alone: see `by_channel`
    counted = None
    if settled.hours_of(run.snapshot):
        metric = _metric(run.campaign)
        counted = settled.counts(run=run, metric=metric, before_round=1, now=now)
    return table(campaign=run.campaign, snapshot=run.snapshot, arms=arms, timely=counted)


def _metric(campaign: Campaign) -> str:
    trial = Trial.objects.filter(campaign=campaign).first()
    return trial.metric if trial else Trial.Metric.CLICKED


def table(
    *,
    campaign: Campaign,
    snapshot: dict[str, Any],
    arms: Arms,
    timely: Mapping[str, Arm] | None = None,
) -> Table | None:
    """None for a campaign of one variant. `timely` are answers that all had as long for."""
    shares = [(key, weight) for key, weight in snapshot.get("draw", {}).get("variants", [])]
    if len(shares) < 2:
        return None
    metric = _metric(campaign)
    names = dict(campaign.variants.values_list("key", "name"))
    tallies = [arms.get(key, Tally()) for key, _weight in shares]
    counted = (
        [Arm(max(t.sent, n), n) for t in tallies for n in [getattr(t, metric)]]
        if timely is None
        else [timely.get(key, Arm(0, 0)) for key, _weight in shares]
    )
    sides = beside(
        keys=[key for key, _weight in shares], names=names, tallies=tallies, counted=counted,
        held=arms.get(HELD, Tally()),
    )  # fmt: skip
    hours = snapshot.get("at_hours") or {}
    rows = tuple(
        Row(
            **vars(side),
            hour=hours.get(side.key),
            later=arms.get(side.key + LATER, Tally()).people,
        )
        for side in sides
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

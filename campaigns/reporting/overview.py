"""All sends that can tell what they caused, in one list and judged together.

Of forty campaigns that did nothing, two look proven. Those that are over are therefore judged as
one family: of what the list calls proven, one in twenty is a false alarm on average.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet

from campaigns.experiments import comparisons
from campaigns.models import Reading, Run, Variant
from campaigns.reporting import costs, readings
from campaigns.reporting.effects import Effect, of_arms
from campaigns.reporting.tallies import WINDOW

SURE = 0.05


@dataclass(frozen=True)
class Listed:
    """A send in the list. `effect` None: nobody held out, or not read yet."""

    run: Run
    effect: Effect | None
    variants: int
    q: float | None
    stage: str

    @property
    def proven(self) -> bool:
        """Judged with all others of the list; while days are to come, by itself."""
        if self.effect is None or not self.effect.orders.proven:
            return False
        return self.q is None or self.q < SURE


def runs() -> QuerySet[Run]:
    """Sends of campaigns that held people out or try variants, newest first."""
    several = Variant.objects.filter(campaign=OuterRef("campaign"))
    return (
        Run.objects.filter(Q(snapshot__holdout_percent__gt=0) | Exists(several))
        .filter(campaign__isnull=False)
        .select_related("campaign")
        .order_by("-started_at", "-id")
    )


def listed(*, found: list[Run], now: datetime) -> list[Listed]:
    """These sends with their newest readings, in four statements however many they are."""
    newest: dict[int, Reading] = {}
    for row in Reading.objects.filter(run__in=found).order_by("run_id", "-day").distinct("run_id"):
        if row.run_id is not None:
            newest[row.run_id] = row
    ids = [run.campaign_id for run in found]
    variants: dict[int, int] = {}
    for key in Variant.objects.filter(campaign__in=ids).values_list("campaign_id", flat=True):
        variants[key] = variants.get(key, 0) + 1
    spent = costs.totals(campaign_ids=ids)
    effects = [_effect(run, newest.get(run.pk), spent) for run in found]
    over = [i for i, effect in enumerate(effects) if effect and effect.over]
    judged = comparisons.benjamini_hochberg([effects[i].orders.plain.p for i in over])  # type: ignore[union-attr]
    q = dict(zip(over, judged, strict=True))
    return [
        Listed(run, effects[i], variants.get(run.campaign_id or 0, 1), q.get(i), _stage(run, now))
        for i, run in enumerate(found)
    ]


def _effect(run: Run, row: Reading | None, spent: costs.Totals) -> Effect | None:
    if row is None:
        return None
    read = readings.of_row(row)
    held = float(run.snapshot.get("holdout_percent") or 0) / 100
    return of_arms(
        arms=read.arms,
        shares=(1 - held, held),
        until=read.until,
        ends_at=run.started_at + WINDOW,
        cost=spent.of(run.campaign_id, sent=read.sent(run)),
    )


def _stage(run: Run, now: datetime) -> str:
    if run.state == Run.State.CANCELLED:
        return "cancelled"
    return "over" if now >= run.started_at + WINDOW else "running"

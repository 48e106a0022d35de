"""Campaigns wait while the data they need is not as somebody expects it, and go on afterwards."""

from datetime import datetime

from django.db.models import Prefetch, QuerySet

from campaigns import uses
from campaigns.models import Campaign, Run
from campaigns.sending import runs
from ingestion.quality import holds
from marketing.core.errors import Conflict

_PAUSED_RUNS = Prefetch(
    "runs", queryset=Run.objects.filter(state=Run.State.PAUSED), to_attr="paused_runs"
)


def settle(*, now: datetime) -> tuple[list[int], list[int]]:
    """Pause what is being sent and is held back; go on with what was paused here and is free.

    A campaign that a person paused is left alone. Ids of the paused and of the resumed.
    """
    found = holds.holding()
    known = uses.segment_rules() if found else {}
    paused, resumed = [], []
    if found:
        for campaign in _in_state(Campaign.State.RUNNING):
            reasons = uses.held(campaign, found, known)
            if reasons and _pause(campaign, holds.sentence(reasons), now):
                paused.append(campaign.pk)
    for campaign in _in_state(Campaign.State.PAUSED).prefetch_related(_PAUSED_RUNS):
        run = next(iter(campaign.paused_runs), None)
        if run is None or not run.snapshot.get(runs.HELD) or uses.held(campaign, found, known):
            continue
        try:
            runs.resume(campaign_id=campaign.pk, user=None, now=now)
        except Conflict as refusal:
            if refusal.code == "too_late":  # what becomes of them is for a person to say
                run.snapshot[runs.HELD] = False
                Run.objects.filter(pk=run.pk, state=Run.State.PAUSED).update(
                    error=str(refusal)[:1000], snapshot=run.snapshot
                )
            continue  # else somebody was first
        resumed.append(campaign.pk)
    return paused, resumed


def _in_state(state: str) -> QuerySet[Campaign]:
    return Campaign.objects.filter(state=state).select_related("segment", "exclude", "template")


def _pause(campaign: Campaign, reason: str, now: datetime) -> bool:
    try:
        runs.pause(campaign_id=campaign.pk, user=None, now=now, reason=reason, held=True)
    except Conflict:  # it has ended meanwhile
        return False
    return True

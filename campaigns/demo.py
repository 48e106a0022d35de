"""The demo's campaign: the best group gets a mail with what the recommender picked."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from campaigns import content, drafts
from campaigns.models import Campaign, Message, Run, Segment, Template
from campaigns.reporting.tallies import HELD
from campaigns.segments import definitions, leaves
from marketing.core.models import User
from models_ml import queries

HOLDOUT_PERCENT = 10
# What says when something happened to a message; lies in the past once it did.
TIMES = (
    "queued_at",
    "first_try_at",
    "claimed_at",
    "handed_at",
    "sent_at",
    "opened_at",
    "clicked_at",
)


@dataclass(frozen=True)
class Sent:
    """The demo's campaign after its last mail: when it began, and the people by what they got."""

    campaign_id: int
    run_id: int
    started_at: datetime
    mailed: list[int]
    held_out: list[int]


RECENT = {"field": "traits.recency_days", "op": "<=", "value": 30}


def draft(*, user: User | None, now: datetime) -> Campaign:
    """A draft to the best group that is known, 10% held out."""
    with transaction.atomic():
        segment = group(user=user, now=now)
        campaign = drafts.save(
            values={
                "name": _("Picked for you"),
                "segment_id": segment.pk,
                "template_id": starter(user=user, now=now).pk,
                "holdout_percent": HOLDOUT_PERCENT,
            },
            user=user,
            now=now,
        )
        Campaign.objects.filter(pk=campaign.pk).update(is_demo=True)
        campaign.is_demo = True
    return campaign


def group(*, user: User | None, now: datetime) -> Segment:
    """The live tree's best leaf. Where no tree was published, the rule that it could not beat."""
    version = queries.live()
    if version is not None:
        return leaves.save(version=version, leaf_id=leaves.best(version), actor=user)
    name = _("Ordered in the last 30 days")
    kept = Segment.objects.filter(name=name, state=Segment.State.LIVE).first()
    return kept or definitions.save(name=name, rule=RECENT, actor=user, now=now)


def starter(*, user: User | None, now: datetime) -> Template:
    """The starter template, saved once."""
    begin = content.starter()
    kept = Template.objects.filter(name=begin["name"], mjml=begin["mjml"]).first()
    return kept or content.save(
        name=begin["name"],
        subject=begin["subject"],
        preheader=begin["preheader"],
        mjml=begin["mjml"],
        user=user,
        now=now,
    )


def sent() -> Sent | None:
    """How the demo's campaign went out; None before it is over."""
    run = (
        Run.objects.filter(campaign__is_demo=True, state=Run.State.FINISHED).order_by("pk").first()
    )
    if run is None or run.campaign_id is None:
        return None
    people: dict[bool, list[int]] = {True: [], False: []}
    for state, reason, person in run.messages.order_by("customer_id").values_list(
        "state", "reason", "customer_id"
    ):
        if state == Message.State.SENT or reason == HELD:
            people[state == Message.State.SENT].append(person)
    return Sent(run.campaign_id, run.pk, run.started_at, people[True], people[False])


def grow_older(*, run: Sent, by: timedelta) -> None:
    """Let everything about that run have happened so much earlier."""
    Message.objects.filter(run_id=run.run_id).update(**{name: F(name) - by for name in TIMES})
    Run.objects.filter(pk=run.run_id).update(
        started_at=F("started_at") - by, finished_at=F("finished_at") - by
    )

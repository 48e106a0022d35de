"""The demo's campaign: the best group gets a mail with what the recommender picked."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns import content, drafts
from campaigns.models import Campaign, Segment, Template
from campaigns.segments import definitions, leaves
from marketing.core.models import User
from models_ml import queries

HOLDOUT_PERCENT = 10
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

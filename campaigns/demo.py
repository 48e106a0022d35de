"""The demo's campaign: the tree's best group gets a mail with what the recommender picked."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns import content, drafts
from campaigns.models import Campaign, Template
from campaigns.segments import leaves
from marketing.core.errors import Conflict
from marketing.core.models import User
from models_ml import queries

HOLDOUT_PERCENT = 10


def draft_from_leaf(*, user: User | None, now: datetime) -> Campaign:
    """A draft to the live tree's best leaf, 10% held out; Conflict while there is no tree."""
    version = queries.live()
    if version is None:
        raise Conflict(
            _("There is no decision tree yet, so there is no group to write to."),
            code="no_tree",
            remedy=_("Train the tree, then draft the campaign."),
        )
    with transaction.atomic():
        segment = leaves.save(version=version, leaf_id=leaves.best(version), actor=user)
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

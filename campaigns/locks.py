"""Campaigns by their number: one that is there, one whose row is locked, one that has not begun."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from campaigns.models import Campaign
from marketing.core.errors import Conflict, NotFound

EDITABLE = (Campaign.State.DRAFT, Campaign.State.SCHEDULED)


def known(campaign_id: int, among: QuerySet[Campaign] | None = None) -> Campaign:
    """The campaign. NotFound where there is none."""
    rows = Campaign.objects.all() if among is None else among
    found = rows.filter(pk=campaign_id).first()
    if found is None:
        raise NotFound(_("There is no such campaign."), code="campaign_unknown")
    return found


def locked(campaign_id: int) -> Campaign:
    """The same within a transaction, whose end lets it go."""
    return known(campaign_id, Campaign.objects.select_for_update())


def draft(campaign_id: int, *, why: str = "") -> Campaign:
    """The same of one that has not begun. Conflict with `why` where it has."""
    campaign = locked(campaign_id)
    if campaign.state not in EDITABLE:
        told: dict[str, Any] = {} if why else {"remedy": _("Make a copy and change that.")}
        why = why or _("A campaign that has begun cannot be changed. Nothing was changed.")
        raise Conflict(why, code="campaign_begun", **told)
    return campaign

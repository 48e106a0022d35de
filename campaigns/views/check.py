"""The last step of making a campaign: everything that is looked at before it goes out.

Where there are many people the page stands at once, and what is counted of them follows.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET

from campaigns import content
from campaigns.channels import writing
from campaigns.content import link_check, seeing
from campaigns.manners import rules
from campaigns.messaging import tags
from campaigns.models import Campaign, Template
from campaigns.recipients import audience
from campaigns.review import approval, fairness
from campaigns.segments import compile as compiler
from campaigns.segments import once
from campaigns.segments.rules import RuleFault
from campaigns.sending import runs
from campaigns.views import wizard
from campaigns.views.effects import tried
from marketing.core import brand
from marketing.core.auth import page
from marketing.core.errors import Refused


@page("view")
@require_GET
def campaign_check(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Step 5: who gets it, who does not and why, what it costs and says, and who agreed to it."""
    with once.reading():
        campaign = wizard.editable(campaign_id)
        if campaign is None:
            return redirect("campaigns:campaign-detail", campaign_id)
        return render(request, "campaigns/campaigns/check.html", _checked(request, campaign))


@page("view")
@require_GET
def campaign_fair(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Whether groups are chosen alike, and what the page could not say before that was counted."""
    with once.reading():
        campaign = wizard.editable(campaign_id)
        if campaign is None:  # it began meanwhile
            return HttpResponse(status=204, headers={"HX-Refresh": "true"})
        context = _standing(request, campaign, beside=True)
        return render(request, "campaigns/campaigns/_fair_later.html", context)


def _checked(request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
    chosen = (campaign.segment, campaign.exclude)
    compiler.nested(segment.rule for segment in chosen if segment is not None)
    return {
        **_standing(request, campaign, beside=False),
        "variants": tried(campaign=campaign),
        "links": link_check.latest(campaign=campaign),
        "carried": _carried(campaign),
        "channel": rules.CHANNELS.get(campaign.template.kind) if campaign.template else "",
        "channels": rules.CHANNELS,
        "others": _others(campaign),
        "currency": brand.now().currency,
        **wizard.reach_of_campaign(campaign),
    }


def _standing(request: HttpRequest, campaign: Campaign, *, beside: bool) -> dict[str, Any]:
    """Whether it may be sent as it stands, and when; `fair_later` while groups are counted."""
    now = timezone.now()
    fault: Refused | None = None
    try:
        runs.check(campaign)
    except Refused as refusal:
        fault = refusal
    standing = approval.standing(campaign=campaign)
    later = not beside and wizard.crowded() and _compares(campaign)
    fair = None if later else _fair(campaign)
    return {
        "campaign": campaign,
        "fault": fault,
        "fair": fair,
        "fair_later": later,
        "approval": standing,
        "own": standing.latest is not None and standing.latest.asked_by_id == request.user.pk,
        "later": campaign.scheduled_at is not None and campaign.scheduled_at > now,
        "missed": campaign.scheduled_at is not None and campaign.scheduled_at <= now,
        # Nobody sends what is not known to be fair yet.
        "barred": fault or (fair and fair.barred) or standing.missing or later,
    }


def _others(campaign: Campaign) -> list[tuple[str, Template, writing.Seen | None]]:
    """What goes by other channels than the campaign's own message; no mail as somebody gets it."""
    if campaign.template is None:
        return []
    said = runs.mails(campaign, campaign.template)
    others = [(key, one) for key, one in said if one.kind != campaign.template.kind]
    return [(key, one, None if one.kind == "email" else _seen(one)) for key, one in others]


def _seen(note: Template) -> writing.Seen:
    return writing.preview(kind=note.kind, values=note.parts, customer_id=None)


def _carried(campaign: Campaign) -> list[tuple[str, str]]:
    """What the links of each variant will carry, as it stands in them."""
    if campaign.template is None:
        return []
    said = runs.utm(campaign, campaign.template)
    return [(key if len(said) > 1 else "", tags.query(one)) for key, one in said.items() if one]


@page("view")
@require_GET
def campaign_tried(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """The mail as its people get it; asked for beside the check, as a hundred mails are written."""
    mails = Campaign.objects.select_related(*wizard.WHOLE).filter(template__kind="email")
    campaign = get_object_or_404(mails, pk=campaign_id)
    return render(
        request,
        "campaigns/campaigns/_tried.html",
        {"campaign": campaign, "sender": runs.sender(campaign), **_tried(campaign)},
    )


def _tried(campaign: Campaign) -> dict[str, Any]:
    """The mail as one of its people sees it, and how it fares with a hundred of them."""
    parts = vars(campaign.template)
    try:
        reached = audience.some(rule=campaign.segment.rule) if campaign.segment else []
    except Refused:
        reached = []
    if not reached:
        return {"trial": None, "preview": content.preview(parts=parts, customer_id=None)}
    trial, preview = seeing.tried(parts=parts, people=reached)
    return {"trial": trial, "preview": preview}


def _fair(campaign: Campaign) -> fairness.Verdict | None:
    """Whether the watched groups are chosen alike; None while the rule cannot be read."""
    try:
        return fairness.look(campaign=campaign, milliseconds=fairness.PAGE_MS)
    except RuleFault:
        return None


def _compares(campaign: Campaign) -> bool:
    try:
        return fairness.compares(campaign=campaign)
    except RuleFault:
        return False

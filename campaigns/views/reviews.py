"""What is done on the last step before sending: links called, a second person, an answer given."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from campaigns.content import link_check
from campaigns.manners import rules
from campaigns.models import Campaign
from campaigns.recipients import audience, routes
from campaigns.reporting import outlook
from campaigns.review import approval, fairness
from campaigns.views.people import signed_in
from marketing.core import brand
from marketing.core.auth import page
from marketing.core.errors import Refused


@page("view")
@require_GET
def campaign_links(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """What the links answered; it asks again by itself while a worker looks."""
    campaign = get_object_or_404(Campaign.objects.select_related("template"), pk=campaign_id)
    looked = link_check.latest(campaign=campaign)
    return render(
        request, "campaigns/campaigns/_links.html", {"campaign": campaign, "links": looked}
    )


@page("view")
@require_GET
def campaign_outlook(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """What it costs and could show; asked for beside the page, as counting may take seconds."""
    found = Campaign.objects.select_related("segment", "exclude", "template")
    campaign = get_object_or_404(found, pk=campaign_id)
    try:
        counted = outlook.outlook(campaign=campaign, now=timezone.now())
    except Refused:
        counted = None
    return render(
        request,
        "campaigns/campaigns/_outlook.html",
        {
            "campaign": campaign,
            "outlook": counted,
            "currency": brand.now().currency,
            "spends": campaign.spends.all(),
            "several": [
                (one, rules.CHANNELS[one]) for one in routes.channels(audience.routes_of(campaign))
            ],
        },
    )


@page("edit")
@require_POST
def campaign_links_look(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Have the links called now."""
    try:
        link_check.begin(campaign_id=campaign_id, user=signed_in(request))
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("campaigns:campaign-check", campaign_id)


@page("edit")
@require_POST
def campaign_ask(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Ask a second person to look at it."""
    try:
        approval.ask(campaign_id=campaign_id, actor=signed_in(request), now=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("Asked. Anybody but you may approve it on this page."))
    return redirect("campaigns:campaign-check", campaign_id)


@page("edit")
@require_POST
def campaign_decide(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """The second person's yes or no."""
    yes = request.POST.get("said") == "yes"
    try:
        approval.decide(
            campaign_id=campaign_id,
            yes=yes,
            comment=request.POST.get("comment", ""),
            actor=signed_in(request),
            now=timezone.now(),
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("Approved.") if yes else _("Declined."))
    return redirect("campaigns:campaign-check", campaign_id)


@page("fairness")
@require_POST
def campaign_waive(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Answer with a reason for groups that the model chooses too seldom."""
    try:
        fairness.waive(
            campaign_id=campaign_id,
            reason=request.POST.get("reason", ""),
            actor=signed_in(request),
            now=timezone.now(),
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("The reason is kept in the audit log; it may be sent now."))
    return redirect("campaigns:campaign-check", campaign_id)


@page("team")
@require_POST
def approval_rule(request: HttpRequest) -> HttpResponse:
    """Whether every campaign needs a second person."""
    on = request.POST.get("approval") == "on"
    approval.require(on=on, user=signed_in(request), now=timezone.now())
    messages.success(
        request,
        _("From now on a second person approves each campaign.")
        if on
        else _("Campaigns need no approval any more."),
    )
    return redirect("campaigns:sending-rules")

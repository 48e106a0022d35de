"""Pages of campaigns: list, the three steps of making one, and the page that watches it go out."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from campaigns import audience, content, drafts, fairness, reporting, runs
from campaigns.manners import timing, unsent
from campaigns.messaging import context
from campaigns.models import Campaign, Message, Run, Segment, Template
from campaigns.segments.rules import RuleFault
from campaigns.views import effects
from campaigns.views.people import signed_in
from marketing.core.auth import page
from marketing.core.errors import Refused
from marketing.core.forms import whole_number

PER_PAGE = 25
TABS = (
    ("", gettext_lazy("All")),
    ("draft", gettext_lazy("Draft")),
    ("running", gettext_lazy("Sending")),
    ("paused", gettext_lazy("Paused")),
    ("finished", gettext_lazy("Sent")),
)


@page("view")
@require_GET
def campaign_list(request: HttpRequest) -> HttpResponse:
    state = request.GET.get("state", "")
    counts = dict(Campaign.objects.values_list("state").annotate(n=Count("id")).order_by())
    found = Campaign.objects.select_related("segment", "template").order_by("-updated_at", "-id")
    if state in Campaign.State.values:
        found = found.filter(state=state)
    shown = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    latest = {
        run.campaign_id: run
        for run in Run.objects.filter(campaign__in=list(shown.object_list)).order_by("id")
    }
    numbers = reporting.figures(run_ids=[run.pk for run in latest.values()])
    rows = [
        {
            "campaign": campaign,
            "run": latest.get(campaign.pk),
            "figures": numbers.get(latest[campaign.pk].pk) if campaign.pk in latest else None,
        }
        for campaign in shown.object_list
    ]
    tabs = [
        {
            "label": label,
            "url": f"?state={value}" if value else "?",
            "current": value == state,
            "count": counts.get(value, 0) if value else sum(counts.values()),
        }
        for value, label in TABS
    ]
    return render(
        request,
        "campaigns/campaigns/list.html",
        {"page": shown, "rows": rows, "tabs": tabs, "state": state},
    )


def _segments() -> Any:
    return Segment.objects.filter(state=Segment.State.LIVE).order_by("-updated_at", "-id")[:200]


def _reach(segment_id: str, percent: str, campaign: Campaign | None) -> dict[str, Any]:
    """The count of an audience for the wizard, or why there is none."""
    segment = Segment.objects.filter(pk=whole_number(segment_id) or 0).first()
    if segment is None:
        return {}
    share = whole_number(percent) or 0
    share = share if share <= 50 else 0
    draw = audience.draw_of(campaign, holdout=share)
    by = campaign.template.kind if campaign and campaign.template else "email"
    try:
        counted = audience.reach(rule=segment.rule, draw=draw, channel=by)
    except Refused as refusal:
        return {"segment": segment, "reach_fault": str(refusal)}
    return {"segment": segment, "reach": counted, "reasons": audience.REASONS}


@page("edit")
@require_http_methods(["GET", "POST"])
def campaign_audience(request: HttpRequest, campaign_id: int | None = None) -> HttpResponse:
    """Step 1: name, people and hold-out. Without an id it makes the draft."""
    campaign = get_object_or_404(Campaign, pk=campaign_id) if campaign_id else None
    values = {
        "name": campaign.name if campaign else "",
        "segment_id": str((campaign and campaign.segment_id) or request.GET.get("segment", "")),
        "holdout_percent": str(campaign.holdout_percent if campaign else 10),
    }
    error: Refused | None = None
    if request.method == "POST":
        values = {name: request.POST.get(name, "") for name in values}
        try:
            if not values["segment_id"]:
                raise Refused(_("Choose a segment."), field="segment_id")
            campaign = drafts.save(
                campaign_id=campaign_id, values=values, user=signed_in(request), now=timezone.now()
            )
            return redirect("campaigns:campaign-message", campaign.pk)
        except Refused as refusal:
            error = refusal
    return render(
        request,
        "campaigns/campaigns/audience.html",
        {
            "campaign": campaign,
            "values": values,
            "error": error,
            "segments": _segments(),
            **_reach(values["segment_id"], values["holdout_percent"], campaign),
        },
        status=422 if error else 200,
    )


@page("view")
@require_GET
def campaign_reach(request: HttpRequest) -> HttpResponse:
    """The live count beside the audience step."""
    campaign = Campaign.objects.filter(pk=whole_number(request.GET.get("campaign")) or 0).first()
    found = _reach(
        request.GET.get("segment_id", ""), request.GET.get("holdout_percent", ""), campaign
    )
    return render(request, "campaigns/campaigns/_reach.html", found)


@page("edit")
@require_http_methods(["GET", "POST"])
def campaign_message(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Step 2: the mail, written here or chosen, and who it comes from."""
    campaign = get_object_or_404(Campaign.objects.select_related("template"), pk=campaign_id)
    if campaign.state not in drafts.EDITABLE:
        return redirect("campaigns:campaign-detail", campaign.pk)
    chosen = request.GET.get("template", "")
    template = campaign.template
    if (number := whole_number(chosen)) is not None:
        template = get_object_or_404(Template, pk=number)
    if template is not None and template.kind != "email":
        return redirect("campaigns:note-edit", template.pk)
    values: dict[str, Any] = content.starter()
    if template is not None:
        values = {name: getattr(template, name) for name in values}
    sender = {name: getattr(campaign, name) for name in ("from_name", "from_email", "reply_to")}
    error: Refused | None = None
    if request.method == "POST":
        values = content.written(request.POST)
        sender = {name: request.POST.get(name, "") for name in sender}
        kept = whole_number(request.POST.get("template_id"))
        try:
            saved = content.keep(
                template_id=kept,
                campaign_id=campaign.pk,
                values=values,
                user=signed_in(request),
                now=timezone.now(),
            )
            drafts.save(
                campaign_id=campaign.pk,
                values={"template_id": saved.pk, **sender},
                user=signed_in(request),
                now=timezone.now(),
            )
            return redirect("campaigns:campaign-check", campaign.pk)
        except Refused as refusal:
            error = refusal
            template = Template.objects.filter(pk=kept or 0).first()
    return render(
        request,
        "campaigns/campaigns/message.html",
        {
            "campaign": campaign,
            "template": template,
            "values": values,
            "sender": sender,
            "error": error,
            "templates": Template.objects.filter(kind="email").order_by("-updated_at")[:50],
            "people": content.people(),
            "fields": context.FIELDS,
        },
        status=422 if error else 200,
    )


@page("view")
@require_GET
def campaign_check(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Step 3: exactly who gets it, who does not and why, and the mail as one of them sees it."""
    found = Campaign.objects.select_related("segment", "template")
    campaign = get_object_or_404(found, pk=campaign_id)
    if campaign.state not in drafts.EDITABLE:
        return redirect("campaigns:campaign-detail", campaign.pk)
    fault: Refused | None = None
    try:
        runs.check(campaign)
    except Refused as refusal:
        fault = refusal
    preview = trial = None
    if campaign.template is not None and campaign.template.kind == "email":
        parts = vars(campaign.template)
        reached = audience.some(rule=campaign.segment.rule) if campaign.segment else []
        trial = content.trial(parts=parts, people=reached)
        preview = content.preview(parts=parts, customer_id=reached[0].pk if reached else None)
    extra = _reach(str(campaign.segment_id or ""), str(campaign.holdout_percent), campaign)
    return render(
        request,
        "campaigns/campaigns/check.html",
        {
            "campaign": campaign,
            "fault": fault,
            "preview": preview,
            "trial": trial,
            "sender": runs.sender(campaign),
            "fair": _fair(campaign),
            **extra,
        },
    )


@page("edit")
@require_POST
def campaign_timing(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """When each person gets it, and whether it passes the limits."""
    values = {name: request.POST.get(name, "") for name in timing.FIELDS}
    try:
        drafts.save(
            campaign_id=campaign_id,
            values=values,
            user=signed_in(request),
            now=timezone.now(),
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("Saved. Nothing was sent."))
    return redirect("campaigns:campaign-check", campaign_id)


def _fair(campaign: Campaign) -> fairness.Verdict | None:
    """Whether the watched groups are chosen alike; None while the rule cannot be read."""
    try:
        return fairness.look(campaign=campaign, milliseconds=fairness.PAGE_MS)
    except RuleFault:
        return None


def _watched(campaign: Campaign) -> dict[str, Any]:
    run = campaign.runs.order_by("-id").first()
    if run is None:
        return {"campaign": campaign, "run": None}
    progress = runs.progress(run_id=run.pk)
    numbers = reporting.figures(run_ids=[run.pk]).get(run.pk)
    reasons = [
        {"state": state, "reason": reason, "label": unsent.label_of(reason, state), "n": n}
        for state, by_reason in progress.reasons.items()
        for reason, n in by_reason.items()
    ]
    return {
        "campaign": campaign,
        "run": run,
        "progress": progress,
        "figures": numbers,
        "reasons": sorted(reasons, key=lambda row: -row["n"]),
        "live": run.state == Run.State.RUNNING,
    }


@page("view")
@require_GET
def campaign_detail(request: HttpRequest, campaign_id: int) -> HttpResponse:
    found = Campaign.objects.select_related("segment", "template", "created_by")
    campaign = get_object_or_404(found, pk=campaign_id)
    watched = _watched(campaign)
    run = watched["run"]
    recent = run.messages.filter(state=Message.State.SENT) if run else Message.objects.none()
    return render(
        request,
        "campaigns/campaigns/detail.html",
        {
            **watched,
            "caused": effects.panel(run=run, now=timezone.now()) if run else None,
            "currency": settings.DEFAULT_CURRENCY,
            "sample": recent.select_related("customer").order_by("id").first(),
            "sender": runs.sender(campaign),
        },
    )


@page("view")
@require_GET
def campaign_live(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """The part of the page that moves; it asks again by itself while there is something to see."""
    campaign = get_object_or_404(Campaign, pk=campaign_id)
    watched = _watched(campaign)
    answer = render(request, "campaigns/campaigns/_live.html", watched)
    if not watched.get("live"):
        answer["HX-Refresh"] = "true"  # the buttons and the words above change too
    return answer


def _act(request: HttpRequest, campaign_id: int, act: Any, done: str) -> HttpResponse:
    try:
        act(campaign_id=campaign_id, user=signed_in(request), now=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, done)
    return redirect("campaigns:campaign-detail", campaign_id)


@page("edit")
@require_POST
def campaign_start(request: HttpRequest, campaign_id: int) -> HttpResponse:
    return _act(request, campaign_id, runs.start, _("Sending has begun."))


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


@page("edit")
@require_POST
def campaign_pause(request: HttpRequest, campaign_id: int) -> HttpResponse:
    return _act(request, campaign_id, runs.pause, _("Paused. Nobody else is written to."))


@page("edit")
@require_POST
def campaign_resume(request: HttpRequest, campaign_id: int) -> HttpResponse:
    done = _("Going on with those who have not got it yet.")
    return _act(request, campaign_id, runs.resume, done)


@page("edit")
@require_POST
def campaign_cancel(request: HttpRequest, campaign_id: int) -> HttpResponse:
    done = _("Cancelled. Mails that were sent stay sent.")
    return _act(request, campaign_id, runs.cancel, done)


@page("edit")
@require_POST
def campaign_copy(request: HttpRequest, campaign_id: int) -> HttpResponse:
    copied = drafts.copy(campaign_id=campaign_id, user=signed_in(request), now=timezone.now())
    return redirect("campaigns:campaign-audience", copied.pk)


@page("edit")
@require_POST
def campaign_delete(request: HttpRequest, campaign_id: int) -> HttpResponse:
    try:
        drafts.delete(campaign_id=campaign_id, user=signed_in(request))
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("campaigns:campaign-detail", campaign_id)
    messages.success(request, _("The draft was deleted."))
    return redirect("campaigns:campaign-list")

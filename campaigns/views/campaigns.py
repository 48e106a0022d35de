"""Pages of campaigns: the list, the page that watches one go out, and what can be done with it."""

from datetime import timedelta
from functools import partial
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from campaigns import drafts, reporting
from campaigns.content import link_check
from campaigns.manners import rules, unsent
from campaigns.models import Campaign, Message, Run
from campaigns.recipients import routes
from campaigns.reporting import overview, responses, visits, wording
from campaigns.review import approval
from campaigns.sending import late, runs
from campaigns.views import effects
from campaigns.views.people import signed_in
from marketing.core import brand
from marketing.core.auth import page
from marketing.core.errors import Refused

PER_PAGE = 25
TABS = (
    ("", gettext_lazy("All")),
    ("draft", gettext_lazy("Draft")),
    ("scheduled", gettext_lazy("Scheduled")),
    ("running", gettext_lazy("Sending")),
    ("paused", gettext_lazy("Paused")),
    ("finished", gettext_lazy("Sent")),
    ("archived", gettext_lazy("Archived")),
)


@page("view")
@require_GET
def campaign_list(request: HttpRequest) -> HttpResponse:
    state = request.GET.get("state", "")
    there = Campaign.objects.filter(archived_at=None)
    counts = dict(there.values_list("state").annotate(n=Count("id")).order_by())
    counts[""] = sum(counts.values())
    counts["archived"] = Campaign.objects.exclude(archived_at=None).count()
    found = Campaign.objects.exclude(archived_at=None) if state == "archived" else there
    found = found.select_related("segment", "template").order_by("-updated_at", "-id")
    if state in Campaign.State.values:
        found = found.filter(state=state)
    shown = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    latest = {
        run.campaign_id: run
        for run in Run.objects.filter(campaign__in=list(shown.object_list)).order_by("id")
    }
    numbers = reporting.figures(run_ids=[run.pk for run in latest.values()])
    did = responses.by_people(run_ids=[run.pk for run in latest.values()])
    lifts = _lifts(list(latest.values()))
    rows = [
        {
            "campaign": campaign,
            "run": latest.get(campaign.pk),
            "figures": numbers.get(latest[campaign.pk].pk) if campaign.pk in latest else None,
            "did": did.get(latest[campaign.pk].pk, (0, 0)) if campaign.pk in latest else (0, 0),
            "lift": lifts.get(campaign.pk),
        }
        for campaign in shown.object_list
    ]
    tabs = [
        {
            "label": label,
            "url": f"?state={value}" if value else "?",
            "current": value == state,
            "count": counts.get(value, 0),
        }
        for value, label in TABS
    ]
    return render(
        request,
        "campaigns/campaigns/list.html",
        {"page": shown, "rows": rows, "tabs": tabs, "state": state},
    )


def _lifts(found: list[Run]) -> dict[int, dict[str, Any]]:
    """By campaign, what its hold-out says it caused in orders and money, and whether it is sure."""
    rows = [row for row in overview.listed(found=found, now=timezone.now()) if row.effect]
    widest = wording.widest([row.effect.orders.judged for row in rows if row.effect])
    return {
        row.run.campaign_id or 0: {
            "at": wording.points(row.effect.orders.judged.difference),
            "picture": {
                **wording.picture(row.effect.orders.judged, widest=widest),
                "proven": row.proven,
            },
            "proven": row.proven,
            "money": wording.amount(row.effect.caused.difference, 0),
            "verdict": wording.verdict(row.effect.orders),
        }
        for row in rows
        if row.effect
    }


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
    found = Campaign.objects.select_related("segment", "exclude", "template", "created_by")
    campaign = get_object_or_404(found, pk=campaign_id)
    watched = _watched(campaign)
    run = watched["run"]
    recent = run.messages.filter(state=Message.State.SENT) if run else Message.objects.none()
    return render(
        request,
        "campaigns/campaigns/detail.html",
        {
            **watched,
            "late": late.of(run=run, now=timezone.now())
            if campaign.state == "paused" and run
            else None,
            "caused": effects.panel(run=run, now=timezone.now()) if run else None,
            "answers": responses.responses(run_id=run.pk) if run else None,
            "links": responses.links(run=run) if run else [],
            "words": visits.words_of(run) if run else (),
            "outcomes": responses.OUTCOMES,
            "approval": {"latest": approval.last(campaign=campaign)},
            "checked": link_check.latest(campaign=campaign) if not run else None,
            "over": campaign.state in drafts.OVER,
            "currency": brand.now().currency,
            "several": _several(run),
            "sample": recent.select_related("customer").order_by("id").first(),
            "sender": runs.sender(campaign),
        },
    )


def _several(run: Run | None) -> list[tuple[str, Any]]:
    """The channels of a send that goes by several, with what they are called."""
    kept = (run.snapshot.get("draw") or {}).get("routes") if run else None
    return [(one, rules.CHANNELS[one]) for one in routes.channels(kept)] if kept else []


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


@page("view")
@require_GET
def campaign_visits(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """What visitors say; asked for beside the page, as many events are looked at."""
    run = get_object_or_404(Campaign, pk=campaign_id).runs.order_by("-id").first()
    return render(
        request,
        "campaigns/campaigns/_visits.html",
        {
            "campaign_id": campaign_id,
            "visits": visits.shown(run=run, now=timezone.now()) if run else None,
            "currency": brand.now().currency,
        },
    )


# The second press of a button finds done what it asks for: the first one said so already.
_SECOND_PRESS = timedelta(minutes=1)


def _act(request: HttpRequest, campaign_id: int, act: Any, done: str, state: str) -> HttpResponse:
    now = timezone.now()
    try:
        act(campaign_id=campaign_id, user=signed_in(request), now=now)
    except Refused as refusal:
        just = Campaign.objects.filter(
            pk=campaign_id, state=state, updated_at__gt=now - _SECOND_PRESS
        )
        if not just.exists():
            messages.error(request, str(refusal))
    else:
        messages.success(request, done)
    return redirect("campaigns:campaign-detail", campaign_id)


@page("edit")
@require_POST
def campaign_start(request: HttpRequest, campaign_id: int) -> HttpResponse:
    return _act(request, campaign_id, runs.start, _("Sending has begun."), "running")


@page("edit")
@require_POST
def campaign_schedule(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Send at the moment that was chosen in the step of timing, or no longer."""
    campaign = get_object_or_404(Campaign, pk=campaign_id)
    at = None if request.POST.get("back") else campaign.scheduled_at
    if at is None and not request.POST.get("back"):
        return redirect("campaigns:campaign-timing", campaign_id)
    done = _("Scheduled.") if at else _("It is a draft again.")
    try:
        runs.schedule(campaign_id=campaign_id, at=at, user=signed_in(request), now=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("campaigns:campaign-check", campaign_id)
    messages.success(request, done)
    return redirect("campaigns:campaign-detail", campaign_id)


@page("edit")
@require_POST
def campaign_archive(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Out of the list, or back into it."""
    back = bool(request.POST.get("back"))
    try:
        drafts.archive(
            campaign_id=campaign_id, back=back, user=signed_in(request), now=timezone.now()
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("Back in the list.") if back else _("Archived."))
    if request.POST.get("next") == "list":
        return redirect("campaigns:campaign-list")
    return redirect("campaigns:campaign-detail", campaign_id)


@page("edit")
@require_POST
def campaign_pause(request: HttpRequest, campaign_id: int) -> HttpResponse:
    done = _("Paused. Nobody else is written to.")
    return _act(request, campaign_id, runs.pause, done, "paused")


@page("edit")
@require_POST
def campaign_resume(request: HttpRequest, campaign_id: int) -> HttpResponse:
    done = _("Going on with those who have not got it yet.")
    act = partial(runs.resume, too_late=request.POST.get("late", ""))
    return _act(request, campaign_id, act, done, "running")


@page("edit")
@require_POST
def campaign_cancel(request: HttpRequest, campaign_id: int) -> HttpResponse:
    done = _("Cancelled. Mails that were sent stay sent.")
    return _act(request, campaign_id, runs.cancel, done, "cancelled")


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

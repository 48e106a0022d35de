"""Pages of experiments: what can tell what it caused, variants, costs, the global hold-out."""

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from campaigns import locks
from campaigns.manners import rules
from campaigns.models import Campaign, GlobalHoldout, Template, Trial
from campaigns.recipients import audience, holdouts
from campaigns.reporting import by_channel, costs, credit, everybody, overview, readings, wording
from campaigns.variants import rounds, shares, trials
from campaigns.views.effects import channel_group, questions, tried
from campaigns.views.people import signed_in
from marketing.core import brand
from marketing.core.auth import page
from marketing.core.errors import Refused
from marketing.core.forms import whole_number

PER_PAGE = 25
MOST_VARIANTS = 5
_FIELDS = ("mode", "metric", "hypothesis", "first_percent", "hours", "win_percent", "budget")
_BANDIT = ("rounds", "floor_percent", "learner")


@page("view")
@require_GET
def experiment_list(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    shown = Paginator(overview.runs(), PER_PAGE).get_page(request.GET.get("page"))
    rows = overview.listed(found=list(shown.object_list), now=now)
    lifts = [row.effect.orders.judged for row in rows if row.effect]
    widest = wording.widest(lifts)
    return render(
        request,
        "campaigns/experiments/list.html",
        {
            "page": shown,
            "rows": [_row(row, widest) for row in rows],
            "over": sum(row.q is not None for row in rows),
            "holdout": holdouts.standing(),
        },
    )


def _row(row: overview.Listed, widest: float) -> dict[str, Any]:
    effect = row.effect
    found: dict[str, Any] = {"listed": row, "run": row.run, "effect": effect}
    if effect is not None:
        lift = effect.orders.judged
        luck = effect.orders.proven and not row.proven
        tone, _kind = wording.VERDICTS[effect.orders.verdict]
        found |= {
            "at": wording.points(lift.difference),
            "low": wording.points(lift.low),
            "high": wording.points(lift.high),
            "picture": {**wording.picture(lift, widest=widest), "proven": row.proven},
            "money": wording.amount(effect.caused.difference, 0),
            "money_said": effect.money.proven,
            "verdict": _("Perhaps luck") if luck else wording.verdict(effect.orders),
            "tone": "warn" if luck else tone,
            "roi": effect.roi,
        }
    return found


@page("edit")
@require_http_methods(["GET", "POST"])
def campaign_variants(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Which mails are tried beside each other, on how many people, and what decides."""
    campaign = get_object_or_404(Campaign, pk=campaign_id)
    if campaign.state not in locks.EDITABLE:
        return redirect("campaigns:campaign-detail", campaign.pk)
    trial = Trial.objects.filter(campaign=campaign).first() or Trial(campaign=campaign)
    values = {name: getattr(trial, name) for name in (*_FIELDS, *_BANDIT)}
    rows: list[dict[str, Any]] = [
        {"name": one["row"].name, "template_id": one["row"].template_id or "",
         "weight": one["row"].weight, "hour": one["row"].hour, "limit": one["row"].limit}
        for one in tried(campaign=campaign)
    ]  # fmt: skip
    error: Refused | None = None
    if request.method == "POST":
        rows = _written(request)
        mode = request.POST.get("mode", "")
        wanted: tuple[str, ...] = (*_FIELDS, *_BANDIT) if mode in shares.FOLLOWING else _FIELDS
        if mode == Trial.Mode.FIXED:
            wanted = ("mode", "metric", "hypothesis", "budget")
        values |= {name: request.POST.get(name, values[name]) for name in wanted}
        try:
            trials.save(
                campaign_id=campaign.pk,
                variants=rows,
                values={name: values[name] for name in wanted},
                user=signed_in(request),
                now=timezone.now(),
            )
            messages.success(request, _("Saved."))
            return redirect("campaigns:campaign-check", campaign.pk)
        except Refused as refusal:
            error = refusal
    while len(rows) < MOST_VARIANTS:
        rows.append(
            {"name": "", "template_id": "", "weight": "", "hour": "", "limit": "", "empty": True}
        )
    return render(
        request,
        "campaigns/experiments/variants.html",
        {
            "campaign": campaign,
            "values": values,
            "rows": [{"key": key, **row} for key, row in zip(trials.KEYS, rows, strict=False)],
            "modes": Trial.Mode.choices,
            "metrics": Trial.Metric.choices,
            "learners": Trial.Learner.choices,
            "hours": [(hour, f"{hour:02}:00") for hour in range(24)],
            "templates": Template.objects.order_by("kind", "-updated_at")[:200],
            "channels": rules.CHANNELS,
            "error": error,
        },
        status=422 if error else 200,
    )


def _written(request: HttpRequest) -> list[dict[str, Any]]:
    """The variants of the form; a line without a share is none."""
    lines = zip(
        request.POST.getlist("name"),
        request.POST.getlist("template_id"),
        request.POST.getlist("weight"),
        request.POST.getlist("hour") or [""] * MOST_VARIANTS,
        request.POST.getlist("limit") or [""] * MOST_VARIANTS,
        strict=False,
    )
    return [
        {
            "name": name,
            "template_id": template if template.isdecimal() else "",
            "weight": weight,
            "hour": hour,
            "limit": limit,
        }
        for name, template, weight, hour, limit in lines
        if weight.strip()
    ]


@page("view")
@require_GET
def campaign_channels(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """What went by each channel; asked for beside the page, as orders are counted."""
    run = get_object_or_404(Campaign, pk=campaign_id).runs.order_by("-id").first()
    report = by_channel.of_run(run=run, now=timezone.now()) if run else None
    return render(
        request,
        "campaigns/experiments/_channels.html",
        {
            "campaign": run.campaign if run else None,
            "report": report,
            "groups": [channel_group(group) for group in report.groups] if report else [],
            "channels": rules.CHANNELS,
            "reasons": audience.REASONS,
            "rounds": run.rounds.all() if run else [],
            "waiting": rounds.waiting(run=run) if run else 0,
            "currency": brand.now().currency,
        },
    )


@page("edit")
@require_POST
def campaign_cost(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Write down what a campaign cost, or strike it."""
    campaign = get_object_or_404(Campaign, pk=campaign_id)
    try:
        if gone := whole_number(request.POST.get("remove")):
            costs.remove(campaign_id=campaign.pk, spend_id=gone, user=signed_in(request))
            messages.success(request, _("The cost was struck."))
        else:
            costs.note(
                campaign_id=campaign.pk,
                kind=request.POST.get("kind", ""),
                amount=request.POST.get("amount", ""),
                text=request.POST.get("note", ""),
                channel=request.POST.get("channel", ""),
                user=signed_in(request),
                now=timezone.now(),
            )
            messages.success(request, _("The cost was written down."))
    except Refused as refusal:
        messages.error(request, str(refusal))
    begun = campaign.state not in locks.EDITABLE
    return redirect(
        "campaigns:campaign-detail" if begun else "campaigns:campaign-check", campaign.pk
    )


@page("view")
@require_GET
def credit_page(request: HttpRequest) -> HttpResponse:
    """Credit by rules, beside what was measured."""
    asked = whole_number(request.GET.get("days"))
    days = asked if asked in credit.DAYS else credit.DAYS[0]
    now = timezone.now()
    rows = credit.credited(since=now - timedelta(days=days), until=now)
    lifts = {row.run.pk: row.effect.orders.judged for row in rows if row.effect}
    widest = wording.widest(list(lifts.values()))
    return render(
        request,
        "campaigns/experiments/credit.html",
        {
            "rows": [
                {
                    "row": row,
                    "picture": wording.picture(lifts[row.run.pk], widest=widest)
                    if row.effect
                    else None,
                }
                for row in rows
            ],
            "days": days,
            "choices": credit.DAYS,
            "back": credit.LOOK_BACK.days,
        },
    )


@page("view")
@require_GET
def holdout_page(request: HttpRequest) -> HttpResponse:
    """What all campaigns together cause, by people whom none of them reaches."""
    holdout = holdouts.standing() or GlobalHoldout.objects.first()
    read = readings.of_everybody(holdout=holdout) if holdout else None
    effect = everybody.effect(holdout=holdout, read=read) if holdout and read else None
    return render(
        request,
        "campaigns/experiments/holdout.html",
        {
            "holdout": holdout,
            "effect": effect,
            "said": everybody.headline(effect) if effect else None,
            "questions": questions(effect) if effect else [],
            "days": wording.days(everybody.history(holdout=holdout)) if holdout else None,
            "earlier": GlobalHoldout.objects.exclude(ended_at=None)[:10],
            "people": everybody.people(),
            "most": holdouts.MOST,
            "currency": brand.now().currency,
        },
    )


@page("edit")
@require_POST
def holdout_keep(request: HttpRequest) -> HttpResponse:
    """Keep a share out, change it, draw others, or end it."""
    now = timezone.now()
    try:
        if request.POST.get("end"):
            holdouts.end(user=signed_in(request), now=now)
            messages.success(request, _("Everybody may be written to again."))
        else:
            made = holdouts.keep(
                percent=request.POST.get("percent", ""),
                anew=bool(request.POST.get("anew")),
                user=signed_in(request),
                now=now,
            )
            messages.success(
                request,
                _("%(share)s%% of people are kept out from now on.")
                % {"share": f"{made.percent:g}"},
            )
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("campaigns:holdout")

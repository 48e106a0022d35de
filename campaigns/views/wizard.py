"""The steps of making a campaign: audience, message, timing, test, check. Each keeps what it has.

The step of the message is in `message_step`, that of the test is the page of variants, in
`experiments`, the last one in `check`.
"""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from campaigns import drafts, locks
from campaigns.manners import rules, timing
from campaigns.models import Campaign, Segment, Variant
from campaigns.recipients import audience
from campaigns.segments import once
from campaigns.segments.turns import OutOfTime, patiently
from campaigns.views.people import signed_in
from ingestion import queries
from marketing.core.auth import page
from marketing.core.errors import Invalid, Refused
from marketing.core.forms import whole_number

WHOLE = ("segment", "exclude", "template")
_LOOKED_UP = (*WHOLE, "trial", "link_check")
# In a shop of more people they are counted beside the page, and for so long.
LARGE, BESIDE_MS = 50_000, 25_000


def editable(campaign_id: int) -> Campaign | None:
    """The campaign of a step; None when it has begun and its page shows what became of it."""
    mails = Prefetch("variants", Variant.objects.select_related("template").order_by("key"))
    whole = Campaign.objects.select_related(*_LOOKED_UP).prefetch_related(mails)
    campaign = get_object_or_404(whole.annotate(about=queries.ABOUT_PEOPLE), pk=campaign_id)
    once.put({"people": vars(campaign)["about"]})
    return campaign if campaign.state in locks.EDITABLE else None


def _segments() -> Any:
    return Segment.objects.filter(state=Segment.State.LIVE).order_by("-updated_at", "-id")[:200]


def reach_of(
    segment_id: str, exclude_id: str, percent: str, campaign: Campaign | None, *, beside: bool
) -> dict[str, Any]:
    """The count of an audience for the steps, or why there is none.

    Where there are many people it is counted `beside` the page that asks for it.
    """
    segment = Segment.objects.filter(pk=whole_number(segment_id) or 0).first()
    if segment is None:
        return {}
    without = Segment.objects.filter(pk=whole_number(exclude_id) or 0).first()
    return _counted(segment, without, percent, campaign, beside)


def _counted(
    segment: Segment, without: Segment | None, percent: str, campaign: Campaign | None, beside: bool
) -> dict[str, Any]:
    share = whole_number(percent) or 0
    asked: dict[str, Any] = {"segment": segment, "without": without}
    if not beside and crowded():
        query = {"segment_id": segment.pk, "exclude_id": without.pk if without else ""}
        query |= {"holdout_percent": share, "campaign": campaign.pk if campaign else ""}
        return {**asked, "reach_later": urlencode(query)}
    draw = audience.draw_of(campaign, holdout=share if share <= 50 else 0)
    try:
        counted = audience.reach(
            rule=segment.rule,
            draw=draw,
            channel=campaign.template.kind if campaign and campaign.template else "email",
            exclude=without.rule if without else None,
        )
    except Refused as refusal:
        return {"segment": segment, "reach_fault": str(refusal)}
    told = {"reasons": audience.REASONS, "channels": rules.CHANNELS}
    return {**asked, "reach": counted, **told}


def crowded() -> bool:
    """Whether the shop has more people than a page counts before it stands."""
    return once.keep("people", queries.about_people) > LARGE


def reach_of_campaign(campaign: Campaign) -> dict[str, Any]:
    if campaign.segment is None:
        return {}
    percent = str(campaign.holdout_percent)
    return _counted(campaign.segment, campaign.exclude, percent, campaign, beside=False)


@page("edit")
@require_http_methods(["GET", "POST"])
def campaign_audience(request: HttpRequest, campaign_id: int | None = None) -> HttpResponse:
    """Step 1: name, people, whom to leave out, hold-out. Without an id it makes the draft."""
    campaign = editable(campaign_id) if campaign_id else None
    if campaign_id and campaign is None:
        return redirect("campaigns:campaign-detail", campaign_id)
    values = {
        "name": campaign.name if campaign else "",
        "segment_id": str((campaign and campaign.segment_id) or request.GET.get("segment", "")),
        "exclude_id": str((campaign and campaign.exclude_id) or ""),
        "holdout_percent": str(campaign.holdout_percent if campaign else 10),
    }
    error: Refused | None = None
    if request.method == "POST":
        values = {name: request.POST.get(name, "") for name in values}
        try:
            if not values["segment_id"]:
                raise Invalid(_("Choose a segment."), field="segment_id")
            saved = drafts.save(
                campaign_id=campaign_id, values=values, user=signed_in(request), now=timezone.now()
            )
            return redirect("campaigns:campaign-message", saved.pk)
        except Refused as refusal:
            error = refusal
    counted = reach_of(
        values["segment_id"],
        values["exclude_id"],
        values["holdout_percent"],
        campaign,
        beside=False,
    )
    return render(
        request,
        "campaigns/campaigns/audience.html",
        {
            "campaign": campaign,
            "values": values,
            "error": error,
            "segments": _segments(),
            **counted,
        },
        status=422 if error else 200,
    )


@page("view")
@require_GET
def campaign_reach(request: HttpRequest) -> HttpResponse:
    """The live count beside the audience step."""
    found = Campaign.objects.select_related("template")
    campaign = found.filter(pk=whole_number(request.GET.get("campaign")) or 0).first()
    segment_id, exclude_id, percent = (
        request.GET.get(name, "") for name in ("segment_id", "exclude_id", "holdout_percent")
    )
    try:
        with patiently(BESIDE_MS):
            counted = reach_of(segment_id, exclude_id, percent, campaign, beside=True)
    except OutOfTime:
        said = _(
            "Counting these people takes longer than %(n)s seconds, so there is no number here. "
            "Nothing was changed, and sending works without it."
        )
        counted = {"reach_fault": said % {"n": BESIDE_MS // 1000}}
    return render(request, "campaigns/campaigns/_reach.html", counted)


@page("edit")
@require_http_methods(["GET", "POST"])
def campaign_timing(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Step 3: now or at a moment, by whose clock, and how late is too late."""
    campaign = editable(campaign_id)
    if campaign is None:
        return redirect("campaigns:campaign-detail", campaign_id)
    values: dict[str, Any] = {name: getattr(campaign, name) for name in timing.FIELDS}
    at = campaign.scheduled_at
    values |= {
        "when": "later" if at else "now",
        "at": timezone.localtime(at).strftime("%Y-%m-%dT%H:%M") if at else "",
        "local_time": f"{campaign.local_time:%H:%M}",
    }
    error: Refused | None = None
    if request.method == "POST":
        values = {name: request.POST.get(name, "") for name in values}
        now = timezone.now()
        try:
            moment = _moment(values["at"]) if values["when"] == "later" else None
            changed = drafts.plan(
                campaign_id=campaign.pk,
                at=moment,
                values={name: values[name] for name in timing.FIELDS},
                user=signed_in(request),
                now=now,
            )
            if changed:
                messages.info(request, _("It is a draft again until you confirm it at the end."))
            return redirect("campaigns:campaign-variants", campaign.pk)
        except Refused as refusal:
            error = refusal
    return render(
        request,
        "campaigns/campaigns/timing.html",
        {
            "campaign": campaign,
            "values": values,
            "error": error,
            "zone": timezone.get_current_timezone_name(),
            "rules": rules.current(),
        },
        status=422 if error else 200,
    )


def _moment(text: str) -> datetime:
    """A moment as the browser writes it, by the shop's clock."""
    try:
        plain = datetime.fromisoformat(text)
        at = plain if plain.tzinfo else timezone.make_aware(plain)
    except ValueError:
        raise Invalid(
            _("Choose a day and an hour."), code="bad_moment", field="scheduled_at"
        ) from None
    return at

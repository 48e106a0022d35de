"""Pages of ads: all campaigns, one campaign, making and changing it, and its numbers as a file."""

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from campaigns.ads import defining, figures, permission, steering, trainings
from campaigns.models import AdCampaign, AdCreative, AdPlacement
from campaigns.views.people import signed_in
from marketing.core import brand
from marketing.core.auth import page
from marketing.core.errors import Refused
from models_ml import charts

PER_PAGE = 25
_FORM = (
    "name", "goal", "budget", "daily_cap", "pricing", "price", "starts_on", "ends_on", "mode",
    "floor_percent",
)  # fmt: skip


@page("view")
@require_GET
def ads(request: HttpRequest) -> HttpResponse:
    shown = Paginator(AdCampaign.objects.all(), PER_PAGE).get_page(request.GET.get("page"))
    rows = list(shown.object_list)
    sums = figures.of_ads(rows)
    now = timezone.now()
    return render(
        request,
        "campaigns/ads/list.html",
        {
            "page": shown,
            "rows": [
                {
                    "ad": ad,
                    "sums": sums.get(ad.pk, figures.Sums()),
                    "spent": sums[ad.pk].cost / ad.budget if ad.pk in sums else 0,
                    "over": steering.today_of(ad, now) > ad.ends_on,
                }
                for ad in rows
            ],
            "asked": permission.is_asked(),
        },
    )


@page("view")
@require_GET
def ad(request: HttpRequest, key: str) -> HttpResponse:
    """What it costs against the plan, what came of each creative, and the models behind it."""
    found = get_object_or_404(AdCampaign, key=key)
    now = timezone.now()
    newest = found.rounds.first()
    return render(
        request,
        "campaigns/ads/detail.html",
        {
            "ad": found,
            "sums": figures.of_ad(found),
            "today": figures.today(found, now=now),
            "days": figures.days(found, now=now),
            "creatives": figures.creatives(found),
            "placements": figures.placements(found),
            "round": newest,
            "ways": _ways(newest.values) if newest else [],
            "models": [_model(name) for name in trainings.MODELS],
            "floor": found.floor_percent,
        },
    )


def _ways(values: dict[str, Any]) -> list[dict[str, Any]]:
    """What ways of choosing would have earned, per thousand impressions."""
    words = {
        "standing": _("As it was shown until then"),
        "equal": _("All creatives equally often"),
        "shares": _("Shares that follow the answers"),
        "person": _("What suits each person"),
    }
    return [
        {
            "name": word,
            **{part: 1000 * values[way][part] for part in ("value", "low", "high")},
            "rows": round(values[way]["rows"]),
        }
        for way, word in words.items()
        if way in values
    ]


def _model(name: str) -> dict[str, Any]:
    version = trainings.newest(name)
    found: dict[str, Any] = {"name": name, "title": trainings.title(name), "version": version}
    if version is not None:
        bins = version.details.get("calibration") or []
        most = max((one["high"] for one in bins), default=0) or 1
        scaled = [
            {
                **one,
                **{part: min(one[part] / most, 1.0) for part in ("said", "seen", "low", "high")},
            }
            for one in bins
        ]
        found |= {
            "metrics": version.metrics,
            "baseline": version.baseline,
            "bins": bins,
            "plot": charts.calibration(scaled),
            "most": most,
        }
    return found


@page("edit")
@require_http_methods(["GET", "POST"])
def ad_edit(request: HttpRequest, key: str = "") -> HttpResponse:
    """Make a campaign of ads, or change one."""
    found = get_object_or_404(AdCampaign, key=key) if key else None
    now = timezone.now()
    values = _begin(found, now)
    error: Refused | None = None
    if request.method == "POST":
        values = {name: request.POST.get(name, "").strip() for name in _FORM}
        values["placements"] = request.POST.getlist("placements")
        values["new_placement"] = request.POST.get("new_placement", "").strip()
        try:
            made = _saved(request, found, values)
            messages.success(request, _("Saved."))
            return redirect("campaigns:ad", made.key)
        except Refused as refusal:
            error = refusal
    return render(
        request,
        "campaigns/ads/edit.html",
        {
            "ad": found,
            "values": values,
            "error": error,
            "places": AdPlacement.objects.all()[:100],
            "goals": AdCampaign.Goal.choices,
            "pricings": AdCampaign.Pricing.choices,
            "modes": AdCampaign.Mode.choices,
            "currency": found.currency if found else brand.now().currency,
        },
        status=422 if error else 200,
    )


def _begin(found: AdCampaign | None, now: Any) -> dict[str, Any]:
    if found is None:
        today = now.date()
        return {
            "name": "", "goal": "click", "budget": "", "daily_cap": "", "pricing": "cpm",
            "price": "", "starts_on": f"{today:%Y-%m-%d}",
            "ends_on": f"{today + timedelta(days=27):%Y-%m-%d}", "mode": "bandit",
            "floor_percent": "5", "placements": [],
        }  # fmt: skip
    values = {name: getattr(found, name) for name in _FORM}
    values["daily_cap"] = "" if found.daily_cap is None else found.daily_cap
    values |= {name: f"{values[name]:%Y-%m-%d}" for name in ("starts_on", "ends_on")}
    values["floor_percent"] = f"{found.floor_percent:g}"
    values["price"] = f"{found.price.normalize():f}"
    return {**values, "placements": [one.key for one in found.placements.all()]}


def _saved(request: HttpRequest, found: AdCampaign | None, values: dict[str, Any]) -> AdCampaign:
    user, now = signed_in(request), timezone.now()
    chosen = list(values["placements"])
    # Together, so that what is refused leaves no placement behind which the next try doubles.
    with transaction.atomic():
        if values["new_placement"]:
            name = values["new_placement"]
            place, _new = defining.save_placement(
                key=_free_key(name, AdPlacement), values={"name": name}, actor=user, now=now
            )
            chosen.append(place.key)
        key = found.key if found else _free_key(values["name"], AdCampaign)
        made, _made = defining.save(
            key=key,
            values={**{name: values[name] for name in _FORM}, "placements": chosen},
            actor=user,
            now=now,
        )
    return made


def _free_key(name: str, model: Any) -> str:
    """A key made of a name, with a number where it is taken."""
    base = slugify(name)[:50] or "ad"
    taken = set(model.objects.filter(key__startswith=base).values_list("key", flat=True))
    return next(
        key for n in range(1, 10_000) if (key := base if n == 1 else f"{base}-{n}") not in taken
    )


@page("edit")
@require_POST
def ad_move(request: HttpRequest, key: str) -> HttpResponse:
    found = get_object_or_404(AdCampaign, key=key)
    try:
        defining.move(
            key=found.key, to=request.POST.get("to", ""), actor=signed_in(request),
            now=timezone.now(),
        )  # fmt: skip
        messages.success(request, _("Done."))
    except Refused as refusal:
        messages.error(request, " ".join(filter(None, [str(refusal), refusal.remedy])))
    return redirect("campaigns:ad", found.key)


@page("edit")
@require_POST
def ad_creative(request: HttpRequest, key: str) -> HttpResponse:
    """Add a creative, or take one out of the draw or back into it."""
    found = get_object_or_404(AdCampaign, key=key)
    given, name = request.POST.get("creative", ""), request.POST.get("name", "").strip()
    values: dict[str, Any]
    if given:
        values = {"active": bool(request.POST.get("active"))}
    else:
        given = _free_key(f"{slugify(found.key)[:30]}-{name}", AdCreative)
        values = {part: request.POST.get(part, "") for part in ("headline", "url", "image_url")}
        values |= {"name": name, "weight": request.POST.get("weight") or "1"}
    try:
        defining.save_creative(
            ad_key=found.key, key=given, values=values, actor=signed_in(request), now=timezone.now()
        )
        messages.success(request, _("Saved."))
    except Refused as refusal:
        messages.error(request, " ".join(filter(None, [str(refusal), refusal.remedy])))
    return redirect("campaigns:ad", found.key)


@page("edit")
@require_POST
def ad_train(request: HttpRequest) -> HttpResponse:
    """Learn from what came in until now."""
    trainings.start(user=signed_in(request))
    messages.success(request, _("Learning has begun; the result appears here."))
    back = AdCampaign.objects.filter(key=request.POST.get("ad", "")).first()
    return redirect("campaigns:ad", back.key) if back else redirect("campaigns:ads")


@page("view")
@require_GET
def ad_results(request: HttpRequest, key: str) -> StreamingHttpResponse:
    """What came of a campaign, hour by hour, as CSV."""
    found = get_object_or_404(AdCampaign, key=key)
    answer = StreamingHttpResponse(figures.as_csv(found), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="ads-{found.key}.csv"'
    answer["X-Content-Type-Options"] = "nosniff"
    return answer

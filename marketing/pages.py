"""The pages that need every app: home, one person seen whole, and the search of the palette."""

from datetime import timedelta
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.db.models import Q, Value
from django.db.models.functions import Concat
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from ingestion.models import Customer, Order
from marketing import demo, figures, hints, overview, person, turnover
from marketing.core import progress
from marketing.core.auth import page
from marketing.core.models import Job

FOUND = 6


@page("view")
def home(request: HttpRequest) -> HttpResponse:
    """What happened, what is worth doing and what runs; useful from the first rows on."""
    now = timezone.now()
    days = int(request.GET["days"]) if request.GET.get("days") in ("7", "28", "90") else 28
    running = list(
        Job.objects.filter(state__in=Job.OPEN).defer("log", "result", "params").order_by("id")[:6]
    )
    context: dict[str, Any] = {
        "greeting": _greeting() % {"name": request.user.first_name or request.user.username},  # type: ignore[union-attr]
        "days": days,
        "periods": turnover.PERIODS,
        "running": running,
        "ring": progress.ring_of(running),
    }
    context |= _demo_stages()
    seen = figures.happened(days=days, now=now)
    if seen is None and not running and overview.is_empty():
        return render(request, "home_empty.html", context)
    models = overview.newest_models()
    campaigns = overview.recent_campaigns()
    stages = overview.lifecycle()
    context |= {
        "seen": seen,
        "chart": figures.chart(seen) if seen else None,
        "hints": hints.worth_doing(models=models, campaigns=campaigns),
        "models": overview.health(models),
        "campaigns": campaigns,
        "stages": stages,
        "stop": overview.most_stop(stages),
        "ended": list(
            Job.objects.filter(state=Job.State.DONE, finished_at__gte=now - timedelta(days=2))
            .only("public_id", "kind", "title", "finished_at", "started_at", "result_url", "state")
            .order_by("-finished_at")[: min(5, max(3, len(campaigns) + 1))]
        ),
    }
    return render(request, "home.html", context)


def _demo_stages() -> dict[str, Any]:
    """The steps of the demo while it loads or when one failed; none once all are done."""
    stages = demo.stages()
    done = sum(stage.state == demo.DONE for stage in stages)
    begun = any(stage.job for stage in stages)
    shown = stages if begun and done < len(stages) else []
    # The first stored orders are news too: the numbers of the page begin with them.
    news = f"{done}.{int(done > 0 or not shown or Order.objects.exists())}"
    return {"stages_of_demo": shown, "demo_done": news}


@page("view")
def demo_steps(request: HttpRequest) -> HttpResponse:
    """The steps of the demo; once one more is done the whole page is drawn again."""
    context = _demo_stages()
    if request.GET.get("done", "") != context["demo_done"]:
        return HttpResponse(status=204, headers={"HX-Refresh": "true"})
    return render(request, "_home_demo.html", context)


def _greeting() -> str:
    hour = timezone.localtime().hour
    if hour < 5 or hour >= 18:
        return _("Good evening, %(name)s")
    return _("Good morning, %(name)s") if hour < 12 else _("Good afternoon, %(name)s")


@page("view")
def customer(request: HttpRequest, customer_id: int) -> HttpResponse:
    """One person: consent, numbers with reasons, timeline, orders, segments, picks, mails.

    The address of somebody who was merged leads to whoever they are today.
    """
    found = get_object_or_404(Customer.every.select_related("rollup"), pk=customer_id)
    if found.merged_into_id is not None:
        return redirect("customer", found.merged_into_id)
    return render(request, "customer.html", person.seen_whole(found))


@page("view")
def people_search(request: HttpRequest) -> HttpResponse:
    """People whose name, e-mail or number begins with what was typed into the palette."""
    typed = request.GET.get("q", "").strip()[:80]
    found: list[Customer] = []
    if len(typed) >= 2:
        found = list(
            Customer.objects.annotate(full_name=Concat("first_name", Value(" "), "last_name"))
            .filter(
                Q(external_id__startswith=typed)
                | Q(email__startswith=typed.lower())
                | Q(full_name__istartswith=typed)
                | Q(last_name__istartswith=typed)
            )
            .order_by("id")[:FOUND]
        )
    return render(request, "core/_people_found.html", {"found": found, "typed": typed})


@login_not_required
def csrf_refused(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form without a valid token: say what may have happened, in the platform's own words."""
    if request.headers.get("HX-Request"):
        return HttpResponse(
            _("This page was open for too long. Reload it and try again; nothing was changed."),
            status=403,
            content_type="text/plain; charset=utf-8",
        )
    return render(request, "403_csrf.html", status=403)

"""Pages of the recommenders: how the engines compare, and what each would show one person."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from ingestion.models import Customer, Order
from marketing.core import audit, jobs
from marketing.core.auth import page
from marketing.core.models import Job
from models_ml import catalog
from recommendations import evaluate, people, placements, serve

TRAIN, REFRESH = "recommenders.train", "recommendations.refresh"


@page("view")
def home(request: HttpRequest) -> HttpResponse:
    """The engines on the same exam, who serves and by how much; then one person's picks."""
    rows = evaluate.engines()
    current = serve.current_set()
    context: dict[str, Any] = {
        "rows": rows,
        "refused": [row for row in rows if row.state == "refused"],
        "exam": rows[0].exam if rows else {},
        "verdict": evaluate.verdict(rows),
        "chart": _chart(rows),
        "current": current,
        "no_orders": not rows and not Order.objects.exists(),
        "running": list(
            Job.objects.filter(kind__in=(TRAIN, REFRESH), state__in=Job.OPEN)
            .defer("log", "result", "params")
            .order_by("id")
        ),
    }
    if current is not None:
        context["found"] = people.search("")
        chosen = request.GET.get("customer", "")
        customer = None
        if chosen.isascii() and chosen.isdigit() and len(chosen) < 19:
            customer = Customer.objects.filter(pk=int(chosen)).first()
        customer = customer or (context["found"][0] if context["found"] else None)
        if customer is not None:
            context |= _person(customer, rows)
    return render(request, "recommendations/home.html", context)


def _chart(rows: list[evaluate.Judged]) -> list[dict[str, object]]:
    return [
        {"title": row.title, "ndcg": row.ndcg, "recall": row.recall, "serves": row.serves}
        for row in reversed(rows)
    ]


def _person(customer: Customer, rows: list[evaluate.Judged]) -> dict[str, Any]:
    return {
        "customer": customer,
        "sides": people.sides(customer, rows),
        "bought": people.bought(customer),
    }


@page("view")
def person_list(request: HttpRequest) -> HttpResponse:
    """People that match what was typed, as buttons."""
    typed = request.GET.get("q", "").strip()[:80]
    found = people.search(typed)
    return render(request, "recommendations/_people.html", {"found": found, "typed": typed})


@page("view")
def person_detail(request: HttpRequest, customer_id: int) -> HttpResponse:
    """Every engine's picks for one person, side by side."""
    customer = get_object_or_404(Customer.objects.select_related("rollup"), pk=customer_id)
    return render(request, "recommendations/_picks.html", _person(customer, evaluate.engines()))


@require_POST
@page("edit")
def train_start(request: HttpRequest) -> HttpResponse:
    """Train every engine again; a refresh of the picks follows by itself."""
    return _start(request, TRAIN, _("Learn what people buy next"), 1 + len(catalog.CATALOG))


@require_POST
@page("edit")
def refresh_start(request: HttpRequest) -> HttpResponse:
    """Choose products for everybody again with the live engines."""
    return _start(request, REFRESH, _("Choose products for each person"), placements.REFRESH_STEPS)


def _start(request: HttpRequest, kind: str, title: str, steps: int) -> HttpResponse:
    if Job.objects.filter(kind=kind, state__in=Job.OPEN).exists():
        messages.info(request, _("This is already running; its progress is below."))
        return redirect("recommendations:home")
    job = jobs.start(kind=kind, title=title, user=request.user, steps=steps)  # type: ignore[arg-type]
    audit.record(actor=request.user, action=f"{kind}.started", obj=job)  # type: ignore[arg-type]
    messages.success(request, _("Started. The page shows how far it is."))
    return redirect("recommendations:home")

"""The lab: engines on one exam, curves while they learn, and what each placement should show."""

from typing import Any

from django.contrib import messages
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from marketing.core.auth import page
from marketing.core.errors import Refused
from marketing.core.models import Job
from models_ml import catalog, learning
from models_ml.models import ModelVersion
from recommendations import evaluate, lab
from recommendations.views.engines import TRAIN


@page("view")
def home(request: HttpRequest) -> HttpResponse:
    """Every engine on one split by time, by group, and placements with what came of them."""
    rows = evaluate.engines()
    told = lab.of_one_exam(rows)
    context: dict[str, Any] = {
        "rows": told,
        "untold": bool(rows) and not told,
        "exam": told[0].exam if told else {},
        "verdict": evaluate.verdict(rows),
        "groups": lab.groups(told),
        **_learning(),
    }
    try:
        context["proposals"] = lab.proposals(rows, now=timezone.now())
    except OperationalError:
        context["slow"] = True
    return render(request, "recommendations/lab.html", context)


@page("view")
def curves(request: HttpRequest) -> HttpResponse:
    """How engines learn at this moment, else how they did; a page asks again while they do."""
    return render(request, "recommendations/_curves.html", _learning())


def _learning() -> dict[str, Any]:
    jobs = Job.objects.filter(kind=TRAIN, state__in=Job.OPEN).order_by("id")
    job = jobs.defer("log", "result", "params").first()
    if job is not None:
        return {"job": job, "curves": learning.running(job.pk)}
    newest: dict[str, ModelVersion] = {}
    names = [entry.name for entry in catalog.CATALOG if entry.by_epochs]
    for version in ModelVersion.objects.filter(name__in=names).order_by("name", "version"):
        newest[version.name] = version
    return {"job": None, "curves": learning.stored(newest.values())}


@require_POST
@page("edit")
def publish(request: HttpRequest, slug: str) -> HttpResponse:
    """Let a placement show what was proposed, or the best judged by itself."""
    try:
        row = lab.publish(
            slug=slug,
            engine=request.POST.get("engine", "")[:20],
            actor=request.user,  # type: ignore[arg-type]
            now=timezone.now(),
        )
        messages.success(
            request, _("Published: %(name)s shows it within two seconds.") % {"name": row.name}
        )
    except Refused as fault:
        messages.error(request, f"{fault.message} {fault.remedy or ''}")
    return redirect("recommendations:lab")

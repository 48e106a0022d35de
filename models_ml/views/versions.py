"""One version of the tree or of a recommender, with everything it was judged by."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from marketing.core import audit, jobs
from marketing.core.auth import page, person
from marketing.core.errors import Refused
from marketing.core.models import Job
from models_ml import catalog, charts, queries, registry
from models_ml.demand import reading as demand
from models_ml.models import Exploration, ModelVersion, Prediction
from models_ml.views import figures, names


@page("view")
def model_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One version: data, baseline, held-out figures, charts, parameters, and the other versions."""
    version = get_object_or_404(ModelVersion.objects.select_related("job"), pk=pk)
    if Prediction.objects.filter(key=version.name).exists():
        address = reverse("models_ml:prediction", args=[version.name])
        return redirect(f"{address}?version={version.version}")
    if version.name.startswith("clusters:"):
        return redirect("models_ml:clusters-of", key=version.name.removeprefix("clusters:"))
    shown = [one for name in version.metrics if (one := figures.against(version, name))]
    details = version.details
    main = figures.main_metric(version)
    shown.sort(key=lambda one: (one["name"] != main, one["name"] not in figures.METRICS))
    return render(
        request,
        "models_ml/model_detail.html",
        {
            "version": version,
            "title": names.title(version.name),
            "about": names.about(version.name),
            "method": names.learns_by(version),
            "baseline": names.held_against(version),
            "figures": shown,
            "main": figures.against(version, main),
            "gain": details.get("auc_gain") or figures.gap(details),
            "is_tree": details.get("kind") == "tree",
            "question": version.name.partition("tree:")[2],
            "judged_at": _moment(details.get("judged_at")),
            "gains": charts.gains(details.get("gains"), details.get("gains_baseline")),
            "calibration": charts.calibration(details.get("calibration")),
            "calibration_rows": details.get("calibration") or [],
            "history": _history(details),
            "tried": details.get("tried") or [],
            "split": details.get("split") or {},
            "split_from": _moment((details.get("split") or {}).get("test_from")),
            "split_until": _moment((details.get("split") or {}).get("until")),
            "leaves": sorted(details.get("leaves") or [], key=lambda leaf: -leaf["rate"]["value"]),
            "params": sorted((k, v) for k, v in version.params.items() if k != "seed"),
            "versions": ModelVersion.objects.filter(name=version.name).defer("details")[:20],
            "main_name": main,
        },
    )


def _history(details: dict[str, Any]) -> list[dict[str, Any]]:
    history = details.get("history")
    epochs = history.get("epochs") if isinstance(history, dict) else history
    return [epoch for epoch in epochs or [] if isinstance(epoch, dict)]


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


@require_POST
@page("edit")
def model_promote(request: HttpRequest, pk: int) -> HttpResponse:
    """Publish a version by hand: an older one, or a candidate somebody vouches for."""
    version = get_object_or_404(ModelVersion, pk=pk)
    try:
        registry.promote(version=version)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("models_ml:model-detail", pk=pk)
    audit.record(actor=request.user, action="model.promoted", obj=version)  # type: ignore[arg-type]
    if version.name == queries.REPEAT:
        jobs.start(kind="features.build", title=_("Score everyone with the tree now live"),
                   user=request.user, steps=2)  # type: ignore[arg-type]  # fmt: skip
    messages.success(request, _("%(version)s is live.") % {"version": version})
    return redirect("models_ml:model-detail", pk=pk)


@require_POST
@page("edit")
def model_train(request: HttpRequest, name: str) -> HttpResponse:
    """Train a model again as a job; the live version stays until the new one is judged."""
    if known := names.OTHERS.get(name):
        return _job(known.train(user=person(request)))
    if name == demand.NAME:
        return _job(demand.open_job() or demand.start(user=person(request)))
    tree, params = name == queries.REPEAT, {}
    kind = "tree.train" if tree else "recommenders.train"
    if name.startswith("tree:"):
        asked = get_object_or_404(Exploration, key=name.removeprefix("tree:"))
        tree, kind, params = True, "explorer.train", {"exploration": asked.pk}
    elif not tree and name not in catalog.BY_NAME:
        raise Http404
    running = Job.objects.filter(kind=kind, state__in=Job.OPEN, params__contains=params).first()
    if running is None:
        running = jobs.start(
            kind=kind,
            title=_("Train the decision tree") if tree else _("Train the recommenders"),
            params=params,
            user=person(request),
            steps=5,
        )
    return _job(running)


def _job(job: Job) -> HttpResponse:
    return redirect("core:job-detail", public_id=job.public_id)

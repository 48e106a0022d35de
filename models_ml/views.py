"""Pages of models: what there is, and one version with everything it was judged by."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from marketing.core import audit, jobs
from marketing.core.auth import page
from marketing.core.errors import Refused
from marketing.core.models import Job
from models_ml import catalog, charts, queries, registry
from models_ml.models import ModelVersion

TREE_TITLE = gettext_lazy("Orders again within 90 days")
TREE_ABOUT = gettext_lazy(
    "A decision tree that puts every customer into one of a few groups and says how likely a person"
    " of that group is to order again within 90 days."
)
METRICS = {
    "auc": gettext_lazy("Ranks people right (AUC)"),
    "log_loss": gettext_lazy("Surprise at what happened (log loss, lower is better)"),
    "brier": gettext_lazy("Squared error of the chances (Brier, lower is better)"),
    "ndcg@10": gettext_lazy("Right products near the top (NDCG@10)"),
    "recall@10": gettext_lazy("Later purchases among ten picks (recall@10)"),
    "hit@10": gettext_lazy("People with a hit among ten picks"),
    "mrr@10": gettext_lazy("Place of the first hit (MRR@10)"),
    "coverage@10": gettext_lazy("Share of the catalogue ever shown"),
}
LOWER = {"log_loss", "brier"}
MAIN = {"tree": "auc"}


@page("view")
def model_list(request: HttpRequest) -> HttpResponse:
    """One card a model: its live version, or the last that was refused, beside its baseline."""
    newest: dict[str, ModelVersion] = {}
    live: dict[str, ModelVersion] = {}
    count: dict[str, int] = {}
    for version in ModelVersion.objects.order_by("name", "-version").defer("details"):
        newest.setdefault(version.name, version)
        count[version.name] = count.get(version.name, 0) + 1
        if version.state == ModelVersion.State.LIVE:
            live[version.name] = version
    cards = [
        {
            "title": title(name),
            "version": live.get(name, newest[name]),
            "newest": newest[name],
            "versions": count[name],
            "headline": _headline(live.get(name, newest[name])),
        }
        for name in sorted(newest, key=lambda name: (name != queries.REPEAT, name))
    ]
    training = list(
        Job.objects.filter(kind__in=["tree.train", "recommenders.train"], state__in=Job.OPEN)
    )
    return render(request, "models_ml/model_list.html", {"cards": cards, "training": training})


def title(name: str) -> str:
    """What a model is called on screen."""
    if name == queries.REPEAT:
        return str(TREE_TITLE)
    entry = catalog.BY_NAME.get(name)
    return str(entry.title) if entry else name.replace("_", " ")


def about(name: str) -> str:
    if name == queries.REPEAT:
        return str(TREE_ABOUT)
    entry = catalog.BY_NAME.get(name)
    return str(entry.about) if entry else ""


def _main_metric(version: ModelVersion) -> str:
    entry = catalog.BY_NAME.get(version.name)
    name = entry.metric if entry else "auc"
    return name if name in version.metrics else next(iter(version.metrics), "")


def _headline(version: ModelVersion) -> dict[str, Any] | None:
    return _against(version, _main_metric(version))


def _against(version: ModelVersion, name: str) -> dict[str, Any] | None:
    """One figure beside its baseline, as bars on a common scale."""
    ours, dull = version.metrics.get(name), version.baseline.get(name)
    if not isinstance(ours, int | float) or isinstance(ours, bool):
        return None
    dull = dull if isinstance(dull, int | float) else None
    top = max(ours, dull or 0.0) or 1.0
    lower = name in LOWER
    return {
        "name": name,
        "label": str(METRICS.get(name, name)),
        "ours": ours,
        "dull": dull,
        "ours_width": round(100 * ours / top, 1),
        "dull_width": round(100 * dull / top, 1) if dull is not None else 0,
        "change": (ours / dull - 1) if dull else None,
        "better": dull is not None and (ours < dull if lower else ours > dull),
        "lower": lower,
    }


@page("view")
def model_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One version: data, baseline, held-out figures, charts, parameters, and the other versions."""
    version = get_object_or_404(ModelVersion.objects.select_related("job"), pk=pk)
    figures = [figure for name in version.metrics if (figure := _against(version, name))]
    details = version.details
    main = _main_metric(version)
    figures.sort(key=lambda figure: (figure["name"] != main, figure["name"] not in METRICS))
    return render(
        request,
        "models_ml/model_detail.html",
        {
            "version": version,
            "title": title(version.name),
            "about": about(version.name),
            "figures": figures,
            "main": _against(version, main),
            "gain": details.get("auc_gain") or _gap(details),
            "is_tree": details.get("kind") == "tree",
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


def _gap(details: dict[str, Any]) -> dict[str, float] | None:
    gap = details.get("difference")
    if not isinstance(gap, dict) or "low" not in gap:
        return None
    return {"value": gap.get("mean", gap.get("value", 0.0)), "low": gap["low"], "high": gap["high"]}


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
    tree = name == queries.REPEAT
    kind = "tree.train" if tree else "recommenders.train"
    running = Job.objects.filter(kind=kind, state__in=Job.OPEN).first()
    if running is None:
        running = jobs.start(
            kind=kind,
            title=_("Train the decision tree") if tree else _("Train the recommenders"),
            user=request.user,  # type: ignore[arg-type]
            steps=5,
        )
    return redirect("core:job-detail", public_id=running.public_id)

"""The tree explorer: groups the decision tree found, each kept as a segment with one press."""

from typing import Any

from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from campaigns.models import Segment
from campaigns.segments import compile as compiler
from campaigns.segments import definitions, leaves
from marketing.core import jobs
from marketing.core.auth import page
from marketing.core.errors import Refused
from marketing.core.models import Job
from models_ml import queries
from models_ml.models import ModelVersion, Traits

DEPTHS = (2, 3, 4, 5)


@page("view")
def tree(request: HttpRequest) -> HttpResponse:
    """The live tree over everyone as they are now; without one, how to get one."""
    version = queries.live()
    job = Job.objects.filter(kind="tree.train", state__in=Job.OPEN).first()
    refused = None
    if version is None:
        refused = ModelVersion.objects.filter(
            name=queries.REPEAT, state=ModelVersion.State.REFUSED
        ).first()
    context: dict[str, Any] = {
        "version": version,
        "job": job,
        "refused": refused,
        "depths": DEPTHS,
        "depth": version.params.get("depth") if version else None,
    }
    if version is not None:
        context |= _explored(version)
    return render(request, "campaigns/segments/tree.html", context)


def _explored(version: ModelVersion) -> dict[str, Any]:
    details = version.details
    now = dict(
        Traits.objects.filter(repeat_90d_leaf__isnull=False)
        .values_list("repeat_90d_leaf")
        .annotate(n=Count("pk"))
    )
    kept = {
        origin["leaf"]: pk
        for pk, origin in Segment.objects.filter(
            state=Segment.State.LIVE, origin__version_id=version.pk
        ).values_list("pk", "origin")
    }
    found = {
        leaf["id"]: _leaf(version, leaf, now.get(leaf["id"], 0), kept) for leaf in details["leaves"]
    }
    nodes = {node["id"]: node for node in details["nodes"]}
    rates = [leaf["rate"] for leaf in found.values()]
    root = _node(nodes, found, nodes[0], "")
    listed = sorted(found.values(), key=lambda leaf: -leaf["rate"])
    as_of = queries.as_of()
    return {
        "data": {"root": root, "low": min(rates), "high": max(rates)},
        "leaves": listed,
        "people": sum(now.values()),
        "base": details["base_rate"],
        "low": min(rates),
        "high": max(rates),
        "auc": version.metrics["auc"],
        "auc_recency": version.baseline["auc"],
        "judged": details["judged_people"],
        "as_of": as_of,
    }  # fmt: skip


def _leaf(
    version: ModelVersion, leaf: dict[str, Any], people: int, kept: dict[int, int]
) -> dict[str, Any]:
    rule = leaves.rule_of(leaf, population=False)
    return {
        "id": leaf["id"],
        "leaf": True,
        "n": people,
        "rate": leaf["rate"]["value"],
        "low": leaf["rate"]["low"],
        "high": leaf["rate"]["high"],
        "lift": leaf["lift"]["value"],
        "lift_low": leaf["lift"]["low"],
        "lift_high": leaf["lift"]["high"],
        "judged": leaf["people"],
        "rule": definitions.meaning(compiler.read(rule)),
        "name": leaves.suggested_name(leaf),
        "save": reverse("campaigns:tree-leaf-save", args=[version.pk, leaf["id"]]),
        "segment": (
            reverse("campaigns:segment-edit", args=[kept[leaf["id"]]]) if leaf["id"] in kept else ""
        ),
    }


def _node(
    nodes: dict[int, dict[str, Any]],
    found: dict[int, dict[str, Any]],
    node: dict[str, Any],
    edge: str,
) -> dict[str, Any]:
    """The tree as nested cards; sizes are of now, rates of the judged half."""
    if node["feature"] is None:
        return {**found[node["id"]], "edge": edge}
    field = queries.BY_NAME[node["feature"]]
    cut = definitions.written(node["threshold"])
    children = [
        _node(nodes, found, nodes[node["left"]], _("%(value)s or less") % {"value": cut}),
        _node(nodes, found, nodes[node["right"]], _("over %(value)s") % {"value": cut}),
    ]
    return {
        "id": node["id"],
        "leaf": False,
        "q": capfirst(str(field.label)),
        "n": sum(child["n"] for child in children),
        "rate": node["rate"],
        "edge": edge,
        "c": children,
    }


@require_POST
@page("edit")
def leaf_save(request: HttpRequest, version_id: int, leaf: int) -> HttpResponse:
    """Keep a leaf as an ordinary segment."""
    version = get_object_or_404(ModelVersion, pk=version_id, name=queries.REPEAT)
    try:
        segment = leaves.save(
            version=version,
            leaf_id=leaf,
            actor=request.user,  # type: ignore[arg-type]
            name=request.POST.get("name", "").strip(),
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("campaigns:tree")
    messages.success(
        request,
        _("“%(name)s” is an ordinary segment now and stays up to date by itself.")
        % {"name": segment.name},
    )
    return redirect("campaigns:segment-edit", pk=segment.pk)


@require_POST
@page("edit")
def tree_train(request: HttpRequest) -> HttpResponse:
    """Train the tree again, as deep as asked; the live one stays until the new one is judged."""
    if running := Job.objects.filter(kind="tree.train", state__in=Job.OPEN).first():
        messages.warning(request, _("The tree is already being trained."))
        return redirect("core:job-detail", public_id=running.public_id)
    depth = request.POST.get("depth", "")
    chosen = int(depth) if depth in {str(d) for d in DEPTHS} else 4
    jobs.start(
        kind="tree.train",
        title=_("Train the decision tree, %(depth)d questions deep") % {"depth": chosen},
        params={"depth": chosen},
        user=request.user,  # type: ignore[arg-type]
        steps=5,
    )
    return redirect("campaigns:tree")

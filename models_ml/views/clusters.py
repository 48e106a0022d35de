"""Clusters: ways of sorting people, the groups of each, and why there are so many."""

import json
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from marketing.core import brand
from marketing.core.auth import page
from marketing.core.errors import Refused
from models_ml.clusters import definitions, explaining, facts, wording
from models_ml.models import Clustering, ModelVersion

SHOWN_TRAITS = 5
HUE_COUNT = 8


@page("view")
def overview(request: HttpRequest) -> HttpResponse:
    """Every way of sorting people, the newest finding of each."""
    rows = list(Clustering.objects.filter(state=Clustering.State.ACTIVE))
    versions: dict[str, list[ModelVersion]] = {}
    for version in ModelVersion.objects.filter(name__in=[row.name for row in rows]).order_by(
        "-version"
    ):
        if version.state != ModelVersion.State.CANDIDATE:
            versions.setdefault(version.name, []).append(version)
    cards = []
    for row in rows:
        found = versions.get(row.name, [])
        live = next((v for v in found if v.state == ModelVersion.State.LIVE), None)
        shown = live or (found[0] if found else None)
        cards.append({
            "row": row, "live": live, "shown": shown,
            "groups": _groups(row, live)[:4] if live else [],
            "facts": [wording.fact(name) for name in row.facts],
        })  # fmt: skip
    return render(request, "models_ml/insights/clusters.html", {
        "cards": cards,
        "jobs": definitions.open_jobs(),
        "usual": [wording.fact(name) for name in facts.usual(who="buyers")],
        "currency": brand.now().currency,
    })  # fmt: skip


@page("view")
def detail(request: HttpRequest, key: str) -> HttpResponse:
    """The groups of one way of sorting people, what sets each apart, and why there are so many."""
    row = get_object_or_404(Clustering, key=key)
    found = [
        version
        for version in ModelVersion.objects.filter(name=row.name).order_by("-version")[:20]
        if version.state != ModelVersion.State.CANDIDATE
    ]
    live = next((v for v in found if v.state == ModelVersion.State.LIVE), None)
    shown = live or (found[0] if found else None)
    newest = found[0] if found else None
    context = {
        "row": row,
        "live": live,
        "shown": shown,
        "refused": newest if newest and newest.state == ModelVersion.State.REFUSED else None,
        "groups": _groups(row, live) if live else [],
        "why": explaining.why(shown) if shown else None,
        "moved": explaining.moved(row, live) if live else [],
        "facts": [wording.fact(name) for name in row.facts],
        "left_out": explaining.left_out(shown) if shown else [],
        "versions": found[:8],
        "job": definitions.open_job(clustering=row),
        "currency": brand.now().currency,
        "sized": row.sizes.get("people") or 0,
        "sized_at": datetime.fromisoformat(row.sizes["as_of"]) if row.sizes else None,
    }
    return render(request, "models_ml/insights/cluster.html", context)


def _groups(row: Clustering, version: ModelVersion) -> list[dict[str, Any]]:
    """The groups as cards: largest first, with today's sizes where they were counted."""
    names = wording.names_of(row, version)
    suggested = wording.suggested(version.details["groups"])
    sizes = row.sizes.get("groups", {}) if row.sizes.get("version") == version.version else {}
    everyone = sum(sizes.values()) or sum(g["people"] for g in version.details["groups"]) or 1
    found = []
    for group in version.details["groups"]:
        number = group["number"]
        people = sizes.get(str(number), 0) if sizes else group["people"]
        found.append({
            **group,
            "name": names[number],
            "own": row.names.get(str(number), ""),
            "suggestion": suggested[number],
            "people": people,
            "share": people / everyone,
            "each": group["revenue"] / group["people"] if group["people"] else 0,
            "apart": [wording.apart(trait) for trait in group["traits"][:SHOWN_TRAITS]],
            "hue": f"k{(number - 1) % HUE_COUNT + 1}",
            "rule": json.dumps({"all": [{"cluster": row.key, "in": [number]}]}),
        })  # fmt: skip
    return sorted(found, key=lambda group: -group["people"])


@page("edit")
def new(request: HttpRequest) -> HttpResponse:
    """A new way of sorting people: what to compare them by. Posting makes it and starts."""
    posted = "title" in request.POST
    told: dict[str, Any] = {
        "title": request.POST.get("title", _("By how people buy")),
        "chosen": request.POST.getlist("facts") if posted else list(facts.USUAL),
        "method": request.POST.get("method", Clustering.Method.KMEANS),
        "who": request.POST.get("who", "buyers"),
        "wanted": _number(request.POST.get("wanted", "")),
    }
    refusal = None
    if request.method == "POST":
        try:
            row = definitions.create(
                **told,
                actor=request.user,  # type: ignore[arg-type]
                now=timezone.now(),
            )
            definitions.start(clustering=row, user=request.user)  # type: ignore[arg-type]
        except Refused as fault:
            refusal = fault
        else:
            messages.success(request, _("Groups are being looked for. You can leave this page."))
            return redirect("models_ml:clusters-of", key=row.key)
    return render(request, "models_ml/insights/cluster_new.html", {
        "told": told,
        "refusal": refusal,
        "methods": Clustering.Method.choices,
        "counts": range(definitions.FEWEST, definitions.MOST + 1),
        "offered": [
            (name, wording.fact(name), name in told["chosen"]) for name in facts.OFFERED
        ],
    }, status=422 if refusal else 200)  # fmt: skip


def _number(text: str) -> int | None:
    """A number of groups as typed; none for no number."""
    return int(text) if text.isdecimal() and len(text) < 4 else None


@require_POST
@page("edit")
def train(request: HttpRequest, key: str) -> HttpResponse:
    """Look for groups again; those in use stay until new ones are found."""
    row = get_object_or_404(Clustering, key=key)
    try:
        definitions.start(clustering=row, user=request.user)  # type: ignore[arg-type]
        messages.success(request, _("Groups are being looked for. Those in use stay until then."))
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("models_ml:clusters-of", key=key)


@require_POST
@page("edit")
def archive(request: HttpRequest, key: str) -> HttpResponse:
    row = get_object_or_404(Clustering, key=key)
    definitions.archive(
        clustering=row,
        actor=request.user,  # type: ignore[arg-type]
        now=timezone.now(),
    )
    messages.success(request, _("“%(title)s” is archived.") % {"title": row.title})
    return redirect("models_ml:clusters")


@require_POST
@page("edit")
def name(request: HttpRequest, key: str, number: int) -> HttpResponse:
    """Call a group something."""
    row = get_object_or_404(Clustering, key=key)
    try:
        definitions.name_group(
            clustering=row,
            number=number,
            name=request.POST.get("name", ""),
            actor=request.user,  # type: ignore[arg-type]
            now=timezone.now(),
        )
        messages.success(request, _("The name is saved."))
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("models_ml:clusters-of", key=key)

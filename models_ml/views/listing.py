"""Every model: the questions asked for, those ready to be asked, and the others."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from ingestion.models import Event, EventType, OrderLine
from marketing.core.auth import page
from marketing.core.models import Job
from models_ml import queries
from models_ml.features import mailings
from models_ml.models import ModelVersion, Prediction, Watch
from models_ml.predictions import reading, ready
from models_ml.predictions.training import TRAIN
from models_ml.views import figures, names

ICONS = {
    "chance": ("target-arrow", "k1"),
    "amount": ("currency-dollar", "k2"),
    "date": ("calendar-event", "k3"),
    "effect": ("arrows-split-2", "k6"),
    "hour": ("clock", "k2"),
    "degree": ("user-search", "k4"),
}
OTHER_JOBS = ("tree.train", "recommenders.train")


@page("view")
def model_list(request: HttpRequest) -> HttpResponse:
    """Questions first, each with its figure beside its baseline; then what could be asked."""
    archived = request.GET.get("show") == "archived"
    asked = _asked(archived)
    known = set(Prediction.objects.filter(is_ready=True).values_list("key", flat=True))
    training = Job.objects.filter(kind__in=[TRAIN, *OTHER_JOBS], state__in=Job.OPEN)
    return render(
        request,
        "models_ml/model_list.html",
        {
            "asked": asked,
            "archived": archived,
            "put_away": Prediction.objects.filter(state=Prediction.State.ARCHIVED).count(),
            "offers": [] if archived else _offers(known),
            "cards": [] if archived else _others(),
            "training": list(training),
        },
    )


def _asked(archived: bool) -> list[dict[str, Any]]:
    rows = reading.overview(archived=archived)
    training = {
        job.params.get("prediction"): job
        for job in Job.objects.filter(kind=TRAIN, state__in=Job.OPEN)
    }
    worst = _worst([row["live"].pk for row in rows if row["live"]])
    found = []
    for row in rows:
        prediction, live, newest = row["prediction"], row["live"], row["newest"]
        shown = live or newest
        icon, hue = ICONS.get(prediction.kind, ICONS["chance"])
        found.append(
            {
                **row,
                "icon": icon,
                "hue": hue,
                "shown": shown,
                "about": names.question(prediction),
                "headline": figures.headline(shown) if shown else None,
                "rule": names.rule(str(shown.baseline.get("rule", ""))) if shown else "",
                "job": training.get(prediction.pk),
                "refused": newest is not None
                and newest.state == ModelVersion.State.REFUSED
                and newest.why,
                "watch": worst.get(live.pk) if live else None,
                "url": reverse("models_ml:prediction", args=[prediction.key]),
            }
        )
    return found


def _worst(versions: list[int]) -> dict[int, str]:
    """The worst of the newest looks of each kind at a version."""
    rank = {Watch.Level.FINE: 0, Watch.Level.WATCH: 1, Watch.Level.ALARM: 2}
    newest = (
        Watch.objects.filter(version__in=versions)
        .exclude(kind=Watch.Kind.SHADOW)
        .order_by("version", "kind", "-as_of")
        .distinct("version", "kind")
        .values_list("version", "level")
    )
    found: dict[int, str] = {}
    for version, level in newest:
        if version not in found or rank[Watch.Level(level)] > rank[Watch.Level(found[version])]:
            found[version] = level
    return found


def _offers(known: set[str]) -> list[dict[str, Any]]:
    """Ready questions nobody has asked yet, and whether there is data for them."""
    there = {
        "orders": OrderLine.objects.exists(),
        "events": Event.objects.exists(),
        "mails": EventType.objects.filter(name="email_sent").exists(),
        "holdouts": any(one.held_out for one in mailings.finished()),
    }
    found = []
    for one in ready.READY:
        if one.key in known:
            continue
        kind = "amount" if one.target.get("type") in ("spend", "order_value") else "chance"
        kind = "date" if one.target.get("type") == "next_order" else kind
        kind = "effect" if one.target.get("type") == "moved" else kind
        kind = {"send_hour": "hour", "unusual": "degree"}.get(one.target["type"], kind)
        icon, hue = ICONS[kind]
        found.append(
            {
                "one": one,
                "icon": icon,
                "hue": hue,
                "lacks": "" if there.get(one.needs, True) else one.needs,
                "url": reverse("models_ml:prediction-new") + f"?from={one.key}",
            }
        )
    return sorted(found, key=lambda offer: bool(offer["lacks"]))


def _others() -> list[dict[str, Any]]:
    """One card a model nobody asked for: the tree and the recommenders."""
    keys = Prediction.objects.values("key")
    newest: dict[str, ModelVersion] = {}
    live: dict[str, ModelVersion] = {}
    count: dict[str, int] = {}
    rows = ModelVersion.objects.exclude(name__in=keys).exclude(name__startswith="tree:")
    rows = rows.exclude(name__startswith="clusters:")
    rows = rows.order_by("name", "-version")
    for version in rows.defer("details"):
        newest.setdefault(version.name, version)
        count[version.name] = count.get(version.name, 0) + 1
        if version.state == ModelVersion.State.LIVE:
            live[version.name] = version
    titles = names.titles(newest)
    return [
        {
            "title": titles[name],
            "version": live.get(name, newest[name]),
            "method": names.learns_by(newest[name]),
            "newest": newest[name],
            "versions": count[name],
            "headline": figures.headline(live.get(name, newest[name])),
        }
        for name in sorted(newest, key=lambda name: (name != queries.REPEAT, name))
    ]

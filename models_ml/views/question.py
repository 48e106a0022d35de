"""The page of one prediction: how good it is, what drives it, whom to reach, how it holds up."""

from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from marketing.core import brand, wording
from marketing.core.auth import page
from marketing.core.models import Job
from models_ml import charts
from models_ml.features import mailings
from models_ml.models import ModelVersion, Prediction, Watch
from models_ml.predictions import life, reading, training
from models_ml.views import effects, figures, names, person, plots, shapes

State = ModelVersion.State
MOST_VERSIONS = 30
# Kinds whose values are not summed up over people.
SPREAD_ONLY = (Prediction.Kind.DATE, Prediction.Kind.HOUR, Prediction.Kind.DEGREE)
LAWS = {"bgnbd": "BG/NBD", "mbgnbd": "MBG/NBD", "pareto": "Pareto/NBD"}
COLUMNS: dict[str, tuple[str, ...]] = {
    "chance": ("auc", "calibration_error", "log_loss", "lift_top_tenth"),
    "amount": ("rmse", "mae", "rank_correlation", "total_ratio"),
}
HEADS = {
    "auc": "AUC",
    "calibration_error": gettext_lazy("Calibration error"),
    "log_loss": gettext_lazy("Log loss"),
    "lift_top_tenth": gettext_lazy("Lift, best tenth"),
    "rmse": "RMSE",
    "mae": "MAE",
    "rank_correlation": gettext_lazy("Rank correlation"),
    "total_ratio": gettext_lazy("Total said / seen"),
    "days_off": gettext_lazy("Days off"),
    "hits_top_3": gettext_lazy("Answers in 3 best hours"),
    "planted": gettext_lazy("Planted people told apart"),
    "qini": gettext_lazy("Qini per 1,000 people"),
}


@page("view")
def prediction(request: HttpRequest, key: str) -> HttpResponse:
    """The version in use, else the newest, else the one asked for by ?version=."""
    row = get_object_or_404(Prediction, key=key)
    versions = life.versions(prediction=row)
    live = next((one for one in versions if one.state == State.LIVE), None)
    shown = _shown(request.GET.get("version", ""), versions, live)
    jobs = list(
        Job.objects.filter(
            kind__in=[training.TRAIN, training.SCORE, life.WATCH],
            params__prediction=row.pk,
            state__in=Job.OPEN,
        ).order_by("id")
    )
    context: dict[str, Any] = {
        "prediction": row,
        "about": _about(row),
        "versions": versions[:MOST_VERSIONS],
        "live": live,
        "shown": shown,
        "jobs": jobs,
        "is_training": any(job.kind == training.TRAIN for job in jobs),
        "trouble": _trouble(row),
        "small": shapes.small(row.trouble or {}, row.kind) if live is None else [],
        "newer": versions[0] if versions and versions[0] is not shown else None,
        "currency": brand.now().currency,
        "due": life.due(prediction=row, now=timezone.now()) if live else None,
        "previous": life.previous(prediction=row) if live else None,
        "stale": live is not None and not life.is_served_by(prediction=row, version=live),
    }
    if shown is not None:
        context |= _of_version(row, shown)
        if row.kind == Prediction.Kind.EFFECT:
            context["effect"] = effects.of_version(row, shown)
        context["hours"] = plots.hours(shown.details.get("everyone"))
    if live is not None and shown is live:
        context |= _reach(row, live)
        context |= _watched(row, live)
    return render(request, "models_ml/prediction.html", context)


def _about(row: Prediction) -> str:
    """What it asks, and of which campaign if of one."""
    number = row.target.get("campaign")
    if not isinstance(number, int):
        return names.question(row)
    told = _("It is told by “%(name)s” alone.") % {"name": mailings.name_of(campaign=number)}
    return f"{names.question(row)} {told}"


def _shown(
    wanted: str, versions: list[ModelVersion], live: ModelVersion | None
) -> ModelVersion | None:
    if wanted:
        found = next((one for one in versions if str(one.version) == wanted), None)
        if found is None:
            raise Http404
        return found
    return live or (versions[0] if versions else None)


def _trouble(row: Prediction) -> dict[str, Any] | None:
    """Why the last training or scoring ended without a result."""
    if not row.trouble:
        return None
    at = row.trouble.get("at")
    return {**row.trouble, "when": datetime.fromisoformat(at) if at else None}


def _of_version(row: Prediction, version: ModelVersion) -> dict[str, Any]:
    """Everything a version was judged by; its details are read here."""
    details = version.details
    main = figures.main_metric(version)
    table = details.get("table") or []
    verdict = (details.get("verdict") or {}).get("facts") or {}
    return {
        "main": figures.against(version, main),
        "main_name": main,
        "main_head": str(HEADS.get(main, main)),
        "method": names.method(version.algorithm, row.kind),
        "rule": names.rule(str(version.baseline.get("rule", ""))),
        "gain": _gain(main, verdict.get("gain") or {}),
        "details": details,
        "judged_at": _moment(details.get("judged_at")),
        "learned_at": [_moment(one) for one in details.get("learned_at") or []],
        "base": details.get("base_rate"),
        "contest": _contest(row, table, details.get("best")),
        "digits": 4 if row.kind == Prediction.Kind.CHANCE else 2,
        "calibration": plots.calibration(details.get("calibration")),
        "gains": charts.gains(details.get("gains"), details.get("gains_baseline")),
        "drivers": plots.drivers(details),
        "dependence": shapes.dependence(details, row.kind),
        "fairness": shapes.fairness(details),
        "levels": shapes.levels(details, row.kind),
        "driver_measure": "AUC" if row.kind == Prediction.Kind.CHANCE else "RMSE",
        "duel": names.duel(details.get("duel")),
        "laws": _laws(details),
        "curves": [
            {**one, "title": names.method(one["name"], row.kind).lower()}
            for one in plots.curves(table)
        ],
        "left_out": _left_out(details),
        "params": [
            (name, wording.trimmed(value, 4) if isinstance(value, float) else value)
            for name, value in sorted(version.params.items())
            if name != "seed"
        ],
        "threshold": details.get("threshold"),
    }


def _gain(name: str, gain: dict[str, Any]) -> dict[str, Any] | None:
    """How much better than its baseline on the main figure, in words and with its interval."""
    if gain.get("low") is None or gain.get("value") is None:
        return None
    texts = {f"{key}_text": figures.worded(name, gain[key]) for key in ("value", "low", "high")}
    return gain | texts


def _contest(row: Prediction, table: list[dict[str, Any]], best: Any) -> dict[str, Any] | None:
    """The whole table, the baseline among the estimators, best first."""
    if not table:
        return None
    shown = COLUMNS.get(row.kind, COLUMNS["amount"])
    shown = tuple(name for name in shown if any(name in (one.get("later") or {}) for one in table))
    if not shown:
        return None
    lower = shown[0] in figures.LOWER
    digits = 4 if row.kind == Prediction.Kind.CHANCE else 2
    lines = [
        {
            "name": names.rule(one["name"])
            if one.get("is_baseline")
            else names.method(one["name"], row.kind),
            "is_baseline": bool(one.get("is_baseline")),
            "is_best": one["name"] == best and not one.get("is_baseline"),
            "cells": [_cell((one.get("later") or {}).get(name), digits) for name in shown],
            "cv": _cell((one.get("cv") or {}).get(shown[0]), digits),
            "gain": one.get("gain") or {},
            "whisk": _whisk(one.get("gain") or {}, table),
            "seconds": one.get("seconds"),
            "order": (one.get("later") or {}).get(shown[0]),
        }
        for one in table
    ]
    lines.sort(key=lambda line: _rank(line["order"], lower))
    return {
        "lines": lines,
        "heads": [str(HEADS.get(name, name)) for name in shown],
        "digits": digits,
    }


def _rank(value: Any, lower: bool) -> float:
    if not isinstance(value, int | float):
        return float("inf")
    return value if lower else -value


def _cell(value: Any, digits: int) -> str:
    return wording.decimal(value, digits) if isinstance(value, int | float) else "–"


def _whisk(gain: dict[str, Any], table: list[dict[str, Any]]) -> dict[str, float] | None:
    """Where a gain and its interval lie on a scale common to the table, in percent."""
    known = [one.get("gain") or {} for one in table]
    ends = [value for one in known for value in (one.get("low"), one.get("high")) if value]
    if not ends or any(gain.get(name) is None for name in ("value", "low", "high")):
        return None
    reach = max(abs(value) for value in ends) or 1.0
    low, value, high = (50 + 50 * gain[name] / reach for name in ("low", "value", "high"))
    return {"low": round(low, 1), "at": round(value, 1), "wide": round(high - low, 1)}


def _laws(details: dict[str, Any]) -> list[dict[str, Any]]:
    """Laws of buying that were fitted, each with its numbers."""
    return [
        {
            "name": LAWS.get(str(one.get("kind", "")), str(one.get("kind", ""))),
            "numbers": [
                (name, wording.decimal(value, 3))
                for name, value in one.items()
                if name != "kind" and isinstance(value, int | float)
            ],
        }
        for one in details.get("models") or []
        if isinstance(one, dict)
    ]


def _left_out(details: dict[str, Any]) -> list[dict[str, str]]:
    features = details.get("features") or {}
    return [
        {
            "meaning": plots.meaning_of(features, str(one.get("column", ""))),
            "why": names.left_out(str(one.get("why", ""))),
        }
        for one in details.get("dropped") or []
    ]


def _reach(row: Prediction, live: ModelVersion) -> dict[str, Any]:
    """Whom to reach and what to expect of them; sums are exact at each percentile."""
    if row.scored_people and row.kind == Prediction.Kind.EFFECT:
        return effects.reach(row) | effects.groups(row, live)
    if row.scored_people and row.kind == Prediction.Kind.DEGREE:
        return {"standing_out": _standing_out(row)}
    if not row.scored_people or row.kind in SPREAD_ONLY:
        return {"spread": plots.bars(reading.spread(prediction=row))} if row.scored_people else {}
    slices = reading.slices(prediction=row)
    total = slices[-1] if slices else {"people": 0, "expected": 0.0}
    profit = (row.settings or {}).get("profit") or {}
    start = next((one for one in slices if one["people"] >= 0.1 * total["people"]), total)
    return {
        "slices": slices,
        "start": start,
        "start_at": slices.index(start) if start in slices else 0,
        "vain": round(max(start["people"] - start["expected"], 0)),
        "total": total,
        "spread": plots.bars(reading.spread(prediction=row)),
        "profit": {"worth": profit.get("worth"), "cost": profit.get("cost")},
        "reach_data": {
            "slices": slices,
            "kind": row.kind,
            "currency": brand.now().currency,
            "worth": profit.get("worth"),
            "cost": profit.get("cost"),
        },
    }


def _standing_out(row: Prediction) -> list[dict[str, Any]]:
    """The people with the highest scores."""
    return [
        {"person": score.customer, "text": person.said(row.kind, score.value)}
        for score in reading.highest(prediction=row)
    ]


def _watched(row: Prediction, live: ModelVersion) -> dict[str, Any]:
    """The newest look of each kind at the version in use, and how they went over time."""
    looks = reading.watches(prediction=row)
    mine = [one for one in looks if one.version_id == live.pk]
    drifts = [one for one in mine if one.kind == Watch.Kind.DRIFT]
    matured = [one for one in mine if one.kind == Watch.Kind.CALIBRATION]
    shadows = [one for one in looks if one.kind == Watch.Kind.SHADOW]
    return {
        "unwatched": life.why_unwatched(version=live),
        "by_order": live.details.get("engine") == "lifetime" and row.target.get("type") != "spend",
        "never_matures": row.target.get("type") == "attribute",
        "drift": plots.drift(drifts[0] if drifts else None, live),
        "matured": matured,
        "shadow": shadows[0] if shadows else None,
    }


def _moment(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) and text else None

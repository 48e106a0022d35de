"""Stages of people: how many are where, who moved between two moments, and the bounds of stages."""

import json
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from marketing.core import wording
from marketing.core.auth import page
from marketing.core.errors import Refused
from models_ml.insights import lifecycle, rfm, stage_history, yardsticks
from models_ml.insights.lifecycle import LABELS, RANGES, START, Bounds
from models_ml.models import StageFlow, Yardstick
from models_ml.views import flows
from models_ml.views.rfm import listing

# How many moments back the picture begins unless somebody chooses.
BACK = 3


@page("view")
def overview(request: HttpRequest) -> HttpResponse:
    """How many people are in which stage, and how they moved."""
    found = stage_history.stored()
    sizes = lifecycle.sizes()
    everybody = sum(sizes.values())
    meanings = meanings_of(lifecycle.bounds())
    context: dict[str, Any] = {
        "stages": [
            {
                "key": stage,
                "label": label,
                "hue": flows.HUES[stage],
                "people": sizes.get(stage, 0),
                "share": sizes.get(stage, 0) / everybody if everybody else 0,
                "means": meanings[stage],
                "rule": json.dumps({"all": [{"lifecycle": [stage]}]}),
            }
            for stage, label in lifecycle.STAGES.items()
        ],
        "everybody": everybody,
        "as_of": rfm.as_of(),
        "job": yardsticks.pending() or stage_history.pending(),
        "found": found,
    }
    if found is not None and len(found.cuts) > 1:
        context |= _flow(request, found) | {"shares": _shares(found)}
    return render(request, "models_ml/insights/lifecycle.html", context)


def _flow(request: HttpRequest, found: StageFlow) -> dict[str, Any]:
    moments = _moments(found)
    last = len(moments) - 1
    start = _place(moments, request.GET.get("from"), max(last - BACK, 0))
    end = _place(moments, request.GET.get("to"), last)
    if start >= end:
        start, end = (end, start) if start > end else (max(start - 1, 0), max(end, 1))
    moves = stage_history.flow(found=found, start=start, end=end)
    picture = flows.draw(moves)
    was = {move.start: 0 for move in moves}
    for move in moves:
        was[move.start] += move.people
    moves.sort(key=lambda move: (move.start == move.end, -move.people))
    rows = [
        {
            "move": move,
            "start": stage_history.LABELS[move.start],
            "end": stage_history.LABELS[move.end],
            "start_hue": flows.HUES[move.start],
            "end_hue": flows.HUES[move.end],
            "share": move.people / was[move.start],
            "stayed": move.start == move.end,
        }
        for move in moves
    ]
    return {
        "moments": moments,
        "start": moments[start],
        "end": moments[end],
        "picture": picture,
        "rows": rows,
        "moved": sum(move.people for move in moves if move.start != move.end),
    }


def _moments(found: StageFlow) -> list[dict[str, Any]]:
    """The moments with a key for addresses, and how to speak of them."""
    cuts = [datetime.fromisoformat(cut) for cut in found.cuts]
    rows = []
    for number, cut in enumerate(cuts):
        day = timezone.localtime(cut - timedelta(seconds=1))
        now = number == len(cuts) - 1
        month = date_format(day, "YEAR_MONTH_FORMAT")
        rows.append(
            {
                "key": str(int(cut.timestamp())),
                "place": number,
                "label": wording.day(cut) if now else _("end of %(month)s") % {"month": month},
                "short": _("now") if now else date_format(day, "M"),
            }
        )
    return rows


def _place(moments: list[dict[str, Any]], key: str | None, otherwise: int) -> int:
    return next((m["place"] for m in moments if m["key"] == key), otherwise)


def _shares(found: StageFlow) -> list[dict[str, Any]]:
    """For each moment the stages of those who were known then."""
    rows = []
    for moment in _moments(found):
        sizes = stage_history.sizes(found=found, at=moment["place"])
        sizes.pop(stage_history.UNKNOWN)
        known = sum(sizes.values())
        parts = [
            {
                "label": label,
                "hue": flows.HUES[stage],
                "people": sizes[stage],
                "share": sizes[stage] / known if known else 0,
            }
            for stage, label in lifecycle.STAGES.items()
        ]
        rows.append({"moment": moment, "parts": parts, "known": known})
    return rows


def meanings_of(bounds: Bounds) -> dict[str, str]:
    """What each stage says of somebody, with its bounds."""
    said = asdict(bounds)
    return {
        lifecycle.NEW: _("first order at most %(new_days)d days ago") % said,
        lifecycle.ACTIVE: _("ordered in the last %(risk_days)d days") % said,
        lifecycle.LOYAL: _("the same, with %(loyal_orders)d orders or more") % said,
        lifecycle.AT_RISK: _("last order more than %(risk_days)d days ago") % said,
        lifecycle.LAPSED: _("last order more than %(lapsed_days)d days ago") % said,
        lifecycle.NEVER: _("known, but without an order"),
    }


@page("view")
def people(request: HttpRequest) -> HttpResponse:
    """Everyone in a stage, or everyone who moved between two moments."""
    stage = request.GET.get("stage", "")
    back = ("models_ml:lifecycle", _("Lifecycle"))
    if stage in lifecycle.STAGES:
        return listing(
            request,
            ids=lifecycle.people(stage),
            title=str(lifecycle.STAGES[stage]),
            back=back,
            rule=json.dumps({"all": [{"lifecycle": [stage]}]}),
        )
    chosen = asked_flow(request.GET)
    if chosen is None:
        messages.info(request, _("These moments are no longer kept. Choose from those below."))
        return redirect("models_ml:lifecycle")
    start, end, was, became = chosen
    meant = stage_history.people(start=start["place"], end=end["place"], first=was, last=became)
    return listing(
        request,
        ids=meant.order_by("-traits__revenue", "pk").values_list("pk", flat=True),
        title=name_of_flow(chosen),
        back=back,
        flow={"from": start["key"], "to": end["key"], "was": was, "became": became},
        keep=_address("campaigns:list-of-stages"),
    )


Flow = tuple[dict[str, Any], dict[str, Any], str, str]


def asked_flow(given: Any) -> Flow | None:
    """The two moments and stages that an address names, if they are kept."""
    found = stage_history.stored()
    if found is None:
        return None
    moments = {moment["key"]: moment for moment in _moments(found)}
    start, end = moments.get(given.get("from", "")), moments.get(given.get("to", ""))
    was, became = given.get("was", ""), given.get("became", "")
    if start is None or end is None or not {was, became} <= set(stage_history.LABELS):
        return None
    return start, end, was, became


def name_of_flow(flow: Flow) -> str:
    start, end, was, became = flow
    return _("%(was)s, %(start)s → %(became)s, %(end)s") % {
        "was": stage_history.LABELS[was],
        "start": start["label"],
        "became": stage_history.LABELS[became],
        "end": end["label"],
    }


def _address(name: str) -> str:
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


@page("view")
def bounds_page(request: HttpRequest) -> HttpResponse:
    """The bounds in use, or an earlier version filled in again."""
    version = request.GET.get("version", "")
    row = None
    if version.isascii() and version.isdigit() and len(version) < 9:
        row = Yardstick.objects.filter(kind=lifecycle.KIND, version=int(version)).first()
    chosen = lifecycle.read(row.body) if row else lifecycle.bounds()
    return _show(request, asdict(chosen), again=row)


@require_POST
@page("edit")
def bounds_save(request: HttpRequest) -> HttpResponse:
    """Tell who would change stage, or put the bounds in use; a refusal stands at its field."""
    given = {name: request.POST.get(name, "").strip()[:12] for name in START}
    wanted = Bounds(**{
        name: int(text) if text.isascii() and text.isdigit() else -1
        for name, text in given.items()
    })  # fmt: skip
    try:
        lifecycle.check(wanted)
        if request.POST.get("do") == "look":
            return _show(request, given, shift=lifecycle.shift(to=wanted), looked=True)
        before = yardsticks.newest(kind=lifecycle.KIND)
        row = lifecycle.save(bounds=wanted, actor=request.user, now=timezone.now())  # type: ignore[arg-type]
    except Refused as refusal:
        return _show(request, given, refusal=refusal, status=422)
    if row.version == 1 or (before is not None and row.pk == before.pk):
        messages.info(request, _("These bounds are in use already; nothing was changed."))
    else:
        messages.success(
            request,
            _("The bounds are stored. Everybody is being measured by them; segments follow."),
        )
    return redirect("models_ml:lifecycle")


def _show(
    request: HttpRequest,
    given: dict[str, Any],
    *,
    shift: dict[tuple[str, str], int] | None = None,
    looked: bool = False,
    refusal: Refused | None = None,
    again: Yardstick | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {
        "fields": [
            {
                "name": name,
                "label": LABELS[name],
                "unit": _unit(name),
                "value": given[name],
                "least": RANGES[name][0],
                "most": RANGES[name][1],
                "error": refusal if refusal and refusal.field == name else None,
            }
            for name in START
        ],
        "shift": _changes(shift or {}),
        "looked": looked,
        "moved": sum(n for (was, now), n in (shift or {}).items() if was != now),
        "everybody": sum((shift or {}).values()),
        "refusal": refusal,
        "again": again,
        "versions": [
            {"row": row, "words": _in_words(lifecycle.read(row.body)), "current": n == 0}
            for n, row in enumerate(yardsticks.versions(kind=lifecycle.KIND))
        ],
        "job": yardsticks.pending(),
    }
    return render(request, "models_ml/insights/lifecycle_bounds.html", context, status=status)


def _changes(shift: dict[tuple[str, str], int]) -> list[dict[str, Any]]:
    """How many each stage has, and would have."""
    rows = []
    for stage, label in lifecycle.STAGES.items():
        before = sum(n for (was, _now), n in shift.items() if was == stage)
        after = sum(n for (_was, now), n in shift.items() if now == stage)
        rows.append({
            "label": label, "hue": flows.HUES[stage], "before": before, "after": after,
            "change": after - before,
        })  # fmt: skip
    return rows


def _in_words(bounds: Bounds) -> str:
    said = asdict(bounds).items()
    return "; ".join(f"{LABELS[name]} {value} {_unit(name)}" for name, value in said)


def _unit(name: str) -> str:
    return _("orders") if name == "loyal_orders" else _("days")

"""The bands of recency, frequency and money: what they are, who would move, and saving them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from marketing.core import brand, wording
from marketing.core.auth import page
from marketing.core.errors import Refused
from models_ml.insights import bands, rfm, yardsticks
from models_ml.insights.bands import AXES, Bands, Limits
from models_ml.models import Yardstick
from models_ml.views.scores import NAMES, applied, in_words


@page("view")
def bands_page(request: HttpRequest) -> HttpResponse:
    """The bands in use, or an earlier version filled in again."""
    chosen = bands.chosen()
    version = request.GET.get("version", "")
    row = None
    if version.isascii() and version.isdigit() and len(version) < 9:
        row = Yardstick.objects.filter(kind=bands.KIND, version=int(version)).first()
    if row is not None:
        chosen = bands.read(row.body)
    return _show(request, chosen, again=row)


@require_POST
@page("edit")
def bands_save(request: HttpRequest) -> HttpResponse:
    """Tell who would move, or put the bands in use; a refusal stands at its axis."""
    raw = {axis.key: _given(request, axis.key) for axis in AXES}
    try:
        wanted = bands.check(**{key: _numbers(texts) for key, texts in raw.items()})
        if request.POST.get("do") == "look":
            return _show(request, wanted, shift=rfm.shift(to=wanted), looked=True)
        before = yardsticks.newest(kind=bands.KIND)
        row = bands.save(bands=wanted, actor=request.user, now=timezone.now())  # type: ignore[arg-type]
    except Refused as refusal:
        return _show(request, bands.chosen(), refusal=refusal, raw=raw, status=422)
    if before is not None and row.pk == before.pk:
        messages.info(request, _("These bands are in use already; nothing was changed."))
    else:
        messages.success(
            request,
            _("The bands are stored. Everybody is being measured by them; segments follow."),
        )
    return redirect("models_ml:rfm")


def _given(request: HttpRequest, key: str) -> list[str] | None:
    if request.POST.get(f"{key}_by") != "own":
        return None
    return [request.POST.get(f"{key}{n}", "").strip()[:20] for n in range(1, 5)]


def _numbers(texts: list[str] | None) -> list[float] | None:
    """What was typed; what is no number becomes one that is refused by name."""
    if texts is None:
        return None
    found = []
    for text in texts:
        try:
            found.append(float(text.replace(",", "")))
        except ValueError:
            found.append(float("nan"))
    return found


def _show(
    request: HttpRequest,
    chosen: Bands,
    *,
    shift: rfm.Shift | None = None,
    looked: bool = False,
    refusal: Refused | None = None,
    raw: Mapping[str, list[str] | None] | None = None,
    again: Yardstick | None = None,
    status: int = 200,
) -> HttpResponse:
    limits = shift.limits if shift else applied()
    context = {
        "axes": [_axis(axis, chosen, limits, raw) for axis in AXES],
        "shift": shift,
        "looked": looked,
        "moves": _moves(shift) if shift else [],
        "refusal": refusal,
        "again": again,
        "versions": [
            {"row": row, "words": _version_in_words(bands.read(row.body)), "current": n == 0}
            for n, row in enumerate(yardsticks.versions(kind=bands.KIND))
        ],
        "currency": brand.now().currency,
        "job": yardsticks.pending(),
    }
    return render(request, "models_ml/insights/rfm_bands.html", context, status=status)


def _axis(
    axis: bands.Axis,
    chosen: Bands,
    found: Mapping[str, Sequence[float]],
    raw: Mapping[str, list[str] | None] | None,
) -> dict[str, Any]:
    limits: Limits | None = chosen.of(axis)
    values: Sequence[float] = limits or found.get(axis.key) or ()
    told = [wording.trimmed(value).replace(",", "") for value in values] or [""] * 4
    own = limits is not None
    if raw is not None:
        own = raw[axis.key] is not None
        told = raw[axis.key] or told
    scores = (5, 4, 3, 2) if axis.fewer_is_better else (2, 3, 4, 5)
    words = in_words(axis.key, {**found, **({axis.key: limits} if limits else {})})
    return {
        "axis": axis,
        "own": own,
        "inputs": [
            {"name": f"{axis.key}{n}", "score": score, "value": value}
            for n, (score, value) in enumerate(zip(scores, told, strict=True), start=1)
        ],
        "words": [(score, words[score]) for score in rfm.SCORES if words],
    }


def _moves(shift: rfm.Shift) -> list[dict[str, Any]]:
    return [
        {
            "group": group,
            "before": shift.before.get(group.key, 0),
            "after": shift.after.get(group.key, 0),
            "change": shift.after.get(group.key, 0) - shift.before.get(group.key, 0),
        }
        for group in rfm.GROUPS
    ]


def _version_in_words(of: Bands) -> str:
    own = {NAMES[key]: limits for key, limits in asdict(of).items() if limits}
    if not own:
        return _("Fifths of the people")
    return "; ".join(
        f"{name}: {', '.join(wording.trimmed(limit) for limit in limits)}"
        for name, limits in own.items()
    )

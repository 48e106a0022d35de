"""The scores of one person, and why: what raised and lowered them, who is alike, what is in reach.

Worked out by a worker when somebody looks; the part of the page asks again until it is there.
"""

from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ingestion.models import Customer
from marketing.core import brand, wording
from marketing.core.auth import page
from marketing.core.forms import whole_number
from models_ml.models import Prediction
from models_ml.predictions import answers, reading

MOST_REASONS = 7
# The column that is what a person did, for models that read it.
EVENTS = "events"
MOST_TRIES, ASK_EVERY = 40, 10


@page("view")
def scores(request: HttpRequest, customer_id: int) -> HttpResponse:
    """What each prediction says of a person, as a part of their page; nothing where none does."""
    get_object_or_404(Customer, pk=customer_id)
    rows = [
        {
            "score": score,
            "text": said(score.kind, score.value),
            "low": said(score.kind, score.low) if score.low is not None else "",
            "high": said(score.kind, score.high) if score.high is not None else "",
            "above": score.percentile - 1,
            "url": reverse("models_ml:prediction", args=[score.key]),
            "why": reverse("models_ml:prediction-why", args=[score.key, customer_id]),
        }
        for score in reading.of_person(customer_id=customer_id)
    ]
    return render(request, "models_ml/_scores.html", {"scores": rows})


@page("view")
def why(request: HttpRequest, key: str, customer_id: int) -> HttpResponse:
    """The reasons for a score, or a part that asks again in a second."""
    prediction = get_object_or_404(Prediction, key=key)
    get_object_or_404(Customer, pk=customer_id)
    tried = min(whole_number(request.GET.get("try")) or 0, 999)
    context: dict[str, Any] = {"prediction": prediction, "customer_id": customer_id}
    live = reading.live(prediction=prediction)
    if live is None or live.details.get("engine") not in answers.EXPLAINED:
        return render(request, "models_ml/_why.html", context | {"none": True})
    # A worker is asked once in a while, not at each look.
    look = answers.known if tried % ASK_EVERY else answers.ask
    found = look(prediction=prediction, customer_id=customer_id)
    if found is None:
        context |= {"waits": tried < MOST_TRIES, "next": tried + 1}
        return render(request, "models_ml/_why.html", context)
    return render(request, "models_ml/_why.html", context | _worded(prediction, found))


def _worded(prediction: Prediction, found: dict[str, Any]) -> dict[str, Any]:
    """The shares as lines of a sum: the usual answer, the largest shares, the rest, the score."""
    reasons = [one for one in found["reasons"] if one["share"]]
    shown, rest = reasons[:MOST_REASONS], reasons[MOST_REASONS:]
    other = sum(one["share"] for one in rest)
    top = max((abs(one["share"]) for one in [*shown, {"share": other}]), default=0.0) or 1.0
    lines = [
        {
            "text": one["meaning"],
            "known": "" if one["feature"] == EVENTS else known(one["known"], one["unit"]),
            **_line(prediction.kind, one["share"], top),
        }
        for one in shown
    ]
    if rest:
        text = ngettext("%(n)d other thing", "%(n)d other things", len(rest)) % {"n": len(rest)}
        lines.append({"text": text, "known": "", **_line(prediction.kind, other, top)})
    return {
        "usual": said(prediction.kind, found["usual"]),
        "value": said(prediction.kind, found["value"]),
        "lines": lines,
        "error": step(prediction.kind, found["error"]).lstrip("+") if found.get("error") else "",
        "change": _change(prediction, found.get("change")),
        "peers": _peers(prediction, found.get("peers")),
        "version": found["version"],
        "as_of": datetime.fromisoformat(found["as_of"]),
    }


def _line(kind: str, share: float, top: float) -> dict[str, Any]:
    width = round(50 * abs(share) / top, 1)
    return {
        "share": step(kind, share),
        "up": share > 0,
        "wide": width,
        "at": 50.0 if share > 0 else round(50 - width, 1),
    }


def _change(prediction: Prediction, change: dict[str, Any] | None) -> dict[str, str] | None:
    if not change:
        return None
    unit = change.get("unit", "")
    return {
        "text": change["meaning"],
        "before": known(change["before"], unit),
        "after": known(change["after"], unit),
        "would": said(prediction.kind, change["would"]),
        "there": wording.pct(change["there"], 0) if change.get("there") is not None else "",
    }


def _peers(prediction: Prediction, peers: dict[str, Any] | None) -> dict[str, Any] | None:
    if not peers:
        return None
    columns = [
        {
            "text": one["meaning"],
            "mine": known(one["mine"], one["unit"]),
            "theirs": known(one["theirs"], one["unit"]),
        }
        for one in peers["columns"]
    ]
    return {
        "people": peers["people"],
        "said": said(prediction.kind, peers["said"]),
        "columns": columns,
    }


def said(kind: str, value: float) -> str:
    """A score in words."""
    if kind == Prediction.Kind.CHANCE:
        return wording.pct(value)
    if kind == Prediction.Kind.EFFECT:
        return step(kind, value)
    if kind == Prediction.Kind.HOUR:
        return f"{round(value) % 24:02}:00"
    if kind == Prediction.Kind.DEGREE:
        # Nobody is odder than everybody, themselves among them.
        return wording.pct(min(value, 0.999))
    if kind == Prediction.Kind.AMOUNT:
        return wording.money(value, brand.now().currency)
    return wording.day(reading.EPOCH + timedelta(days=value))


def step(kind: str, share: float) -> str:
    """What one column adds to a score, with its sign."""
    sign = "−" if share < 0 else "+"
    if kind in (Prediction.Kind.CHANCE, Prediction.Kind.EFFECT, Prediction.Kind.DEGREE):
        return _("%(sign)s%(points)s points") % {
            "sign": sign,
            "points": wording.decimal(abs(share) * 100, 1),
        }
    return f"{sign}{wording.money(abs(share), brand.now().currency)}"


def known(value: float | str | None, unit: str) -> str:
    """What is known of a person in one column."""
    if value is None:
        return _("not known")
    if isinstance(value, str):
        return value
    if unit == "money":
        return wording.money(value, brand.now().currency)
    if unit == "share":
        return wording.pct(value)
    if unit == "days":
        n = wording.trimmed(value, 1)
        return ngettext("%(n)s day", "%(n)s days", round(value)) % {"n": n}
    return wording.trimmed(value, 2)

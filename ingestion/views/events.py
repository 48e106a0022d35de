"""The newest events with what they carry, and those that were refused with the reason."""

import json
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.db.models import Count, Max
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_POST

from ingestion.events import refusals, retrying, stream
from ingestion.models import Customer, Event, EventType, EventVolume, Refusal
from ingestion.registry import listing
from marketing.core import audit
from marketing.core.auth import page, person
from marketing.core.errors import Refused

PER_PAGE = 50
SPANS = {"day": gettext_lazy("24 hours"), "month": gettext_lazy("30 days")}
BULK = 5_000
PAYLOAD_LIMIT = 40_000


def _wish(request: HttpRequest) -> dict[str, str]:
    names = ("type", "source", "person", "message", "span", "before", "code", "paused")
    return {name: request.GET.get(name, "").replace("\0", "").strip()[:200] for name in names}


def _number(text: str) -> int | None:
    """The number of a row, or None for anything that cannot be one."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _sources() -> list[str]:
    names = EventVolume.objects.filter(at__gte=timezone.now() - timedelta(days=70))
    return sorted(names.values_list("source", flat=True).distinct()[:200])


@page("view")
def event_stream(request: HttpRequest) -> HttpResponse:
    """What arrives, newest first; renews itself unless it was paused or leafed through."""
    wish, now = _wish(request), timezone.now()
    span = wish["span"] if wish["span"] in SPANS else "day"
    chart = listing.chart(now=now, span=span, type_name=wish["type"], source=wish["source"])
    if span == "day" and not chart["series"] and "span" not in request.GET:
        span = "month"
        chart = listing.chart(now=now, span=span, type_name=wish["type"], source=wish["source"])
    context = _rows(wish) | {
        "volumes": listing.volumes(now=now),
        "types": list(EventType.objects.filter(count__gt=0).values_list("name", flat=True)[:300]),
        "sources": _sources(),
        "refused": Refusal.objects.filter(state=Refusal.State.OPEN).count(),
        "last": Event.objects.order_by("-id").values_list("received_at", flat=True).first(),
        "chart": chart,
        "span": span,
        "spans": [(key, str(label)) for key, label in SPANS.items()],
    }
    return render(request, "ingestion/events/stream.html", context)


@require_GET
@page("view")
def event_rows(request: HttpRequest) -> HttpResponse:
    """The part that renews itself."""
    return render(request, "ingestion/events/_rows.html", _rows(_wish(request)))


def _rows(wish: dict[str, str]) -> dict[str, Any]:
    before = _number(wish["before"])
    customer, unknown = _person(wish["person"])
    if wish["message"]:
        sources = list(EventVolume.objects.values_list("source", flat=True).distinct()[:500])
        found = stream.Found(stream.by_message_id(message_id=wish["message"], sources=sources))
    elif unknown:
        found = stream.Found([])
    else:
        wanted = stream.Wanted(wish["type"], wish["source"], customer, before)
        found = stream.newest(wanted=wanted, limit=PER_PAGE)
    still = before is not None or bool(wish["paused"] or wish["message"])
    return {
        "wish": wish,
        "found": found,
        "rows": [_row(event) for event in found.rows],
        "following": found.rows[-1].id if found.more else None,
        "live": not still,
        "filtered": any(wish[name] for name in ("type", "source", "person", "message")),
    }


def _person(text: str) -> tuple[int | None, bool]:
    """The person meant by an address or a number; whether nobody is."""
    if not text:
        return None, False
    people = Customer.objects.values_list("id", flat=True)
    found = people.filter(email=text.lower()).first() or people.filter(external_id=text).first()
    if found is None and (number := _number(text)) is not None:
        found = people.filter(pk=number).first()
    return found, found is None


def _row(event: Event) -> dict[str, Any]:
    parts = [
        (name, _short(value)) for name, value in event.properties.items() if value not in (None, "")
    ]
    return {"event": event, "parts": parts[:3], "more": max(len(parts) - 3, 0)}


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 48 else text[:47] + "…"


@require_GET
@page("view")
def event_detail(request: HttpRequest, event_id: int) -> HttpResponse:
    """One event with everything it carries, drawn in place."""
    event = stream.get(event_id=event_id)
    if event is None:
        raise Http404
    kind = EventType.objects.filter(name=event.type).values_list("id", flat=True).first()
    context = {
        "event": event,
        "properties": pretty(event.properties),
        "context": pretty(event.context) if event.context else "",
        "kind": kind,
    }
    return render(request, "ingestion/events/_detail.html", context)


def pretty(value: Any) -> str:
    """JSON as people read it, cut where it would fill the page."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return value[:PAYLOAD_LIMIT]
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return text if len(text) <= PAYLOAD_LIMIT else text[:PAYLOAD_LIMIT] + "\n…"


@page("view")
def event_refused(request: HttpRequest) -> HttpResponse:
    """What was not stored, and why; newest first."""
    wish = _wish(request)
    rows = Refusal.objects.filter(state=Refusal.State.OPEN)
    reasons = list(
        rows.order_by()
        .values("code")
        .annotate(n=Count("id"), said=Max("message"))
        .order_by("-n")[:12]
    )
    for name in ("source", "type", "code"):
        if wish[name]:
            rows = rows.filter(**{name: wish[name]})
    if wish["message"]:
        rows = rows.filter(message_id=wish["message"])
    if (before := _number(wish["before"])) is not None:
        rows = rows.filter(id__lt=before)
    shown = list(rows.order_by("-id")[: PER_PAGE + 1])
    context = {
        "wish": wish,
        "rows": [{"row": row, "raw": pretty(row.raw)} for row in shown[:PER_PAGE]],
        "following": shown[PER_PAGE - 1].pk if len(shown) > PER_PAGE else None,
        "reasons": reasons,
        "total": sum(reason["n"] for reason in reasons),
        "refused": sum(reason["n"] for reason in reasons),
    }
    return render(request, "ingestion/events/refused.html", context)


@require_POST
@page("data")
def refused_change(request: HttpRequest) -> HttpResponse:
    """Try refused events again, or put them away: the one, or all of a reason."""
    retry = request.POST.get("do") == "retry"
    back = reverse("ingestion:event-refused")
    chosen = Refusal.objects.filter(state=Refusal.State.OPEN)
    if request.POST.get("id"):
        chosen = chosen.filter(pk=_number(request.POST["id"]) or 0)
    elif code := request.POST.get("code", "").replace("\0", ""):
        chosen = chosen.filter(code=code[:40])
    else:
        messages.error(request, _("No event was named. Nothing was changed."))
        return redirect(back)
    ids = list(chosen.order_by("id").values_list("id", flat=True)[:BULK])
    try:
        if retry:
            _tell_retried(request, retrying.retry(ids=ids, now=timezone.now()), len(ids))
        else:
            done = refusals.discard(ids=ids)
            text = ngettext("%(n)s event was put away.", "%(n)s events were put away.", done)
            messages.success(request, text % {"n": done})
    except Refused as refusal:
        messages.error(request, str(refusal))
    action = "refusals.retried" if retry else "refusals.discarded"
    audit.record(actor=person(request), action=action, detail={"events": len(ids)})
    return redirect(back)


def _tell_retried(request: HttpRequest, taken: int, asked: int) -> None:
    if taken == asked:
        text = ngettext("%(n)s event was taken.", "%(n)s events were taken.", taken)
        messages.success(request, text % {"n": taken})
    else:
        messages.warning(
            request,
            _("%(n)s of %(all)s events were taken; the others are refused again, see why below.")
            % {"n": taken, "all": asked},
        )

"""The privacy centre's rules: purposes and their words, suppressed addresses, retention."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from ingestion.events import partitions
from ingestion.models import (
    EventType,
    RetentionRule,
    RetentionRun,
)
from ingestion.privacy import purposes, retention, storage
from ingestion.views.privacy import CHANNELS, back, refused
from marketing.core import personal
from marketing.core.auth import page, person
from marketing.core.errors import Refused


@page("view")
@require_GET
def consent_home(request: HttpRequest) -> HttpResponse:
    """The purposes, who agreed to them, and the words in which they were asked."""
    return render(
        request,
        "ingestion/privacy/consent.html",
        {"part": "consent", "lines": purposes.overview(), "channels": CHANNELS},
    )


@page("data")
@require_POST
def purpose_add(request: HttpRequest) -> HttpResponse:
    try:
        made = purposes.add(
            name=request.POST.get("name", ""),
            description=request.POST.get("description", ""),
            actor=person(request),
            now=timezone.now(),
        )
    except Refused as refusal:
        return refused(request, refusal, "privacy-consent")
    messages.success(
        request, _("Added. In files and the API it is called %(slug)s.") % {"slug": made.slug}
    )
    return back(request, "privacy-consent")


@page("data")
@require_POST
def purpose_archive(request: HttpRequest, slug: str) -> HttpResponse:
    try:
        purposes.archive(slug=slug, actor=person(request))
    except Refused as refusal:
        return refused(request, refusal, "privacy-consent")
    messages.success(request, _("Nobody is asked for it any more. The answers stay as proof."))
    return back(request, "privacy-consent")


@page("data")
@require_POST
def text_write(request: HttpRequest) -> HttpResponse:
    try:
        made = purposes.write(
            purpose=request.POST.get("purpose", ""),
            language=request.POST.get("language", "").strip().lower(),
            text=request.POST.get("text", "").replace("\0", ""),
            user=person(request),
            now=timezone.now(),
        )
    except Refused as refusal:
        return refused(request, refusal, "privacy-consent")
    messages.success(
        request,
        _("Saved as version %(n)d. Who agreed before, agreed to the earlier words.")
        % {"n": made.version},
    )
    return back(request, "privacy-consent")


@page("view")
@require_GET
def retention_home(request: HttpRequest) -> HttpResponse:
    """How long what is kept, what goes next, and how large the tables are."""
    now = timezone.now()
    kinds = personal.retained()
    days = retention.days_of(kinds)
    rules = retention.event_rules()
    named = set(RetentionRule.objects.filter(kind="events").values_list("name", flat=True)) - {""}
    types: list[tuple[str, int | None]] = list(
        EventType.objects.order_by("-count").values_list("name", "count")[:100]
    )
    known = {name for name, _count in types}
    types += [(name, None) for name in sorted(named - known)]
    last = RetentionRun.objects.order_by("-id").first()
    labels: dict[str, Any] = {kind.kind: kind.label for kind in kinds}
    labels |= {"events": _("Events"), "months": _("Whole months of events")}
    sizes = storage.sizes(now=now)
    months = partitions.months()[-18:]
    return render(
        request,
        "ingestion/privacy/retention.html",
        {
            "part": "retention",
            "kinds": [{"kind": kind, "days": days[kind.kind]} for kind in kinds],
            "default": rules.default,
            "types": [
                {"name": name, "count": n, "days": rules.days(name), "own": name in rules.types}
                for name, n in types
            ],
            "last": last,
            "removed": [
                (labels.get(name, name), n) for name, n in (last.removed if last else {}).items()
            ],
            "sizes": sizes[:15],
            "total": sum(size.bytes for size in sizes),
            "largest": max((size.bytes for size in sizes), default=1),
            "months": months,
            "largest_month": max((month.bytes for month in months), default=1),
            "least": retention.EVENTS_LEAST,
        },
    )


@page("view")
@require_GET
def retention_plan(request: HttpRequest) -> HttpResponse:
    """What the next run would take; nothing is taken."""
    parts = retention.plan(now=timezone.now())
    return render(
        request,
        "ingestion/privacy/_plan.html",
        {
            "parts": parts,
            "rows": sum(part.rows for part in parts),
            "bytes": sum(part.bytes for part in parts),
        },
    )


@page("data")
@require_POST
def retention_choose(request: HttpRequest) -> HttpResponse:
    kind, name = request.POST.get("kind", ""), request.POST.get("name", "")
    given = request.POST.get("days", "").strip()
    try:
        if request.POST.get("do") == "reset":
            retention.forget_rule(kind=kind, name=name, actor=person(request))
        else:
            if given and not (given.isascii() and given.isdigit()):
                raise Refused(_("Give a whole number of days. Nothing was changed."))
            retention.choose(
                kind=kind,
                name=name,
                days=int(given[:6]) if given else None,
                actor=person(request),
                now=timezone.now(),
            )
    except Refused as refusal:
        return refused(request, refusal, "privacy-retention")
    messages.success(request, _("Saved. It counts from the next night on."))
    return back(request, "privacy-retention")

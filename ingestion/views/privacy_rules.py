"""The privacy centre's rules: purposes and their words, suppressed addresses, retention."""

import csv
import io
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_POST

from ingestion import consent
from ingestion.events import partitions
from ingestion.models import (
    EventType,
    RetentionRule,
    RetentionRun,
    SuppressedDigest,
    Suppression,
)
from ingestion.privacy import purposes, retention, storage
from ingestion.views.privacy import CHANNELS, PER_PAGE, back, refused
from marketing.core import audit, personal
from marketing.core.auth import page, person
from marketing.core.errors import Refused

REASONS: dict[str, Any] = {
    "unsubscribed": gettext_lazy("Unsubscribed"),
    "bounced": gettext_lazy("Mailbox does not exist"),
    "complained": gettext_lazy("Called our mail spam"),
    "manual": gettext_lazy("Stopped by hand"),
    "erased": gettext_lazy("Erased on request"),
}
LIST_LIMIT = 2_000_000


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
def suppression_list(request: HttpRequest) -> HttpResponse:
    """Addresses nothing is sent to."""
    text = request.GET.get("q", "").replace("\0", "").strip()[:254]
    reason = request.GET.get("reason", "")
    rows = Suppression.objects.order_by("-id")
    if text:
        rows = rows.filter(address__startswith=text.lower())
    if reason in REASONS:
        rows = rows.filter(reason=reason)
    veiled = bool(text) and "@" in text and consent.is_suppressed(address=text)
    shown = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    rows_shown: list[Any] = list(shown.object_list)
    for row in rows_shown:
        row.why = REASONS.get(row.reason, row.reason)
        row.by = CHANNELS.get(row.channel, row.channel)
    return render(
        request,
        "ingestion/privacy/suppression.html",
        {
            "part": "suppression",
            "page": shown,
            "rows": rows_shown,
            "text": text,
            "reason": reason,
            "reasons": REASONS,
            "channels": CHANNELS,
            "veiled": veiled and not rows_shown,
            "hashes": SuppressedDigest.objects.count(),
        },
    )


@page("data")
@require_POST
def suppression_add(request: HttpRequest) -> HttpResponse:
    """Put addresses on the list: typed, pasted, or the first column of a small file."""
    text = request.POST.get("addresses", "")[:LIST_LIMIT].replace("\0", "")
    upload = request.FILES.get("file")
    if upload is not None:
        if (upload.size or 0) > LIST_LIMIT:
            messages.error(
                request, _("The file is larger than 2 MB. Nothing was added; split it up.")
            )
            return back(request, "privacy-suppression")
        text += "\n" + upload.read().decode("utf-8-sig", "replace").replace("\0", "")
    channel = request.POST.get("channel", "email")
    cells = (row[0] for row in csv.reader(io.StringIO(text), delimiter=",") if row)
    found = [word for cell in cells for word in cell.replace(";", " ").split()]
    usable = [word for word in found if _fits(word, channel)]
    if channel not in CHANNELS or not usable:
        messages.error(request, _("No address was found in it. Nothing was added."))
        return back(request, "privacy-suppression")
    new = consent.suppress(addresses=usable, channel=channel, reason="manual", now=timezone.now())
    audit.record(
        actor=person(request),
        action="suppression.added",
        detail={"channel": channel, "addresses": len(usable), "new": new},
    )
    skipped = len(found) - len(usable)
    note = ngettext("%(n)d address was added.", "%(n)d addresses were added.", new) % {"n": new}
    if skipped:
        note += " " + ngettext(
            "%(n)d word is no address.", "%(n)d words are no addresses.", skipped
        ) % {"n": skipped}
    messages.success(request, note)
    return back(request, "privacy-suppression")


def _fits(word: str, channel: str) -> bool:
    if len(word) > 254:
        return False
    return ("@" in word.strip("@")) if channel == "email" else word.lstrip("+").isdigit()


@page("data")
@require_POST
def suppression_lift(request: HttpRequest) -> HttpResponse:
    address, channel = request.POST.get("address", ""), request.POST.get("channel", "email")
    if consent.lift(address=address, channel=channel):
        audit.record(
            actor=person(request),
            action="suppression.lifted",
            detail={"channel": channel, "hash": consent.digest_of(address).hex()[:16]},
        )
        messages.success(
            request, _("Lifted. Whether mail goes there now depends on what the person agreed to.")
        )
    else:
        messages.error(request, _("This address is not on the list; nothing was changed."))
    return back(request, "privacy-suppression")


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

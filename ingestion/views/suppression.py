"""The page of whom nothing is sent to: search, adding, importing, lifting, taking it out."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_POST

from ingestion import consent
from ingestion.models import SuppressedDigest, Suppression
from ingestion.privacy import suppressions
from ingestion.views.privacy import CHANNELS, PER_PAGE, back
from marketing.core import audit, downloads, hosts
from marketing.core.auth import page, person
from marketing.core.cells import safe_cell
from marketing.core.errors import Refused
from marketing.core.forms import whole_number
from marketing.core.wording import comma

LIST_LIMIT = 10_000_000
ALL_CHANNELS: dict[str, Any] = {**CHANNELS, consent.EVERY: gettext_lazy("Every channel")}
COLUMNS = ("channel", "kind", "value", "reason", "source", "note", "since")


def _asked(request: HttpRequest) -> dict[str, str]:
    names = {"text": "q", "reason": "reason", "channel": "channel", "kind": "kind"}
    return {key: request.GET.get(name, "")[:254] for key, name in names.items()}


@page("view")
@require_GET
def suppression_list(request: HttpRequest) -> HttpResponse:
    """Whom nothing is sent to, and why."""
    asked = _asked(request)
    text = asked["text"] = asked["text"].replace("\0", "").strip()
    shown = Paginator(suppressions.found(**asked), PER_PAGE).get_page(request.GET.get("page"))
    rows: list[Any] = list(shown.object_list)
    for row in rows:
        row.why = suppressions.REASONS.get(row.reason, row.reason)
        row.by = ALL_CHANNELS.get(row.channel, row.channel)
        row.shown = row.customer.display_name if row.customer else hosts.both(row.address)
    veiled = bool(text) and "@" in text and not rows and consent.is_suppressed(address=text)
    return render(
        request,
        "ingestion/privacy/suppression.html",
        {
            "part": "suppression",
            "page": shown,
            "rows": rows,
            **asked,
            "reasons": suppressions.REASONS,
            "given": {key: suppressions.REASONS[key] for key in suppressions.GIVEN},
            "channels": ALL_CHANNELS,
            "kinds": Suppression.Kind.choices,
            "veiled": veiled,
            "hashes": SuppressedDigest.objects.count(),
        },
    )


@page("data")
@require_POST
def suppression_add(request: HttpRequest) -> HttpResponse:
    """Put addresses, domains or hashes on the list: typed, pasted, or of a file."""
    text, source = request.POST.get("addresses", "")[:LIST_LIMIT], _("This page")
    upload = request.FILES.get("file")
    if upload is not None:
        if (upload.size or 0) > LIST_LIMIT:
            messages.error(
                request, _("The file is larger than 10 MB. Nothing was added; split it up.")
            )
            return back(request, "privacy-suppression")
        text += "\n" + suppressions.text_of(upload.read())
        source = _("File %(name)s") % {"name": str(upload.name)[:90]}
    channel = request.POST.get("channel", "email")
    found = suppressions.read(text, channel=channel)
    if not found.entries:
        messages.error(request, _("No address was found in it. Nothing was added."))
        return back(request, "privacy-suppression")
    try:
        new = suppressions.add(
            entries=found.entries,
            channel=channel,
            reason=request.POST.get("reason", "manual"),
            source=source,
            note=request.POST.get("note", ""),
            actor=person(request),
            now=timezone.now(),
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
        return back(request, "privacy-suppression")
    messages.success(request, _told(new, len(found.entries), found.strange))
    return back(request, "privacy-suppression")


def _told(new: int, named: int, strange: list[str]) -> str:
    note = ngettext("%(n)s entry was added.", "%(n)s entries were added.", new) % {"n": comma(new)}
    if known := named - new:
        note += " " + ngettext(
            "%(n)s was on the list before.", "%(n)s were on the list before.", known
        ) % {"n": comma(known)}
    if strange:
        note += " " + ngettext(
            "%(n)s line names no address, such as: %(some)s",
            "%(n)s lines name no address, such as: %(some)s",
            len(strange),
        ) % {"n": comma(len(strange)), "some": " · ".join(strange[:3])}
    return note


@page("data")
@require_POST
def person_suppress(request: HttpRequest, customer_id: int) -> HttpResponse:
    """Write to one person no more."""
    try:
        new = suppressions.add_person(
            customer_id=customer_id,
            channel=request.POST.get("channel", consent.EVERY),
            note=request.POST.get("note", ""),
            actor=person(request),
            now=timezone.now(),
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        done = _("Nothing is sent to this person any more.")
        messages.success(request, done if new else _("This person was on the list before."))
    return _home(request)


@page("data")
@require_POST
def suppression_lift(request: HttpRequest) -> HttpResponse:
    """Take a row off the list; or an address that is only known as the hash of somebody erased."""
    number = whole_number(request.POST.get("id"))
    try:
        if number is not None:
            suppressions.lift(
                suppression_id=number, why=request.POST.get("why", ""), actor=person(request)
            )
        else:
            _lift_veiled(request)
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(
            request, _("Lifted. Whether mail goes there now depends on what the person agreed to.")
        )
    return _home(request)


def _lift_veiled(request: HttpRequest) -> None:
    address, channel = request.POST.get("address", ""), request.POST.get("channel", "email")
    if not consent.lift(address=address, channel=channel):
        raise Refused(_("This address is not on the list; nothing was changed."))
    audit.record(
        actor=person(request),
        action="suppression.lifted",
        detail={
            "channel": channel,
            "hash": consent.digest_of(consent.normalise(address)).hex()[:16],
            "why": request.POST.get("why", "").strip()[:300],
        },
    )


def _home(request: HttpRequest) -> HttpResponse:
    """Back to the page the form stood on, if it is one of ours."""
    wanted = request.POST.get("back", "")
    if wanted and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None):
        return redirect(wanted)
    return back(request, "privacy-suppression")


@page("data")
@require_GET
def suppression_export(request: HttpRequest) -> Any:
    """The rows that are searched for, as CSV."""
    asked = _asked(request)
    rows = suppressions.found(**asked).order_by("id")
    home = f"{reverse('ingestion:privacy-suppression')}?{request.GET.urlencode()}"
    elsewhere = downloads.guard(request, people=rows.count(), what="suppression", back=home)
    if elsewhere is not None:
        return elsewhere
    told = {**asked, "text": bool(asked["text"])}
    audit.record(actor=person(request), action="suppression.exported", detail=told)
    answer = StreamingHttpResponse(_lines(rows), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="suppression.csv"'
    return answer


def _lines(rows: Any) -> Iterator[str]:
    yield "\ufeff" + ",".join(COLUMNS) + "\r\n"
    fields = ("channel", "kind", "address", "reason", "source", "note", "at")
    for row in rows.values_list(*fields).iterator(chunk_size=5_000):
        out = io.StringIO()
        cells = [safe_cell(str(cell)) for cell in row[:-1]]
        csv.writer(out).writerow([*cells, row[-1].isoformat()])
        yield out.getvalue()

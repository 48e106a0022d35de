"""The privacy centre: requests with their deadlines, copies, and receipts of erasures."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from ingestion.models import (
    Erasure,
    PersonalExport,
    PrivacyRequest,
    SuppressedDigest,
    Suppression,
)
from ingestion.privacy import exports, requests
from ingestion.views.public import zip_answer
from marketing.core import personal
from marketing.core.auth import page, person
from marketing.core.errors import Refused

PER_PAGE = 50
CHANNELS: dict[str, Any] = {
    "email": gettext_lazy("E-mail"),
    "sms": gettext_lazy("SMS"),
    "push": gettext_lazy("Push"),
}


def back(request: HttpRequest, name: str, *args: object) -> HttpResponseRedirect:
    return redirect(reverse(f"ingestion:{name}", args=args))


def refused(request: HttpRequest, refusal: Refused, name: str, *args: object) -> HttpResponse:
    messages.error(request, str(refusal))
    return back(request, name, *args)


@page("view")
@require_GET
def privacy_home(request: HttpRequest) -> HttpResponse:
    """What waits, what is late, and what was done."""
    now = timezone.now()
    state = request.GET.get("state", "open")
    rows = PrivacyRequest.objects.select_related("customer", "handled_by")
    counts = PrivacyRequest.objects.aggregate(
        open=Count("pk", filter=Q(state="open")),
        late=Count("pk", filter=Q(state="open", due_at__lt=now)),
        closed=Count("pk", filter=~Q(state="open")),
    )
    shown = rows.filter(state="open").order_by("due_at")
    if state == "closed":
        shown = rows.exclude(state="open").order_by("-closed_at")
    return render(
        request,
        "ingestion/privacy/home.html",
        {
            "part": "requests",
            "state": "closed" if state == "closed" else "open",
            "counts": counts,
            "page": Paginator(shown, PER_PAGE).get_page(request.GET.get("page")),
            "receipts": Erasure.objects.order_by("-id")[:8],
            "erased": Erasure.objects.count(),
            "suppressed": Suppression.objects.count() + SuppressedDigest.objects.count(),
            "now": now,
        },
    )


@page("view")
@require_GET
def request_detail(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """One request, and what can be done about it."""
    row = get_object_or_404(
        PrivacyRequest.objects.select_related("customer", "created_by", "handled_by"),
        public_id=public_id,
    )
    copies: list[Any] = list(row.exports.select_related("job"))
    for copy in copies:
        copy.link = exports.token_of(copy) if copy.ready_at else ""
    return render(
        request,
        "ingestion/privacy/request.html",
        {
            "row": row,
            "now": timezone.now(),
            "copies": copies,
            "receipts": row.erasures.all(),
        },
    )


@page("data")
@require_POST
def request_close(request: HttpRequest, public_id: UUID) -> HttpResponseBase:
    """Do what was asked, or decline it with a reason. Copies and erasures are an admin's to do."""
    row = get_object_or_404(PrivacyRequest, public_id=public_id)
    do = request.POST.get("do", "")
    if do == "fulfil" and row.kind in ("access", "erasure"):
        return _fulfil_as_admin(request, row)
    try:
        outcome = request.POST.get("outcome", "")
        if do == "fulfil":
            requests.fulfil(
                request_id=row.pk, outcome=outcome, actor=person(request), now=timezone.now()
            )
            messages.success(request, _("Done, and the request is closed."))
        else:
            requests.decline(
                request_id=row.pk, outcome=outcome, actor=person(request), now=timezone.now()
            )
            messages.success(request, _("The request is closed as declined."))
    except Refused as refusal:
        return refused(request, refusal, "privacy-request", public_id)
    return back(request, "privacy-request", public_id)


@page("privacy")
def _fulfil_as_admin(request: HttpRequest, row: PrivacyRequest) -> HttpResponseBase:
    try:
        requests.fulfil(
            request_id=row.pk,
            keep_orders=request.POST.get("keep_orders") == "yes",
            outcome=request.POST.get("outcome", ""),
            actor=person(request),
            now=timezone.now(),
        )
    except Refused as refusal:
        return refused(request, refusal, "privacy-request", row.public_id)
    messages.success(
        request,
        _("The copy is being made; it appears here in a moment.")
        if row.kind == "access"
        else _("The person is erased. Files and texts are being looked through."),
    )
    return back(request, "privacy-request", row.public_id)


@page("privacy")
@require_POST
def copy_fetch(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Take a copy for the person, once."""
    export = get_object_or_404(PersonalExport, public_id=public_id)
    try:
        content = exports.fetch(export=export, actor=person(request), now=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect(reverse("ingestion:person-privacy", args=[export.customer_id]))
    return zip_answer(content)


@page("view")
@require_GET
def receipt_detail(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """What was removed from where."""
    receipt = get_object_or_404(Erasure, public_id=public_id)
    labels = {h.table: h.label for h in personal.registry().holdings}
    labels |= {place.name: place.label for place in personal.registry().places}
    lines = [
        (labels.get(name, name), number)
        for name, number in sorted(receipt.counts.items(), key=lambda pair: -pair[1])
    ]
    return render(
        request,
        "ingestion/privacy/receipt.html",
        {"receipt": receipt, "lines": lines, "left": receipt.left},
    )

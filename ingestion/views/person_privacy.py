"""One person's consent with its whole history, and what may be done with their data."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from ingestion import consent
from ingestion.models import Consent, Customer, PersonalExport, PrivacyRequest
from ingestion.privacy import confirmations, exports, preferences, requests
from ingestion.views.privacy import CHANNELS
from marketing.core.auth import page, person
from marketing.core.errors import Refused

HISTORY = 60
BY_HAND = ("verbal", "paper", "form")


def _back(customer_id: int) -> HttpResponse:
    return redirect(reverse("ingestion:person-privacy", args=[customer_id]))


@page("view")
@require_GET
def person_privacy(request: HttpRequest, customer_id: int) -> HttpResponse:
    """What they agreed to, how we know, and what they asked of us."""
    customer = get_object_or_404(Customer, pk=customer_id)
    now = timezone.now()
    answers: list[Any] = list(
        Consent.objects.filter(customer=customer).select_related("text").order_by("-at", "-id")
    )
    current = {(row.channel, row.purpose): row for row in answers if row.current}
    names = {slug: name for slug, name, _about in preferences.purposes()}
    for row in answers[:HISTORY]:
        row.name = names.get(row.purpose, row.purpose)
        row.by = CHANNELS.get(row.channel, row.channel)
        row.how = consent.METHODS.get(row.method, "")
        row.where = ", ".join(
            str(value) for key, value in row.proof.items() if isinstance(value, str | int) and value
        )[:160]
        row.ended = bool(row.expires_at and row.expires_at <= now)
    addresses = {"email": customer.email or "", "sms": customer.phone}
    stopped = consent.suppressed(addresses, customer_id=customer.pk)
    context: dict[str, Any] = {
        "customer": customer,
        "now": now,
        "table": [
            {
                "slug": slug,
                "name": name,
                "cells": [
                    {"channel": channel, "label": label, "row": current.get((channel, slug))}
                    for channel, label in CHANNELS.items()
                ],
            }
            for slug, name in names.items()
        ],
        "channels": CHANNELS,
        "methods": [(name, consent.METHODS[name]) for name in BY_HAND],
        "history": answers[:HISTORY],
        "more": max(len(answers) - HISTORY, 0),
        "stopped": stopped,
        "person_stopped": customer.suppressions.order_by("-id").first(),
        "pending": customer.confirmations.filter(confirmed_at=None, expires_at__gt=now),
        "requests": PrivacyRequest.objects.filter(customer=customer).order_by("-id")[:10],
        "copies": PersonalExport.objects.filter(customer=customer).select_related("job")[:5],
        "kinds": PrivacyRequest.Kind.choices,
    }
    return render(request, "ingestion/privacy/person.html", context)


@page("data")
@require_POST
def answer(request: HttpRequest, customer_id: int) -> HttpResponse:
    """Record what somebody said on the phone, on paper or in a form elsewhere."""
    customer = get_object_or_404(Customer, pk=customer_id)
    method, note = request.POST.get("method", ""), request.POST.get("note", "").strip()[:300]
    channel, purpose = request.POST.get("channel", ""), request.POST.get("purpose", "")
    granted = request.POST.get("granted") == "yes"
    now = timezone.now()
    try:
        if granted and (method not in BY_HAND or not note):
            raise Refused(
                _("A yes needs proof: say how and where they agreed. Nothing was changed.")
            )
        proof = {"note": note, "recorded_by": person(request).username}
        if granted:
            consent.grant(
                customer_ids=[customer.pk], channel=channel, purpose=purpose,
                source="by hand", proof=proof, method=method, now=now,
            )  # fmt: skip
        else:
            consent.revoke(
                customer_ids=[customer.pk], channel=channel, purpose=purpose,
                source="by hand", proof=proof, method=method if method in BY_HAND else "", now=now,
            )  # fmt: skip
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("Recorded. It counts at once."))
    return _back(customer.pk)


@page("data")
@require_POST
def ask_to_confirm(request: HttpRequest, customer_id: int) -> HttpResponse:
    """Send the mail that asks for a confirmation."""
    customer = get_object_or_404(Customer, pk=customer_id)
    try:
        row = confirmations.ask(
            address=customer.email or "",
            source="asked by the team",
            proof={"asked_by": person(request).username},
            language=customer.language or "en",
            customer=customer,
            now=timezone.now(),
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
        return _back(customer.pk)
    if row is None:
        messages.error(request, _("They were asked within the last day already. Nothing was sent."))
    else:
        messages.success(request, _("A mail with the link is on its way."))
    return _back(customer.pk)


@page("data")
@require_POST
def file_request(request: HttpRequest, customer_id: int) -> HttpResponse:
    """Put what the person asked for into the queue."""
    try:
        row = requests.file(
            customer_id=customer_id,
            kind=request.POST.get("kind", ""),
            came_by=request.POST.get("came_by", "").strip() or _("Asked the team"),
            note=request.POST.get("note", "").replace("\0", ""),
            actor=person(request),
            now=timezone.now(),
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
        return _back(customer_id)
    messages.success(request, _("The request is in the queue."))
    return redirect(reverse("ingestion:privacy-request", args=[row.public_id]))


@page("privacy")
@require_POST
def copy_start(request: HttpRequest, customer_id: int) -> HttpResponse:
    """Begin to make a copy of everything about the person."""
    try:
        exports.start(customer_id=customer_id, actor=person(request), now=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("The copy is being made; it appears here in a moment."))
    return _back(customer_id)

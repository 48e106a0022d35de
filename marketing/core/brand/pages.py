"""The page of the brand, and the picture that mailboxes and pages fetch."""

import zoneinfo
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from marketing.core import auth, brand
from marketing.core.auth import page
from marketing.core.brand import values as allowed
from marketing.core.errors import Refused

# Offered in the field; any other three letters may be typed.
CURRENCIES = ("EUR", "USD", "GBP", "CNY", "JPY", "CHF", "SEK", "NOK", "DKK", "PLN", "CZK", "CAD",
              "AUD", "NZD", "INR", "BRL", "MXN", "SGD", "HKD", "KRW", "ZAR", "TRY")  # fmt: skip


@page("view")
def edit(request: HttpRequest) -> HttpResponseBase:
    """What is in force; admins change it."""
    if request.method == "POST":
        return _saved(request)
    return _shown(request, brand.saved())


@page("brand")
def _saved(request: HttpRequest) -> HttpResponse:
    given = {name: request.POST[name] for name in brand.FIELDS if name in request.POST}
    file = request.FILES.get("logo")
    try:
        if file is not None and (file.size or 0) > allowed.LOGO_BYTES:
            allowed.logo(b"\0" * (allowed.LOGO_BYTES + 1))
        brand.save(
            values=given,
            logo=file.read() if file is not None else None,
            without_logo="without_logo" in request.POST,
            actor=auth.person(request),
            at=timezone.now(),
        )
    except Refused as refusal:
        return _shown(request, {**brand.saved(), **given}, refusal)
    messages.success(request, _("Saved. Everything that is written from now on says so."))
    return redirect("core:brand")


def _shown(
    request: HttpRequest, values: dict[str, Any], refusal: Refused | None = None
) -> HttpResponse:
    context = {
        "values": values,
        "refusal": refusal,
        "wrong": refusal.field if refusal and refusal.field in (*brand.FIELDS, "logo") else "",
        "brand": brand.now(),
        "color": values["color"] or allowed.COLOR,
        "languages": settings.LANGUAGES,
        "currencies": CURRENCIES,
        "zones": sorted(z for z in zoneinfo.available_timezones() if "/" in z or z == "UTC"),
        "can_edit": auth.may(request.user, "brand"),
    }
    return render(request, "core/brand.html", context, status=422 if refusal else 200)


@require_safe
@login_not_required
def logo(request: HttpRequest, name: str) -> HttpResponse:
    """The logo. Mails that were sent with an earlier one show today's."""
    found = brand.logo()
    if found is None:
        raise Http404
    data, kind, digest = found
    answer = HttpResponse(data, content_type=kind)
    current = name.partition(".")[0] == digest
    answer["Cache-Control"] = (
        "public, max-age=31536000, immutable" if current else "public, max-age=300"
    )
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Content-Security-Policy"] = "default-src 'none'; sandbox"
    answer["Cross-Origin-Resource-Policy"] = "cross-origin"
    return answer

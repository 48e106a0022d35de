"""What people reach without signing in: sign up, confirm, choose what they get, fetch their copy.

The signed token in an address is what allows a change, so mail programs without cookies may post;
an address that does not work says so, and never whose it was.
"""

import ipaddress
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import get_language
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from ingestion.privacy import confirmations, exports, preferences, requests
from marketing.core import passing
from marketing.core.errors import Refused

PUBLIC = require_http_methods(["GET", "HEAD", "POST"])
ASKS = ("access", "erasure")


def network_of(request: HttpRequest) -> str:
    """The network a request came from: enough to count by, too little to be a person."""
    try:
        parsed = ipaddress.ip_address(passing.address_of(request.META))
    except ValueError:
        return "unknown"
    return str(ipaddress.ip_network((parsed, 24 if parsed.version == 4 else 48), strict=False))


def _proof(request: HttpRequest) -> dict[str, Any]:
    """Where somebody answered; the network and the browser only where the shop keeps them."""
    proof: dict[str, Any] = {"page": request.path.split("/")[1]}
    if settings.CONSENT_PROOF_NETWORK:
        proof |= {
            "network": network_of(request),
            "browser": request.headers.get("User-Agent", "").partition(" ")[0][:40],
        }
    return proof


@csrf_exempt
@never_cache
@PUBLIC
def subscribe(request: HttpRequest) -> HttpResponse:
    """Sign up. Whatever address is given, the answer is the same, and a mail decides."""
    text = confirmations.text_of(purpose="marketing", language=get_language() or "en")
    context: dict[str, Any] = {"text": text, "done": False, "email": "", "error": ""}
    if request.method != "POST":
        return render(request, "public/subscribe.html", context)
    email = request.POST.get("email", "").replace("\0", "").strip()[:254]
    # A field that people do not see: whoever fills it in is a program.
    if request.POST.get("website"):
        return render(request, "public/subscribe.html", context | {"done": True})
    try:
        confirmations.ask(
            address=email,
            source="sign-up page",
            proof=_proof(request),
            language=get_language() or "en",
            network=network_of(request),
            now=timezone.now(),
        )
    except Refused as refusal:
        wrong = {"error": str(refusal), "email": email}
        return render(request, "public/subscribe.html", context | wrong, status=refusal.status)
    return render(request, "public/subscribe.html", context | {"done": True})


@csrf_exempt
@never_cache
@PUBLIC
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """GET asks, POST confirms. A token that is forged, used or too old changes nothing."""
    now = timezone.now()
    if request.method == "POST":
        done = confirmations.confirm(token=token, now=now)
        if not done and (held := passing.held_back(request.META)):
            return held
        return render(request, "public/confirm.html", {"known": done, "done": done})
    row = confirmations.of_token(token, now=now)
    if row is None and (held := passing.held_back(request.META)):
        return held
    return render(request, "public/confirm.html", {"known": row is not None, "row": row})


@csrf_exempt
@never_cache
@PUBLIC
def preference_page(request: HttpRequest, token: str) -> HttpResponse:
    """What a person gets, purpose by purpose, and what they may ask of us."""
    customer = preferences.of_token(token)
    context: dict[str, Any] = {"known": customer is not None, "saved": False, "asked": ""}
    if customer is None:
        held = passing.held_back(request.META)
        return held or render(request, "public/preferences.html", context)
    now = timezone.now()
    if request.method == "POST":
        asked = request.POST.get("ask", "")
        if asked in ASKS:
            requests.file(
                customer_id=customer.pk,
                kind=asked,
                came_by=preferences.SOURCE,
                actor=None,
                now=now,
            )
            context["asked"] = asked
        else:
            wanted = set(request.POST.getlist("purpose"))
            if asked == "nothing":
                wanted = set()
            preferences.choose(customer=customer, wanted=wanted, now=now)
            context["saved"] = True
    context["choices"] = preferences.choices(customer=customer)
    return render(request, "public/preferences.html", context)


@csrf_exempt
@never_cache
@PUBLIC
def copy_page(request: HttpRequest, token: str) -> HttpResponse:
    """A person's own copy of their data: GET shows what it is, POST hands it over, once."""
    now = timezone.now()
    export = exports.of_token(token, now=now)
    if export is None and (held := passing.held_back(request.META)):
        return held
    if export is None or request.method != "POST":
        return render(request, "public/copy.html", {"export": export})
    try:
        content = exports.fetch(export=export, actor=None, now=now)
    except Refused:
        return render(request, "public/copy.html", {"export": None})
    return zip_answer(content)


def zip_answer(content: bytes) -> HttpResponse:
    """A ZIP to be saved, never kept by anything on the way."""
    answer = HttpResponse(content, content_type="application/zip")
    answer["Content-Disposition"] = 'attachment; filename="personal-data.zip"'
    answer["Cache-Control"] = "no-store"
    return answer

"""The requests of `/v1/`: read the body, know the key, store what can be stored, say what cannot.

A plain view without the REST framework: it is asked more often than anything else here.
"""

import base64
import binascii
import logging
import math
from collections.abc import Mapping
from typing import Any

import orjson
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

from ingestion.events import bodies
from ingestion.tracking import keys, storing
from marketing.core import brand, passing
from marketing.core.api import error_body
from marketing.core.errors import Invalid, Refused, TooLarge

logger = logging.getLogger(__name__)

# The long names of the protocol and the short ones that browsers' libraries use.
CALLS = {
    **{name: name for name in ("identify", "track", "page", "screen", "group", "alias", "batch")},
    "i": "identify",
    "t": "track",
    "p": "page",
    "s": "screen",
    "g": "group",
    "a": "alias",
    "b": "batch",
    "import": "batch",
}
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Retry-After",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Cache-Control": "no-store",
}
PREFLIGHT = {
    "Access-Control-Allow-Methods": "POST, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Encoding, Content-Type, X-Retry-Count",
    "Access-Control-Max-Age": "86400",
}


class Unauthorized(Refused):
    status = 401


class TooOften(Refused):
    status = 429


@csrf_exempt
def receive(request: HttpRequest, call: str) -> HttpResponse:
    """One call or a batch of them; `call` is the last part of the address."""
    if request.method == "OPTIONS":
        return _answer(None, 204, PREFLIGHT)
    headers: dict[str, str] = {}
    try:
        return _answer(_take(request, call), 200, headers)
    except Refused as fault:
        if fault.status == 401:
            headers["WWW-Authenticate"] = 'Basic realm="tracking"'
        elif fault.status == 405:
            headers["Allow"] = PREFLIGHT["Access-Control-Allow-Methods"]
        elif fault.status in (429, 503):
            headers["Retry-After"] = fault.remedy or "1"
        # The protocol knows 400 for anything that must not be sent again.
        status = 400 if fault.status == 422 else fault.status
        body = error_body(
            fault.code,
            fault.message,
            field=fault.field,
            remedy=None if "Retry-After" in headers else fault.remedy,
            items=fault.items,
        )
        return _answer({"success": False, **body}, status, headers)
    except (OperationalError, InterfaceError) as error:
        logger.warning("database unavailable: %s", error)
        body = error_body(
            "unavailable", _("The database does not answer; nothing was stored. Send it again.")
        )
        return _answer({"success": False, **body}, 503, {"Retry-After": "5"})


class _NotHere(Refused):
    status = 404


class _NotSo(Refused):
    status = 405


def _take(request: HttpRequest, call: str) -> dict[str, Any]:
    kind = CALLS.get(call)
    if kind is None:
        raise _NotHere(_("There is no such call."), code="not_found")
    if request.method != "POST":
        raise _NotSo(_("Send calls by POST."), code="method_not_allowed")
    body = _body(request)
    if not isinstance(body, dict):
        raise Refused(_("Send a JSON object."), code="not_an_object")
    source = _source(request, body)
    rate = float(settings.TRACKING_RATE)
    if seconds := passing.wait(f"source:{source.source_id}", limits=(rate, rate)):
        raise TooOften(
            _("Too many requests from this source; nothing was stored."),
            code="too_many_requests",
            remedy=str(math.ceil(seconds)),
        )
    return storing.store(
        messages=_messages(body, kind),
        kind="" if kind == "batch" else kind,
        envelope=body if kind == "batch" else {},
        source=source,
        default_currency=brand.now().currency,
        now=timezone.now(),
    )


def _body(request: HttpRequest) -> Any:
    # Beacons send text and some clients a form's type, so what a body says it is does not count.
    if not request.META.get("CONTENT_LENGTH") and "HTTP_TRANSFER_ENCODING" not in request.META:
        return bodies.parse(b"")
    return bodies.parse(bodies.read(request))


def _messages(body: Mapping[str, Any], kind: str) -> list[Any]:
    if kind != "batch":
        return [{name: value for name, value in body.items() if name != "writeKey"}]
    found = body.get("batch")
    if not isinstance(found, list) or not found:
        raise Invalid(
            _("A batch is a list of calls under the name batch."), code="bad_batch", field="batch"
        )
    if len(found) > bodies.ITEMS_LIMIT:
        raise TooLarge(
            _("%(n)d calls came; one batch takes at most %(max)d. Nothing was stored.")
            % {"n": len(found), "max": bodies.ITEMS_LIMIT},
            code="too_many_items",
            field="batch",
            remedy=_("Send them in several batches."),
        )
    return found


def _source(request: HttpRequest, body: Mapping[str, Any]) -> keys.Door:
    given = _basic(request.headers.get("Authorization", "")) or body.get("writeKey")
    given = given or request.GET.get("writeKey")
    source = keys.find(given) if isinstance(given, str) else None
    if source is None:
        if seconds := passing.forged(request.META):
            raise TooOften(
                _("Too many write keys that are not known; nothing was stored."),
                code="too_many_requests",
                remedy=str(math.ceil(seconds)),
            )
        raise Unauthorized(
            _("This write key is not known or was turned off."),
            code="bad_write_key",
            field="writeKey",
            remedy=_("Copy the key from Data, Sources."),
        )
    return source


def _basic(header: str) -> str:
    """The user name of Basic authentication; clients put the key there, without a password."""
    scheme, _space, text = header.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(text.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, ValueError):
        return ""


def _answer(body: Any, status: int, headers: Mapping[str, str]) -> HttpResponse:
    content = b"" if body is None else orjson.dumps(body)
    return HttpResponse(
        content, status=status, content_type="application/json", headers={**CORS, **headers}
    )

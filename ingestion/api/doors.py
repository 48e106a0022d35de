"""Doors at which programs call all day: with an API key they are answered past the REST framework.

The key is known for seconds, a body read once, and the answer made by a plain function. The
framework's view describes the door to the API document, and serves people who are signed in.
"""

from collections.abc import Callable
from typing import Any

import orjson
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework.exceptions import APIException

from ingestion.events import bodies
from marketing.core import formats, passing
from marketing.core.api import refusal
from marketing.core.errors import Refused

# An unpacked body → the status and what is answered.
Take = Callable[[bytes], tuple[int, Any]]
# What the address asks for, and the names in it → what is answered.
Read = Callable[..., Any]


def beside(framed: Any, *, scope: str, take: Take, limit: int | None = None) -> Any:
    """A view that answers a POST with a key by `take`, and everything else by `framed`."""

    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        plain = request.method == "POST" and "HTTP_IDEMPOTENCY_KEY" not in request.META
        if plain and "HTTP_AUTHORIZATION" in request.META:
            return _received(request, scope, take, limit)
        return framed(request, *args, **kwargs)

    answer.__dict__.update(framed.__dict__)  # the API document is read from these
    return csrf_exempt(answer)


def reading(framed: Any, *, scope: str, read: Read) -> Any:
    """A view that answers a GET with a key by `read`, and everything else by `framed`.

    `read` is given the request's query and what the address names.
    """

    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if request.method != "GET" or "HTTP_AUTHORIZATION" not in request.META:
            return framed(request, *args, **kwargs)
        try:
            passing.admit(request.META["HTTP_AUTHORIZATION"], scope=scope, meta=request.META)
            found = read(request.GET, **kwargs)
        except (Refused, APIException, OperationalError, InterfaceError) as error:
            return refusal(error)
        return HttpResponse(formats.dumps(found), content_type="application/json")

    answer.__dict__.update(framed.__dict__)
    return csrf_exempt(answer)


def _received(request: HttpRequest, scope: str, take: Take, limit: int | None) -> HttpResponse:
    most: int = settings.API_BODY_LIMIT_BYTES
    try:
        passing.admit(request.META["HTTP_AUTHORIZATION"], scope=scope, meta=request.META)
        bodies.require_json(request)
        status, found = take(bodies.read(request, limit=min(limit or most, most)))
    except (Refused, APIException, OperationalError, InterfaceError) as error:
        return refusal(error)
    return HttpResponse(orjson.dumps(found), content_type="application/json", status=status)

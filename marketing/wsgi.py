"""The WSGI door that the HTTP server opens."""

import os
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketing.settings")
pages = get_wsgi_application()

# The doors may name tables, so they come after the tables are known.
from campaigns.answers import door as hits  # noqa: E402
from marketing.core import arrival  # noqa: E402
from marketing.core.programs import ProgramDoor  # noqa: E402

programs = ProgramDoor()
# Load every view now, so that the first visitor does not wait for it.
_ = get_resolver().url_patterns


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Hand a request to the door that fits it, once its body is there."""
    if environ["REQUEST_METHOD"] in ("GET", "HEAD", "OPTIONS"):
        return _door(environ)(environ, start_response)
    with arrival.received(environ) as whole:
        if whole:
            return _door(environ)(environ, start_response)
    headers = [("Retry-After", "2"), ("Content-Length", "0"), ("Connection", "close")]
    start_response("503 Service Unavailable", headers)
    return [b""]


def _door(environ: dict[str, Any]) -> Callable[..., Iterable[bytes]]:
    path: str = environ["PATH_INFO"]
    if path.startswith(hits.PREFIXES):
        return hits.application
    if path.startswith(("/v1/", "/t/", "/t.js")) or (
        path == "/api/v1/events/"
        and environ["REQUEST_METHOD"] == "POST"
        and "HTTP_AUTHORIZATION" in environ
    ):
        return programs
    return pages

"""The WSGI door that the HTTP server opens."""

import gc
import os
import time
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketing.settings")
pages = get_wsgi_application()

# The doors may name tables, so they come after the tables are known.
from campaigns.answers import door as hits  # noqa: E402
from marketing.core import arrival, counters  # noqa: E402
from marketing.core.programs import ProgramDoor  # noqa: E402

programs = ProgramDoor(first="marketing.busy_urls")
# Load every view now, so that the first visitor does not wait for it.
_ = get_resolver().url_patterns
# All of that stays: whoever collects garbage later need not walk through it while somebody waits.
gc.collect()
gc.freeze()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer a request, and count it with the time that took."""
    began = time.perf_counter()
    status = 500

    def start(line: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        nonlocal status
        status = int(line[:3])
        return start_response(line, headers, *rest)

    name, door = _door(environ)
    try:
        return _answer(door, environ, start)
    finally:
        counters.observe(name, time.perf_counter() - began, status)


def _answer(
    door: Callable[..., Iterable[bytes]], environ: dict[str, Any], start: Callable[..., Any]
) -> Iterable[bytes]:
    """Hand a request to the door that fits it, once its body is there."""
    if environ["REQUEST_METHOD"] in ("GET", "HEAD", "OPTIONS"):
        return door(environ, start)
    with arrival.received(environ) as whole:
        if whole:
            return door(environ, start)
    headers = [("Retry-After", "2"), ("Content-Length", "0"), ("Connection", "close")]
    start("503 Service Unavailable", headers)
    return [b""]


def _door(environ: dict[str, Any]) -> tuple[str, Callable[..., Iterable[bytes]]]:
    path: str = environ["PATH_INFO"]
    if path.startswith(hits.PREFIXES):
        return "hits", hits.application
    if path.startswith(("/v1/", "/t/", "/t.js")):
        return "events", programs
    if not path.startswith("/api/"):
        return "pages", pages
    if "HTTP_AUTHORIZATION" in environ:
        method = environ["REQUEST_METHOD"]
        if method == "POST" and path == "/api/v1/events/":
            return "events", programs
        if (method == "POST" and path == "/api/v1/recommendations/live/") or (
            method == "GET"
            and path.startswith("/api/v1/customers/")
            and path.endswith("/recommendations/")
            and "\0" not in path
            and "%00" not in environ.get("QUERY_STRING", "")
        ):
            return "api", programs
    return "api", pages

"""What a mail's picture and links are answered with, without the machinery that pages need.

A large sending is opened by thousands in a minute, while people work with the pages; so these two
addresses cost a signature, a row shared with others, and nothing else. Whoever keeps coming with
addresses that were not made here is told to wait; nobody else is.
"""

import math
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from django.db import InterfaceError, OperationalError
from django.utils import timezone

from campaigns.answers import hits
from campaigns.messaging import addresses
from marketing.core import hosts, passing

PREFIXES = ("/o/", "/c/")
PIXEL = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_NO_LINK = (
    b'<!doctype html><meta charset="utf-8"><meta name="robots" content="noindex">'
    b"<title>404</title><p>This link is not complete, or it was not made here."
)
_HTML = "text/html; charset=utf-8"


class Answer(NamedTuple):
    """Status, kind of content, content, and where to go on or when to come again."""

    status: str
    kind: str
    body: bytes
    location: str = ""
    wait: int = 0


_MISSING = Answer("404 Not Found", _HTML, _NO_LINK)
_NOT_SO = Answer("405 Method Not Allowed", _HTML, b"")
_PICTURE = Answer("200 OK", "image/gif", PIXEL)


def answer(
    *, method: str, path: str, query: str, agent: str, meta: Mapping[str, Any], now: datetime
) -> Answer:
    """The answer to one request. HEAD notes nothing; a forged address leaves no row.

    `meta` says where it came from, and is looked at only for what is forged.
    """
    if method not in ("GET", "HEAD"):
        return _NOT_SO
    kind, _slash, rest = path[1:].partition("/")
    if kind == "o" and rest.endswith(".gif"):
        if method == "GET" and not _opened(rest[:-4], agent, now):
            return _forged(meta) or _PICTURE
        return _PICTURE
    token, slash, mac = rest.partition("/")
    if kind != "c" or not slash or "/" in mac:
        return _forged(meta) or _MISSING
    if method == "HEAD":
        return Answer("200 OK", _HTML, b"")
    target = _clicked(token, mac, (parse_qs(query).get("u") or [""])[0], agent, now)
    if target:
        # Signed and counted as it was written; a header holds ASCII alone.
        return Answer("302 Found", _HTML, b"", hosts.address_to_ascii(target))
    return _forged(meta) or _MISSING


def _forged(meta: Mapping[str, Any]) -> Answer | None:
    """What an address hears that came too often with what was not made here."""
    seconds = passing.forged(meta)
    if not seconds:
        return None
    return Answer("429 Too Many Requests", _HTML, b"", wait=math.ceil(seconds))


def _opened(token: str, agent: str, now: datetime) -> bool:
    try:
        return hits.opened(token=token, agent=agent, now=now)
    except (OperationalError, InterfaceError):
        return True  # the picture all the same; the next look is noted


def _clicked(token: str, mac: str, url: str, agent: str, now: datetime) -> str | None:
    try:
        return hits.clicked(token=token, mac=mac, url=url, agent=agent, now=now)
    except (OperationalError, InterfaceError):
        # The reader matters more than the count: the link was signed by us, so it leads on.
        return addresses.signer().target(mac, url)


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The same over WSGI."""
    given = answer(
        method=environ["REQUEST_METHOD"],
        path=environ["PATH_INFO"],
        query=environ.get("QUERY_STRING", ""),
        agent=environ.get("HTTP_USER_AGENT", ""),
        meta=environ,
        now=timezone.now(),
    )
    headers = [
        ("Content-Type", given.kind),
        ("Content-Length", str(len(given.body))),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
    ]
    if given.location:
        headers.append(("Location", given.location))
    if given.wait:
        headers.append(("Retry-After", str(given.wait)))
    start_response(given.status, headers)
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else given.body]

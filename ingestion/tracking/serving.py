"""The web tracker as a file for other people's pages: compressed once, and kept by browsers."""

import base64
import gzip
import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

import brotli
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.views.decorators.http import require_safe

SCRIPT = Path(__file__).resolve().parents[2] / "marketing" / "static" / "t.js"
SOON = "public, max-age=3600, stale-while-revalidate=86400"
FOR_EVER = "public, max-age=31536000, immutable"


class Tracker(NamedTuple):
    """The script in each encoding, by which version it is known, and its fingerprint for pages."""

    plain: bytes
    gzip: bytes
    brotli: bytes
    version: str
    integrity: str


@cache
def _load(modified: float) -> Tracker:
    plain = SCRIPT.read_bytes()
    return Tracker(
        plain,
        gzip.compress(plain, 9, mtime=0),
        brotli.compress(plain),
        hashlib.sha256(plain).hexdigest()[:10],
        "sha384-" + base64.b64encode(hashlib.sha384(plain).digest()).decode(),
    )


def tracker() -> Tracker:
    """The tracker as it is now."""
    return _load(SCRIPT.stat().st_mtime)


@require_safe
def script(request: HttpRequest, version: str = "") -> HttpResponse:
    """`/t.js` for an hour, or `/t/<version>.js` for ever; an old version gives the newest."""
    found = tracker()
    tag = f'"{found.version}"'
    response: HttpResponse
    if request.headers.get("If-None-Match") in (tag, f"W/{tag}"):
        response = HttpResponseNotModified()
    else:
        accepted = request.headers.get("Accept-Encoding", "")
        encoding = next((name for name in ("br", "gzip") if name in accepted), "")
        content = {"br": found.brotli, "gzip": found.gzip}.get(encoding, found.plain)
        response = HttpResponse(content, content_type="text/javascript; charset=utf-8")
        if encoding:
            response["Content-Encoding"] = encoding
        response["Vary"] = "Accept-Encoding"
    response["ETag"] = tag
    response["Cache-Control"] = FOR_EVER if version == found.version else SOON
    response["Access-Control-Allow-Origin"] = "*"
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response

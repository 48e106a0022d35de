"""The script that shows picks on other people's pages: packed once, and kept by browsers."""

import gzip
import hashlib
from functools import cache
from pathlib import Path

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.views.decorators.http import require_safe

from ingestion.tracking.serving import SOON

SCRIPT = Path(__file__).resolve().parents[2] / "marketing" / "static" / "r.js"


@cache
def _load(modified: float) -> tuple[bytes, bytes, str]:
    plain = SCRIPT.read_bytes()
    return plain, gzip.compress(plain, 9, mtime=0), hashlib.sha256(plain).hexdigest()[:10]


@require_safe
def script(request: HttpRequest) -> HttpResponse:
    """`/r.js`, kept for an hour."""
    plain, packed, version = _load(SCRIPT.stat().st_mtime)
    response: HttpResponse
    if request.headers.get("If-None-Match") in (f'"{version}"', f'W/"{version}"'):
        response = HttpResponseNotModified()
    else:
        zipped = "gzip" in request.headers.get("Accept-Encoding", "")
        response = HttpResponse(
            packed if zipped else plain, content_type="text/javascript; charset=utf-8"
        )
        if zipped:
            response["Content-Encoding"] = "gzip"
        response["Vary"] = "Accept-Encoding"
    response["ETag"] = f'"{version}"'
    response["Cache-Control"] = SOON
    response["Access-Control-Allow-Origin"] = "*"
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response

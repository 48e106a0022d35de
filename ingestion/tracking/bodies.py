"""The body of a request as JSON: unpacked and read to a limit, whatever its headers promise."""

import zlib
from typing import Any

import orjson
from django.http import HttpRequest
from django.http.request import UnreadablePostError
from django.utils.translation import gettext as _

from marketing.core.errors import Refused, TooLarge

_CHUNK = 65_536


def read(request: HttpRequest, *, limit: int) -> Any:
    """The JSON of a body of at most `limit` bytes, also after unpacking gzip or deflate."""
    raw = _bytes(request, limit)
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding in ("gzip", "x-gzip", "deflate"):
        raw = _unpack(raw, limit)
    elif encoding not in ("", "identity"):
        raise Refused(
            _("A body packed as %(name)s cannot be read.") % {"name": encoding[:40]},
            code="bad_encoding",
            remedy=_("Send it plain or packed with gzip."),
        )
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Refused(
            _("The body is not valid JSON: %(why)s.") % {"why": error},
            code="not_json",
            remedy=_("Send UTF-8 JSON; NaN and Infinity are not numbers in JSON."),
        ) from error


def _bytes(request: HttpRequest, limit: int) -> bytes:
    stated = request.META.get("CONTENT_LENGTH") or ""
    if stated.isdigit() and int(stated[:12]) > limit:
        raise _too_large(limit)
    # A body sent in chunks states no length, and Django would take it for empty.
    chunked = not stated and "HTTP_TRANSFER_ENCODING" in request.META
    stream = request.META["wsgi.input"] if chunked else request
    found = b""
    try:
        while len(found) <= limit:
            part = stream.read(_CHUNK)
            if not part:
                break
            found += part
    except (OSError, UnreadablePostError):
        raise Refused(
            _("The body ended before it was whole; nothing was stored."), code="body_cut_off"
        ) from None
    if len(found) > limit:
        raise _too_large(limit)
    if stated.isdigit() and len(found) < int(stated):
        raise Refused(
            _("The body is shorter than its Content-Length; nothing was stored."),
            code="body_cut_off",
        )
    return found


def _unpack(raw: bytes, limit: int) -> bytes:
    """Unpack gzip or zlib, never beyond the limit: a bomb is cut off while it unpacks."""
    try:
        unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        found = unpacker.decompress(raw, limit + 1)
        if len(found) > limit:
            raise _too_large(limit)
        if not unpacker.eof or unpacker.unused_data:
            raise zlib.error
    except zlib.error:
        raise Refused(
            _("The body cannot be unpacked; nothing was stored."),
            code="bad_encoding",
            remedy=_("Send it plain or packed with gzip."),
        ) from None
    return found


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        _("The body is larger than %(n)d KB; nothing was stored.") % {"n": limit // 1024},
        code="body_too_large",
        remedy=_("Send smaller batches."),
    )

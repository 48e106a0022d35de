"""Request bodies at the doors for events: capped in size, unpacked, and read as strict JSON.

Every door reads with `read` and `parse`, so all of them refuse the same things in the same words:

    value = bodies.parse(bodies.read(request))

Both raise a Refused with the status to answer. A body is at most 500 KB, before and after
unpacking; JSON is UTF-8 without NaN, without a key twice in one object, and not nested too deep.
"""

import json
import re
import zlib
from typing import Any

import orjson
from django.http import HttpRequest
from django.http.request import RawPostDataException, UnreadablePostError
from django.utils.translation import gettext as _

from marketing.core.errors import Refused, TooLarge

BODY_LIMIT = 500 << 10
ITEMS_LIMIT = 2_500
_PACKED = zlib.MAX_WBITS | 32  # either header
# A key's end that the counting below would not see, and what has to be there for one.
_UNSURE = (b'" ', b'"\t', b'"\n', b'"\r', b"\\u0022", b"\\u003")
_ODD_KEYS = re.compile(rb'"[ \t\r\n]+:|\\u00(?:22|3[aA])')
_JSON_TYPES = ("", "application/json", "text/plain", "text/json")


class Unsupported(Refused):
    """The body's type or packing is none that we read."""

    status = 415


def read(request: HttpRequest, *, limit: int = BODY_LIMIT) -> bytes:
    """The body, unpacked. Refused above `limit` bytes without reading on."""
    body = _bytes(request, limit)
    packing = request.META.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if packing in ("", "identity"):
        return body
    if packing not in ("gzip", "x-gzip", "deflate"):
        raise Unsupported(
            _("The body is packed in a way that is not read here."),
            code="bad_encoding",
            remedy=_("Send it plain or with Content-Encoding: gzip."),
        )
    return unpack(body, limit=limit)


def _bytes(request: HttpRequest, limit: int) -> bytes:
    stated = request.META.get("CONTENT_LENGTH") or ""
    size = int(stated[:18]) if stated.isdecimal() else None
    if size is not None and size > limit:
        raise _too_large(limit)
    # A body sent in pieces states no length, and Django would take it for empty.
    pieces = size is None and "HTTP_TRANSFER_ENCODING" in request.META
    stream: Any = request.META["wsgi.input"] if pieces else request
    found: list[bytes] = []
    total = 0
    try:
        while total <= limit and (part := stream.read(limit + 1 - total)):
            found.append(part)
            total += len(part)
            if total == size:
                break
    except (UnreadablePostError, RawPostDataException, OSError) as error:
        raise _cut() from error
    if total > limit:
        raise _too_large(limit)
    if size is not None and total < size:
        raise _cut()
    return b"".join(found)


def unpack(body: bytes, *, limit: int = BODY_LIMIT) -> bytes:
    """A body packed by gzip or zlib, unpacked as far as the limit and no further."""
    machine = zlib.decompressobj(_PACKED)
    try:
        plain = machine.decompress(body, limit + 1)
    except zlib.error as error:
        raise Refused(
            _("The body cannot be unpacked; nothing was stored."),
            code="bad_encoding",
            remedy=_("Send it plain or packed with gzip."),
        ) from error
    if len(plain) > limit or (machine.unconsumed_tail and not machine.eof):
        raise _too_large(limit)
    if not machine.eof or machine.unused_data:
        raise _cut()
    return plain


def require_json(request: HttpRequest) -> None:
    """Refuse a body that says it is something else than JSON."""
    kind = request.META.get("CONTENT_TYPE", "").split(";", 1)[0].strip().lower()
    if kind not in _JSON_TYPES and not kind.endswith("+json"):
        raise Unsupported(_("Send the body as application/json."), code="unsupported_media_type")


def parse(body: bytes) -> Any:
    """The JSON value of a body."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _not_json(str(error)) from error
    try:
        plain = orjson.dumps(value)
    except TypeError as error:
        raise Refused(
            _("The JSON is nested too deep."),
            code="too_deep",
            remedy=_("Send at most 250 levels of lists and objects."),
        ) from error
    if plain == body:
        return value  # nothing but what was read stood in it
    # The reader keeps the last of two equal keys; then what it holds names fewer keys than came.
    unsure = any(sign in body for sign in _UNSURE) and _ODD_KEYS.search(body)
    if unsure or body.count(b'":') != plain.count(b'":'):
        _refuse_repeated_keys(body)
    return value


def _refuse_repeated_keys(body: bytes) -> None:
    def check(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _value in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise Refused(
                _("The key “%(name)s” stands twice in one object.") % {"name": twice[:60]},
                code="duplicate_key",
                remedy=_("Send each key once."),
            )
        return found

    try:
        json.loads(body, object_pairs_hook=check, parse_int=len, parse_float=len)
    except (ValueError, RecursionError) as error:
        raise _not_json(str(error)) from error


def _cut() -> Refused:
    return Refused(
        _("The body ended before it was whole; nothing was stored."), code="body_cut_off"
    )


def _not_json(why: str) -> Refused:
    return Refused(
        _("The body is not valid JSON: %(why)s.") % {"why": why},
        code="not_json",
        remedy=_("Send UTF-8 JSON; NaN and Infinity are not numbers in JSON."),
    )


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        _("The body is larger than %(limit)d KB; nothing was stored.") % {"limit": limit >> 10},
        code="body_too_large",
        remedy=_("Send smaller batches."),
    )

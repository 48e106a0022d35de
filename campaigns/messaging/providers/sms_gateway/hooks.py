"""What people write back by a gateway, in a request that it signs or signs in with.

`X-Signature` is the HMAC-SHA256 of the body in hex, keyed with the channel's secret for replies;
a gateway that cannot sign sends the secret itself, as `Authorization: Bearer` or as a password.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import orjson
from django.utils.translation import gettext as _

from campaigns.messaging.providers.base import Reply, Report
from campaigns.messaging.providers.sms_gateway.paths import at
from marketing.core.errors import Forbidden, Invalid


def read(
    *,
    method: str,
    headers: Mapping[str, str],
    query: Mapping[str, str],
    body: bytes,
    url: str,
    given: Mapping[str, str],
) -> Sequence[Report | Reply]:
    """The text in one request; Forbidden when it is not the gateway's."""
    named = {name.lower(): value for name, value in headers.items()}
    if not _is_signed(named, body, given.get("reply_secret", "")):
        raise Forbidden(_("The signature does not fit; nothing was stored."), code="bad_signature")
    said = _values(named.get("content-type", ""), body)
    found = {
        name: at(said, given.get(f"reply_{name}") or usual)
        for name, usual in (("from", "from"), ("text", "text"), ("id", "id"))
    }
    if not found["from"] or found["text"] is None:
        raise Invalid(
            _("There is no sender or no text where this channel looks for them."),
            code="not_a_reply",
            field="from" if not found["from"] else "text",
        )
    # Without a name of its own a text is named by what it says and the minute in which it came.
    now = datetime.now(UTC)
    name = str(found["id"] or f"{found['from']}:{found['text']}:{now:%Y%m%d%H%M}")
    return [Reply(str(found["from"])[:40], str(found["text"])[:2_000], name[:200], now)]


def _is_signed(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    if not secret:
        return False
    if told := headers.get("x-signature", ""):
        mac = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(mac.encode(), told.removeprefix("sha256=").lower().encode())
    kind, _blank, value = headers.get("authorization", "").partition(" ")
    if kind.lower() == "basic":
        try:
            value = base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, ValueError):
            return False
    elif kind.lower() != "bearer":
        return False
    return hmac.compare_digest(value.encode(), secret.encode())


def _values(kind: str, body: bytes) -> Any:
    if "json" in kind:
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            raise Invalid(_("This is not JSON."), code="not_json") from None
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))

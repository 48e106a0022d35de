"""What Twilio reports of an SMS later, signed with the account's token."""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from django.utils.translation import gettext as _

from campaigns.messaging.providers.base import Report
from marketing.core.errors import Forbidden

_WHAT = {"delivered": "delivered", "undelivered": "failed", "failed": "failed"}
# Unknown or unreachable for good: 30005 no such number, 30006 a landline.
_LASTING = {"30005", "30006"}


def read(
    *,
    method: str,
    headers: Mapping[str, str],
    query: Mapping[str, str],
    body: bytes,
    url: str,
    given: Mapping[str, str],
) -> Sequence[Report]:
    """The reports of one request; Forbidden when Twilio did not sign it."""
    form = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    signed = url + "".join(name + value for name, value in sorted(form))
    mac = hmac.new(given["token"].encode(), signed.encode(), hashlib.sha1).digest()
    told = {name.lower(): value for name, value in headers.items()}.get("x-twilio-signature", "")
    if not hmac.compare_digest(base64.b64encode(mac).decode(), told):
        raise Forbidden(_("The signature does not fit; nothing was stored."), code="bad_signature")
    said = dict(form)
    what = _WHAT.get(said.get("MessageStatus", ""))
    if what is None:
        return []
    code = said.get("ErrorCode", "")
    lasting = code in _LASTING
    return [
        Report(
            "bounced" if lasting else what,
            said.get("MessageSid", ""),
            datetime.now(UTC),
            address=said.get("To", ""),
            text=code,
            lasting=lasting,
            event_id=f"{said.get('MessageSid', '')}:{said.get('MessageStatus', '')}",
        )
    ]

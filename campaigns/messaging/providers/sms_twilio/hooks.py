"""What Twilio reports of an SMS later, and what people write back; signed with the account's token.

The same address serves both: as the status callback, and as the number's "a message comes in".
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from django.utils.translation import gettext as _

from campaigns.messaging.providers.base import Reply, Report
from marketing.core.errors import Forbidden

_WHAT = {"delivered": "delivered", "undelivered": "failed", "failed": "failed"}
# Unknown or unreachable for good: 30005 no such number, 30006 a landline.
_LASTING = {"30005", "30006"}
# It reads an answer to a text as instructions; these say that there is nothing to do.
ANSWER = ("text/xml", b"<Response/>")


def read(
    *,
    method: str,
    headers: Mapping[str, str],
    query: Mapping[str, str],
    body: bytes,
    url: str,
    given: Mapping[str, str],
) -> Sequence[Report | Reply]:
    """The reports of one request; Forbidden when Twilio did not sign it."""
    form = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    signed = url + "".join(name + value for name, value in sorted(form))
    mac = hmac.new(given["token"].encode(), signed.encode(), hashlib.sha1).digest()
    told = {name.lower(): value for name, value in headers.items()}.get("x-twilio-signature", "")
    if not hmac.compare_digest(base64.b64encode(mac).decode(), told):
        raise Forbidden(_("The signature does not fit; nothing was stored."), code="bad_signature")
    said = dict(form)
    if "Body" in said and "MessageStatus" not in said:
        reply = Reply(
            said.get("From", ""),
            said["Body"],
            said.get("MessageSid", ""),
            datetime.now(UTC),
            # With Twilio's own list of leavers switched on it has told them already.
            answered=bool(said.get("OptOutType")),
        )
        return [reply]
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

"""SMS through Twilio."""

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import orjson
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.messaging.providers import base, calls
from campaigns.messaging.providers.base import Answer, Connection, Field, Outgoing, Unreachable
from campaigns.messaging.providers.base import Verdict as V
from marketing.core import outbound
from marketing.core.errors import Refused

# Twilio's own numbers for: no such number, not a number, cannot take SMS.
_NO_NUMBER = {21211, 21214, 21217, 21614, 21421}
# A phone's owner answered STOP; Twilio keeps that list and takes nothing more for them.
_STOPPED = 21610


def _account(text: str) -> Any:
    return "" if text.startswith("AC") and text.isalnum() else _("It begins with AC.")


class Provider(base.Provider):
    kind = "sms"
    label = gettext_lazy("Twilio")
    about = gettext_lazy("SMS by Twilio, from a number or a messaging service.")
    sender = "phone"
    fields = (
        Field(
            "account", gettext_lazy("Account SID"), required=True, placeholder="AC…", check=_account
        ),
        Field("token", gettext_lazy("Auth token"), required=True, secret=True),
        Field(
            "service",
            gettext_lazy("Messaging service SID"),
            placeholder="MG…",
            hint=gettext_lazy("If it is set, the service chooses the number to send from."),
        ),
        Field(
            "api_url",
            gettext_lazy("Address of the API"),
            default="https://api.twilio.com",
            hint=gettext_lazy("Another one for accounts in another region."),
        ),
    )
    goes_to = ("api_url", "account")
    hooks = "campaigns.messaging.providers.sms_twilio.hooks"

    @classmethod
    def refuse_nonsense(cls, given: Mapping[str, str]) -> None:
        outbound.parse(given.get("api_url") or "https://api.twilio.com")

    @classmethod
    def connect(cls, given: Mapping[str, str]) -> Connection:
        return Twilio(given)


class Twilio:
    def __init__(self, given: Mapping[str, str]) -> None:
        site = (given.get("api_url") or "https://api.twilio.com").rstrip("/")
        self._url = f"{site}/2010-04-01/Accounts/{given['account']}/Messages.json"
        both = f"{given['account']}:{given['token']}".encode()
        self._headers = {
            "Authorization": f"Basic {base64.b64encode(both).decode()}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        self._service, self._from = given.get("service", ""), given.get("from_address", "")
        self._report_to = given.get("hook_url", "")
        self._kept = outbound.Kept()

    def send(self, outgoing: Outgoing) -> Answer:
        form = {"To": outgoing.recipient, "Body": orjson.loads(outgoing.body)["text"]}
        if self._service:
            form["MessagingServiceSid"] = self._service
        else:
            form["From"] = outgoing.sender or self._from
        # Twilio refuses a message whose reports would go to an address it cannot reach.
        if self._report_to.startswith("https://") and not settings.DEBUG:
            form["StatusCallback"] = self._report_to
        try:
            reply = calls.call(
                url=self._url,
                headers=self._headers,
                body=urlencode(form).encode(),
                kept=self._kept,
            )
        except calls.Lost as error:
            return calls.lost(error)
        except Refused as error:
            raise Unreachable(str(error)) from None
        said = reply.json()
        said = said if isinstance(said, dict) else {}
        if reply.status in (200, 201) and said.get("sid"):
            return Answer(V.SENT, str(said.get("status") or "")[:200], ref=str(said["sid"])[:200])
        if reply.status in (401, 403) or reply.status == 404:
            raise Unreachable(
                _("Twilio does not accept the sign-in: %(why)s")
                % {"why": said.get("message") or reply.text}
            )
        if reply.status in (429, 503):
            return calls.later(reply)
        text = f"{said.get('code') or reply.status} {said.get('message') or reply.text}"[:400]
        if 400 <= reply.status < 500:
            return Answer(V.FAILED, text, bounced=said.get("code") in _NO_NUMBER)
        return Answer(V.UNKNOWN, text)

    def close(self) -> None:
        self._kept.close()

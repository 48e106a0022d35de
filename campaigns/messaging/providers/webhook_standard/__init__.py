"""A signed call to a system of one's own, in the form that standardwebhooks.com describes."""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping

import orjson
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.messaging.providers import base, calls
from campaigns.messaging.providers.base import (
    Answer,
    Connection,
    Field,
    Outgoing,
    Policy,
    Unreachable,
    Verdict,
)
from marketing.core import outbound
from marketing.core.errors import Refused

PREFIX = "whsec_"
_GONE = 410


class Provider(base.Provider):
    kind = "webhook"
    label = gettext_lazy("Signed webhook")
    about = gettext_lazy("Calls a system of yours; each call is signed (Standard Webhooks).")
    fields = (
        Field(
            "url",
            gettext_lazy("Address"),
            required=True,
            placeholder="https://",
            limit=2_000,
            hint=gettext_lazy("A message may name another address; this one is used otherwise."),
        ),
        Field("secret", gettext_lazy("Signing secret"), secret=True, made=True),
        Field(
            "repeats",
            gettext_lazy("When no answer comes"),
            kind="select",
            default="dropped",
            choices=(
                ("dropped", gettext_lazy("Try again with the same webhook-id (usual)")),
                ("never", gettext_lazy("Do not try again: a call costs money")),
            ),
        ),
    )

    @classmethod
    def make(cls) -> dict[str, str]:
        return {"secret": PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()}

    @classmethod
    def policy(cls, given: Mapping[str, str]) -> Policy:
        return Policy.AT_MOST_ONCE if given.get("repeats") == "never" else Policy.AT_LEAST_ONCE

    @classmethod
    def refuse_nonsense(cls, given: Mapping[str, str]) -> None:
        outbound.parse(given["url"])

    @classmethod
    def connect(cls, given: Mapping[str, str]) -> Connection:
        return Webhook(given, repeats=cls.policy(given) is not Policy.AT_MOST_ONCE)


def sign(*, secret: str, key: str, at: int, body: bytes) -> str:
    """The signature of a call: its id, its moment and its body, keyed with the shared secret."""
    shared = base64.b64decode(secret.removeprefix(PREFIX))
    mac = hmac.new(shared, f"{key}.{at}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(mac).decode()}"


class Webhook:
    def __init__(self, given: Mapping[str, str], *, repeats: bool) -> None:
        self._url, self._secret, self._repeats = given["url"], given["secret"], repeats
        self._kept = outbound.Kept()

    def send(self, outgoing: Outgoing) -> Answer:
        said = orjson.loads(outgoing.body)
        url = said.get("url") or self._url
        body = orjson.dumps(said["body"])
        key, at = f"msg_{outgoing.key}", int(time.time())
        headers = {
            "Content-Type": "application/json",
            "webhook-id": key,
            "webhook-timestamp": str(at),
            "webhook-signature": sign(secret=self._secret, key=key, at=at, body=body),
        }
        try:
            reply = calls.call(url=url, headers=headers, body=body, kept=self._kept)
        except calls.Lost as error:
            if self._repeats:
                return Answer(Verdict.RETRY, str(error))
            return calls.lost(error)
        except Unreachable as error:
            return Answer(Verdict.RETRY, str(error))
        except Refused as error:
            return calls.blocked(error)
        if 200 <= reply.status < 300:
            return Answer(Verdict.SENT, reply.text[:200], ref=key)
        if reply.status == _GONE:
            return Answer(Verdict.FAILED, _("The address says that it is gone for good (410)."))
        if reply.status in (408, 425, 429) or reply.status >= 500:
            return calls.later(reply)
        return Answer(Verdict.FAILED, reply.text)

    def close(self) -> None:
        self._kept.close()

"""Notifications in browsers: Web Push with keys of one's own (VAPID), sealed for each browser."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.messaging import subscriptions
from campaigns.messaging.providers import base, calls
from campaigns.messaging.providers.base import (
    Answer,
    Connection,
    Field,
    Outgoing,
    Unreachable,
    Verdict,
)
from campaigns.messaging.providers.push_vapid import sealing
from marketing.core import outbound
from marketing.core.errors import Refused

_GONE = (404, 410)


def _contact(text: str) -> Any:
    if text.startswith(("mailto:", "https://")):
        return ""
    return _("Begin it with mailto: or https://.")


class Provider(base.Provider):
    kind = "push"
    label = gettext_lazy("Web push")
    about = gettext_lazy("Notifications in browsers that allowed them, straight to their makers.")
    fields = (
        Field(
            "contact",
            gettext_lazy("Contact for push services"),
            required=True,
            placeholder="mailto:you@example.com",
            hint=gettext_lazy("Whom a browser maker writes to when something goes wrong."),
            check=_contact,
        ),
        Field(
            "hours",
            gettext_lazy("Wait for a browser that is closed"),
            kind="select",
            default="24",
            choices=(
                ("4", gettext_lazy("4 hours")),
                ("24", gettext_lazy("A day")),
                ("72", gettext_lazy("3 days")),
                ("672", gettext_lazy("4 weeks")),
            ),
        ),
        Field("public_key", gettext_lazy("Public key"), made=True),
        Field("private_key", gettext_lazy("Private key"), secret=True, made=True),
    )

    @classmethod
    def make(cls) -> dict[str, str]:
        key = ec.generate_private_key(ec.SECP256R1())
        return {
            "private_key": key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ).decode(),
            "public_key": sealing.plain(sealing.point(key)),
        }

    @classmethod
    def connect(cls, given: Mapping[str, str]) -> Connection:
        return WebPush(given)


class WebPush:
    """The recipient is our own number of a person; each of their browsers is notified."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._vapid = sealing.Vapid(private=given["private_key"], contact=given["contact"])
        self._seconds = int(given.get("hours") or 24) * 3_600
        self._kept = outbound.Kept()

    def send(self, outgoing: Outgoing) -> Answer:
        browsers = subscriptions.of_person(int(outgoing.recipient))
        if not browsers:
            return Answer(Verdict.FAILED, _("No browser of this person takes notifications."))
        answers = []
        gone = []
        for number, endpoint, p256dh, auth in browsers:
            answer = self._notify(endpoint, p256dh, auth, outgoing)
            answers.append(answer)
            if answer.bounced:
                gone.append(number)
        if gone:
            subscriptions.end(subscription_ids=gone, reason="gone", now=timezone.now())
        return _together(answers)

    def _notify(self, endpoint: str, p256dh: str, auth: str, outgoing: Outgoing) -> Answer:
        parts = urlsplit(endpoint)
        try:
            body = sealing.seal(text=outgoing.body, p256dh=p256dh, auth=auth)
            reply = calls.call(
                url=endpoint,
                headers={
                    "Authorization": self._vapid.header(f"{parts.scheme}://{parts.netloc}"),
                    "Content-Encoding": "aes128gcm",
                    "Content-Type": "application/octet-stream",
                    "TTL": str(self._seconds),
                    "Urgency": "normal",
                    # A repeat takes the place of the first while the browser is closed.
                    "Topic": outgoing.key[:32],
                },
                body=body,
                kept=self._kept,
            )
        except calls.Lost as error:
            return calls.lost(error)
        except Unreachable as error:
            return Answer(Verdict.RETRY, str(error))
        except (Refused, ValueError) as error:
            return Answer(Verdict.FAILED, str(error)[:400])
        if 200 <= reply.status < 300:
            return Answer(Verdict.SENT, ref=reply.headers.get("location", "")[:200])
        if reply.status in _GONE:
            return Answer(Verdict.FAILED, reply.text, bounced=True)
        if reply.status == 429 or reply.status >= 500:
            return calls.later(reply)
        return Answer(Verdict.FAILED, reply.text)

    def close(self) -> None:
        self._kept.close()


def _together(answers: list[Answer]) -> Answer:
    """One answer for a person: what the luckiest of their browsers got.

    A browser that is gone is no address that does not exist: the person may have others.
    """
    for verdict in (Verdict.SENT, Verdict.UNKNOWN, Verdict.RETRY, Verdict.FAILED):
        for answer in answers:
            if answer.verdict is verdict:
                return answer._replace(bounced=False)
    return answers[0]

"""Single mails that somebody asked for, such as the one that confirms a sign-up.

They take the same road as campaigns: the same server, the same writer of mails, the same verdicts.
They carry no tracking and no marketing.
"""

from datetime import datetime

from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _

from campaigns.messaging import mime, providers, signing
from campaigns.messaging.providers.base import Outgoing, Unreachable, Verdict
from campaigns.messaging.rendering import Rendered
from ingestion import consent
from ingestion.models import Confirmation
from ingestion.privacy import confirmations
from marketing.core import brand

# A confirmation ends none of these, so its mail would only annoy.
_NEVER = ("complained", "bounced", "manual", "imported")


def send_confirmations(*, now: datetime) -> int:
    """Send the mails of double opt-in that wait; how many the server took."""
    line = providers.open(providers.find(kind="email"))
    taken = 0
    try:
        for confirmation_id in confirmations.due(now=now):
            row = confirmations.take(confirmation_id=confirmation_id, now=now)
            if row is None:
                continue
            if consent.suppressed({"email": row.address}).get("email") in _NEVER:
                confirmations.given_up(confirmation_id=row.pk)
                continue
            try:
                answer = line.send(
                    Outgoing(row.key.hex, _writer().sender, row.address, _mail(row, now))
                )
            except Unreachable:
                break  # every mail tried again later would only knock at the same closed door
            except mime.HeaderRefused:
                confirmations.given_up(confirmation_id=row.pk)
                continue
            # Not known means that it may have arrived: a second mail would be worse than none.
            if answer.verdict in (Verdict.SENT, Verdict.UNKNOWN):
                confirmations.sent(confirmation_id=row.pk, now=now)
                taken += answer.verdict is Verdict.SENT
            elif answer.verdict is Verdict.FAILED:
                confirmations.given_up(confirmation_id=row.pk)
                if answer.bounced:
                    consent.suppress(addresses=[row.address], reason="bounced", now=now)
    finally:
        line.close()
    return taken


def _writer() -> mime.Writer:
    return mime.Writer(
        from_name=brand.now().sender_name,
        from_email=brand.now().sender_email,
        signer=signing.of(brand.now().sender_email),
    )


def _mail(row: Confirmation, now: datetime) -> bytes:
    url = confirmations.url_of(row)
    with translation.override(
        row.language if translation.check_for_language(row.language) else "en"
    ):
        values = {
            "url": url,
            "business": brand.now().name,
            "words": row.text.text if row.text else "",
            "until": row.expires_at,
        }
        mail = Rendered(
            subject=_("Please confirm that you want to hear from %(name)s")
            % {"name": brand.now().name},
            html=render_to_string("email/confirm.html", values),
            text=render_to_string("email/confirm.txt", values),
        )
    return _writer().write(
        key=f"{row.key.hex}{row.tries}", to=row.address, to_name="", mail=mail,
        unsubscribe_url="", at=now,
    )  # fmt: skip

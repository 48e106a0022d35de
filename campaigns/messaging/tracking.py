"""Readers who leave by the link in their mail.

Tokens are signed, so a guessed address changes nothing. Leaving is a fact about consent and is
written by its owner.
"""

import uuid
from datetime import datetime, timedelta

from django.utils import timezone

from campaigns.messaging import addresses
from campaigns.models import Message
from ingestion import consent
from ingestion.models import Consent
from marketing.core.db import advisory_lock

SAME_CLICK = timedelta(minutes=10)


def leaving(*, token: str) -> Message | None:
    """The message whose reader may leave with this token, sent or not."""
    key: uuid.UUID | None = addresses.signer().read(token, "leave")
    if key is None:
        return None
    return Message.objects.select_related("customer", "run").filter(message_id=key.hex).first()


def left(*, token: str, now: datetime | None = None) -> bool:
    """Unsubscribe the reader. Repeating it changes nothing. False for a token not made here.

    A mail provider may deliver one click many times, also at once: one answer is kept of them.
    """
    now = now or timezone.now()
    message = leaving(token=token)
    if message is None:
        return False
    proof = {"message": message.message_id}
    said = Consent.objects.filter(
        customer_id=message.customer_id,
        channel="email",
        purpose="marketing",
        current=True,
        granted=False,
        proof=proof,
        at__gt=now - SAME_CLICK,
    )
    if said.exists():  # before anybody has to wait for the others of a flood
        return True
    with advisory_lock(f"left:{message.message_id}"):
        if said.all().exists():
            return True
        consent.revoke(
            customer_ids=[message.customer_id],
            channel="email",
            purpose="marketing",
            source="unsubscribe",
            proof=proof,
            now=now,
        )
        consent.suppress(
            addresses=[message.address], channel="email", reason="unsubscribed", now=now
        )
    return True

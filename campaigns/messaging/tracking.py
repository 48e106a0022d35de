"""What comes back after sending: opens, clicks, and people who leave.

Tokens are signed, so a guessed address changes nothing. An open or a click becomes an event once
per message (clicks: once per link); leaving is a fact about consent and is written by its owner.
"""

import uuid
from datetime import datetime, timedelta
from hashlib import blake2b

from django.db import transaction
from django.utils import timezone

from campaigns.messaging import addresses
from campaigns.models import Message
from ingestion import consent, events

# Mail gateways follow links within moments of delivery; people do not.
MACHINE_WITHIN = timedelta(seconds=2)


def _message(token: str, purpose: str) -> Message | None:
    key = addresses.signer().read(token, purpose)
    if key is None:
        return None
    return (
        Message.objects.select_related("run")
        .filter(message_id=key.hex, state=Message.State.SENT)
        .first()
    )


def _is_machine(message: Message, at: datetime) -> bool:
    return message.sent_at is not None and at - message.sent_at < MACHINE_WITHIN


def _mark(message: Message, name: str, now: datetime) -> bool:
    """Note the first time on the message's row; a person's, though a gateway was there before."""
    known: datetime | None = getattr(message, name)
    by_gateway = known is not None and _is_machine(message, known)
    if known is not None and (not by_gateway or _is_machine(message, now)):
        return False
    same = Message.objects.filter(pk=message.pk, **{name: known})
    return bool(same.update(**{name: now}))


def _record(message: Message, kind: str, key: str, now: datetime, **extra: object) -> None:
    machine = _is_machine(message, now)
    # A key of its own: what a gateway did must not hide the person who comes after it.
    key = f"{key}:machine" if machine else key
    about = {"campaign": message.run.campaign_id, "run": message.run_id, "machine": machine}
    event = events.Incoming(
        type=kind,
        at=now,
        message_id=key,
        customer_id=message.customer_id,
        properties={**about, **extra},
    )
    events.record(batch=[event], source="campaigns", now=now)


def opened(*, token: str, now: datetime) -> bool:
    """Note that a mail was looked at, the first time only. False for a token not made here."""
    message = _message(token, "open")
    if message is None:
        return False
    with transaction.atomic():  # the mark and the event, or neither: a later open tries again
        if _mark(message, "opened_at", now):
            _record(message, "email_opened", f"open:{message.message_id}", now)
    return True


def clicked(*, token: str, mac: str, url: str, now: datetime) -> str | None:
    """Where a click leads, after noting it; None unless message and target are both ours."""
    target = addresses.signer().target(mac, url)
    message = _message(token, "click") if target is not None else None
    if target is None or message is None:
        return None
    link = blake2b(target.encode(), digest_size=8).hexdigest()
    with transaction.atomic():
        first = _mark(message, "clicked_at", now)
        _mark(message, "opened_at", now)
        _record(
            message,
            "email_clicked",
            f"click:{message.message_id}:{link}",
            now,
            url=target,
            first=first,
        )
    return target


def leaving(*, token: str) -> Message | None:
    """The message whose reader may leave with this token, sent or not."""
    key: uuid.UUID | None = addresses.signer().read(token, "leave")
    if key is None:
        return None
    return Message.objects.select_related("customer", "run").filter(message_id=key.hex).first()


def left(*, token: str, now: datetime | None = None) -> bool:
    """Unsubscribe the reader. Repeating it changes nothing. False for a token not made here."""
    now = now or timezone.now()
    message = leaving(token=token)
    if message is None:
        return False
    consent.revoke(
        customer_ids=[message.customer_id],
        channel="email",
        purpose="marketing",
        source="unsubscribe",
        proof={"message": message.message_id},
        now=now,
    )
    consent.suppress(addresses=[message.address], channel="email", reason="unsubscribed", now=now)
    return True

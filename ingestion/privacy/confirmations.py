"""Double opt-in: an answer counts once the owner of the address has confirmed it.

Asking stores a row and announces it; campaigns sends the mail. The link is signed for this purpose
alone, works once, and runs out. Opening it changes nothing, pressing the button does. Asking tells
nobody whether an address is known: the answer is always the same.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core import signing
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _

from ingestion import consent
from ingestion.identity import identify
from ingestion.models import Confirmation, ConsentText, Customer
from marketing.core import bus, counting
from marketing.core.errors import Invalid, Refused

VALID_FOR = timedelta(days=3)
ONCE_IN = timedelta(hours=24)
KEPT_FOR = timedelta(days=30)
MOST_TRIES = 5
RETRY_AFTER = timedelta(minutes=5)
# What one network may ask for in an hour.
MOST_AN_HOUR = 20
SOURCE = "double opt-in"
_SALT = "ingestion.privacy.confirm"
# A confirmation is new proof by the owner of the address, so it ends these; nothing else does.
_ENDS = ("unsubscribed", "erased")


def ask(
    *,
    address: str,
    purposes: Sequence[str] = ("marketing",),
    source: str,
    proof: dict[str, Any] | None = None,
    language: str = "en",
    customer: Customer | None = None,
    network: str = "",
    now: datetime,
) -> Confirmation | None:
    """Ask somebody to confirm that they want to hear from us. None when they were asked today.

    The caller must not tell the two apart to a stranger. `network` is counted, and not kept.
    """
    address = consent.normalise(address)
    try:
        validate_email(address)
    except ValidationError:
        raise Invalid(
            _("This is not an e-mail address."), code="bad_address", field="email"
        ) from None
    unknown = [purpose for purpose in purposes if not consent.is_purpose(purpose)]
    if unknown or not purposes:
        raise Invalid(_("There is no such purpose."), code="unknown_purpose", field="purposes")
    if network and _too_often(network):
        raise Refused(
            _("Too many requests came from your network. Nothing was sent; try again in an hour."),
            code="too_often",
        )
    with transaction.atomic():
        if not _first_today(address, now):
            return None
        row = Confirmation.objects.create(
            customer=customer,
            address=address,
            purposes=list(dict.fromkeys(purposes)),
            language=language[:10],
            text=text_of(purpose=purposes[0], language=language),
            source=source[:100],
            proof=proof or {},
            asked_at=now,
            expires_at=now + VALID_FOR,
            next_try_at=now,
        )
        bus.announce("consent.asked", confirmation_id=row.pk)
    return row


def _first_today(address: str, now: datetime) -> bool:
    """One mail a day for one address, whoever asks and however many ask at once."""
    times = counting.count(key=f"confirm:{consent.digest_of(address).hex()[:32]}", seconds=5)
    asked = Confirmation.objects.filter(address=address, asked_at__gt=now - ONCE_IN).exists()
    return times in (None, 1) and not asked


def _too_often(network: str) -> bool:
    key = f"confirm-network:{consent.digest_of(network).hex()[:32]}"
    times = counting.count(key=key, seconds=3600)
    return times is not None and times > MOST_AN_HOUR


def text_of(*, purpose: str, language: str) -> ConsentText | None:
    """The newest words for a purpose, in this language or else in English."""
    texts = ConsentText.objects.filter(purpose=purpose).order_by("-version")
    return texts.filter(language=language).first() or texts.filter(language="en").first()


def token_of(row: Confirmation) -> str:
    """What the link in the mail holds."""
    return signing.dumps(row.key.hex, salt=_SALT)


def url_of(row: Confirmation) -> str:
    """The address of the page that asks for the last click."""
    path = reverse("ingestion:confirm", args=[token_of(row)])
    return f"{settings.PUBLIC_URL.rstrip('/')}{path}"


def of_token(token: str, *, now: datetime) -> Confirmation | None:
    """The open confirmation of a link; None when it is forged, used or too old."""
    try:
        key = uuid.UUID(hex=signing.loads(token, salt=_SALT, max_age=VALID_FOR))
    except (signing.BadSignature, ValueError, TypeError, AttributeError):
        return None
    return Confirmation.objects.filter(key=key, confirmed_at=None, expires_at__gt=now).first()


def confirm(*, token: str, now: datetime) -> bool:
    """Let the answer count. False, and nothing changed, for a link that does not work any more."""
    found = of_token(token, now=now)
    if found is None:
        return False
    with transaction.atomic():
        row = (
            Confirmation.objects.select_for_update()
            .filter(pk=found.pk, confirmed_at=None, expires_at__gt=now)
            .first()
        )
        if row is None:
            return False
        customer_id = _owner(row, now)
        proof = {
            **row.proof,
            "confirmation": str(row.key),
            "asked_at": row.asked_at.isoformat(),
            "source": row.source,
        }
        for purpose in row.purposes:
            consent.record(
                answers=[
                    consent.Answer(
                        customer_id, True, now, proof, "double_opt_in", text_id=row.text_id
                    )
                ],
                channel="email",
                purpose=purpose,
                source=SOURCE,
                now=now,
            )
        consent.lift(address=row.address, reasons=_ENDS)
        row.confirmed_at, row.customer_id, row.next_try_at = now, customer_id, None
        row.save(update_fields=["confirmed_at", "customer", "next_try_at"])
    return True


def _owner(row: Confirmation, now: datetime) -> int:
    """The person of the address: only its owner can have pressed the button."""
    (number,) = identify.resolve(
        people=[identify.Person(email=row.address)], source=row.source, now=now
    )
    if number is None:
        raise Refused(_("This address cannot be used."), code="address_refused")
    return number


def due(*, now: datetime, limit: int = 100) -> list[int]:
    """Confirmations whose mail has not gone out."""
    waiting = Confirmation.objects.filter(
        sent_at=None, confirmed_at=None, expires_at__gt=now, next_try_at__lte=now
    )
    return list(waiting.order_by("id").values_list("pk", flat=True)[:limit])


def take(*, confirmation_id: int, now: datetime) -> Confirmation | None:
    """Take one mail to send it; None when somebody else did, or it must not be sent any more."""
    with transaction.atomic():
        row = (
            Confirmation.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(
                pk=confirmation_id,
                sent_at=None,
                confirmed_at=None,
                expires_at__gt=now,
                next_try_at__lte=now,
            )
            .first()
        )
        if row is None:
            return None
        row.tries += 1
        row.next_try_at = now + RETRY_AFTER * row.tries if row.tries < MOST_TRIES else None
        row.save(update_fields=["tries", "next_try_at"])
    return row


def sent(*, confirmation_id: int, now: datetime) -> None:
    """Note that the mail server took the mail."""
    Confirmation.objects.filter(pk=confirmation_id).update(sent_at=now, next_try_at=None)


def given_up(*, confirmation_id: int) -> None:
    """Note that the mail server will never take it."""
    Confirmation.objects.filter(pk=confirmation_id).update(next_try_at=None)


def prune(*, now: datetime) -> int:
    """Forget addresses that nobody confirmed, and links that were used, some weeks later."""
    old = Q(expires_at__lt=now - VALID_FOR, confirmed_at=None) | Q(asked_at__lt=now - KEPT_FOR)
    return Confirmation.objects.filter(old).delete()[0]

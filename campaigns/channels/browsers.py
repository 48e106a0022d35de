"""A browser that subscribes to notifications: whose it is, and the consent that comes with it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from campaigns.messaging import subscriptions
from campaigns.models import PushSubscription
from ingestion import consent
from ingestion.models import Consent, Customer, Identity


def subscribe(
    *,
    given: Mapping[str, Any],
    person: Customer | None,
    anonymous_id: str,
    language: str,
    now: datetime,
) -> tuple[PushSubscription, bool]:
    """Keep a subscription; a new one is the person's yes to notifications.

    The same one told again, as on every visit, is no new answer: whoever said no stays with it.
    """
    row, is_new = subscriptions.keep(
        given=given,
        customer_id=person.pk if person else None,
        anonymous_id=anonymous_id,
        language=language,
        now=now,
    )
    owner = person.pk if person else _known(anonymous_id)
    if owner is not None and (is_new or not _answered(owner)):
        consent.grant(
            customer_ids=[owner],
            channel="push",
            source="push",
            proof={"subscribed_at": row.created_at.isoformat(), "service": _service(row)},
            method="form",
            now=now,
        )
    return row, is_new


def _known(anonymous_id: str) -> int | None:
    return (
        Identity.objects.filter(kind="anonymous", value=anonymous_id, refused=False)
        .values_list("customer_id", flat=True)
        .first()
    )


def _answered(customer_id: int) -> bool:
    return Consent.objects.filter(
        customer_id=customer_id, channel="push", purpose="marketing"
    ).exists()


def _service(row: PushSubscription) -> str:
    return urlsplit(row.endpoint).hostname or ""

"""Browsers that let us notify them: whose they are, and when they stop.

A subscription belongs to the person who was named with it, or to whoever a visitor's id belongs to
today: people who are found to be one, or two, take their browsers along without a row changing.
"""

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from django.db import connection
from django.utils.translation import gettext as _

from campaigns.models import PushSubscription
from marketing.core import outbound, reach
from marketing.core.errors import Invalid

_OF_PERSON = """
    WITH who AS (
        SELECT id FROM ingestion_customer WHERE id = %(id)s OR merged_into_id = %(id)s)
    SELECT s.id, s.endpoint, s.p256dh, s.auth FROM campaigns_pushsubscription s
    WHERE s.ended_at IS NULL AND s.customer_id IN (SELECT id FROM who)
    UNION
    SELECT s.id, s.endpoint, s.p256dh, s.auth
    FROM ingestion_identity i JOIN campaigns_pushsubscription s ON s.anonymous_id = i.value
    WHERE i.kind = 'anonymous' AND i.customer_id IN (SELECT id FROM who)
      AND s.anonymous_id <> '' AND s.ended_at IS NULL AND s.customer_id IS NULL
    ORDER BY id LIMIT 20"""


def of_person(customer_id: int) -> list[tuple[int, str, str, str]]:
    """(id, endpoint, key, secret) of each browser of a person that still listens."""
    with connection.cursor() as cursor:
        cursor.execute(_OF_PERSON, {"id": customer_id})
        return list(cursor.fetchall())


def _bytes(text: Any, field: str, length: int) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(str(text).rstrip("=").encode("ascii") + b"==")
    except (ValueError, binascii.Error):
        raw = b""
    if len(raw) != length:
        raise Invalid(
            _("This is not a key of a push subscription."), code="bad_subscription", field=field
        )
    return raw


def _plain(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def checked(given: Mapping[str, Any]) -> tuple[str, str, str]:
    """Endpoint, key and secret of a browser's subscription; Invalid when it cannot be one."""
    keys = given.get("keys")
    keys = keys if isinstance(keys, Mapping) else {}
    endpoint = given.get("endpoint")
    if not isinstance(endpoint, str) or len(endpoint) > 1_000:
        raise Invalid(_("The subscription has no address."), code="missing", field="endpoint")
    parts = outbound.parse(endpoint)
    named = {entry.partition(":")[0].lower() for entry in reach.settings.OUTBOUND_ALLOW}
    if parts.scheme != "https" and (parts.host or "").lower() not in named:
        raise Invalid(
            _("Push services are called by https alone."), code="bad_subscription", field="endpoint"
        )
    point = _bytes(keys.get("p256dh"), "keys.p256dh", 65)
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError:
        raise Invalid(
            _("This is not a key of a push subscription."),
            code="bad_subscription",
            field="keys.p256dh",
        ) from None
    return endpoint, _plain(point), _plain(_bytes(keys.get("auth"), "keys.auth", 16))


def keep(
    *,
    given: Mapping[str, Any],
    customer_id: int | None,
    anonymous_id: str,
    language: str = "",
    now: datetime,
) -> tuple[PushSubscription, bool]:
    """Store a browser's subscription, and whether it was new. The same one again renews it."""
    endpoint, p256dh, auth = checked(given)
    if customer_id is None and not anonymous_id:
        raise Invalid(
            _("Say whose browser it is: by a token, or by the visitor's anonymous_id."),
            code="nobody",
            field="anonymous_id",
        )
    return PushSubscription.objects.update_or_create(
        endpoint=endpoint,
        defaults={
            "customer_id": customer_id,
            "anonymous_id": anonymous_id[:254],
            "p256dh": p256dh,
            "auth": auth,
            "language": language[:10],
            "seen_at": now,
            "ended_at": None,
            "ended_reason": "",
        },
        create_defaults={
            "customer_id": customer_id,
            "anonymous_id": anonymous_id[:254],
            "p256dh": p256dh,
            "auth": auth,
            "language": language[:10],
            "created_at": now,
            "seen_at": now,
        },
    )


def end(*, subscription_ids: list[int], reason: str, now: datetime) -> int:
    """Send to these no more; how many still listened."""
    return PushSubscription.objects.filter(pk__in=subscription_ids, ended_at=None).update(
        ended_at=now, ended_reason=reason[:100]
    )


def end_endpoint(*, endpoint: str, now: datetime) -> int:
    """The browser itself unsubscribed; whoever knows its secret address may say so."""
    return PushSubscription.objects.filter(endpoint=endpoint, ended_at=None).update(
        ended_at=now, ended_reason="unsubscribed"
    )

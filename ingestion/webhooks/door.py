"""One delivery: whose, how often, how large, signed by whom; kept raw; answered.

2xx is said after commit alone. A signature that is wrong leaves no trace of what came.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.db import connection, transaction
from django.utils.translation import gettext as _

from ingestion.models import WebhookEndpoint, WebhookReceipt
from ingestion.webhooks import endpoints, signatures
from marketing.core import bus, counting
from marketing.core.errors import Invalid, NotFound, Refused, TooLarge

BODY_LIMIT = 2 << 20
ID_LIMIT = 200
TASK = "ingestion.tasks.store_webhook"


class Unsigned(Refused):
    """Nobody who may deliver here signed this."""

    status = 401


class TooOften(Refused):
    """More deliveries a minute than this address takes."""

    status = 429


@dataclass(frozen=True)
class Answer:
    """What the sender hears: the state of its delivery, and whether it came before."""

    state: str
    again: bool = False


def find(token: str) -> WebhookEndpoint:
    """The address of this token. One that is switched off is not found either."""
    row = WebhookEndpoint.objects.select_related("source").filter(token=token).first()
    if row is None or not row.source.enabled:
        raise NotFound(_("There is nothing at this address."), code="not_found")
    return row


def _count(endpoint: WebhookEndpoint, now: datetime) -> None:
    """Refuse what comes too often. Counted per minute; without the counter nobody is refused.

    Called once the signature was found right, so that forgeries use up nobody's minute.
    """
    key = f"webhook:{endpoint.pk}:{int(now.timestamp()) // 60}"
    times = counting.count(key=key, seconds=120)
    if times is not None and times > endpoint.per_minute:
        raise TooOften(
            _("This address takes %(n)d deliveries a minute. Nothing was stored.")
            % {"n": endpoint.per_minute},
            code="too_often",
            remedy=_("Send it again in a minute."),
        )


def receive(
    *, endpoint: WebhookEndpoint, headers: Mapping[str, str], body: bytes, now: datetime
) -> Answer:
    """Take one delivery. Refused with nothing kept unless its signature is right."""
    if len(body) > BODY_LIMIT:
        raise TooLarge(
            _("The delivery is larger than %(n)d MB. Nothing was stored.")
            % {"n": BODY_LIMIT >> 20},
            code="too_large",
        )
    if _is_greeting(endpoint, headers, body):
        _count(endpoint, now)
        return Answer("greeting")
    delivery = signatures.check(
        scheme=endpoint.scheme,
        secrets=endpoints.secrets_of(endpoint, now=now),
        headers=headers,
        body=body,
        now=now,
    )
    if delivery is None:
        raise Unsigned(
            _("The signature is missing, wrong or too old. Nothing was stored."),
            code="bad_signature",
            remedy=_("Check the secret, and that the sender's clock is right."),
        )
    _count(endpoint, now)
    digest = hashlib.sha256(body).hexdigest()
    number = delivery.delivery_id or digest
    if len(number) > ID_LIMIT or not number.isprintable():
        raise Invalid(_("The delivery id is too long."), code="bad_id", field="webhook-id")
    topic = "".join(sign for sign in delivery.topic[:100] if sign.isprintable())
    with transaction.atomic():
        return _keep(endpoint, number, digest, topic, body, now)


def _is_greeting(endpoint: WebhookEndpoint, headers: Mapping[str, str], body: bytes) -> bool:
    """WooCommerce asks once, unsigned, whether somebody is there; nothing is kept of it."""
    return (
        endpoint.scheme == WebhookEndpoint.Scheme.WOOCOMMERCE
        and body.startswith(b"webhook_id=")
        and body[11:].isdigit()
        and len(body) < 40
        and not headers.get("X-WC-Webhook-Signature")
    )


def _keep(
    endpoint: WebhookEndpoint, number: str, digest: str, topic: str, body: bytes, now: datetime
) -> Answer:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ingestion_webhookreceipt AS r (endpoint_id, delivery_id, digest, topic,"
            " body, bytes, received_at, state, code, message, remedy, result, names, repeats,"
            " attempts)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, 'waiting', '', '', '', '{}', '{}', 0, 0)"
            " ON CONFLICT (endpoint_id, delivery_id) DO UPDATE SET repeats = r.repeats + 1"
            " RETURNING id, digest, state, repeats",
            [endpoint.pk, number, digest, topic, body, len(body), now],
        )
        receipt_id, known, state, repeats = cursor.fetchone()
    if known != digest:
        return _conflict(endpoint, number, digest, topic, body, now)
    if not repeats:
        transaction.on_commit(partial(bus.nudge, TASK, "fast", None, receipt_id=receipt_id))
    return Answer(state, again=bool(repeats))


def _conflict(
    endpoint: WebhookEndpoint, number: str, digest: str, topic: str, body: bytes, now: datetime
) -> Answer:
    """The same id with another content: set aside where somebody sees it."""
    _row, fresh = WebhookReceipt.objects.get_or_create(
        endpoint=endpoint,
        delivery_id=f"{number}#{digest}",
        defaults={
            "digest": digest,
            "topic": topic,
            "body": body,
            "bytes": len(body),
            "received_at": now,
            "state": WebhookReceipt.State.QUARANTINED,
            "code": "conflict",
            "message": _("This delivery id came before with another content."),
            "remedy": _("Try it again if this is the right one; the first one stays stored."),
            "done_at": now,
        },
    )
    return Answer("quarantined", again=not fresh)

"""What a person does with receipts: try again, discard, send a test. Refusals in words."""

import uuid
from datetime import datetime
from functools import partial

from django.db import transaction
from django.utils.translation import gettext as _

from ingestion.models import WebhookEndpoint, WebhookReceipt
from ingestion.webhooks import door, endpoints, samples, signatures
from ingestion.webhooks.said import Unclear
from marketing.core import audit, bus
from marketing.core.errors import Conflict, Refused
from marketing.core.models import User

State = WebhookReceipt.State


def words(why: Exception) -> tuple[str, str, str]:
    """(code, what is wrong, what to do) of a delivery that cannot be stored."""
    if isinstance(why, Refused):
        return why.code, why.message, why.remedy or ""
    if not isinstance(why, Unclear):
        return (
            "failed",
            _("Storing it failed: %(error)s") % {"error": type(why).__name__},
            _("Look at the worker's log, then try it again."),
        )
    table = {
        "not_json": (_("The delivery is not JSON."), _("Check what the sender sends.")),
        "not_an_object": (_("The delivery is no JSON object."), _("Check what the sender sends.")),
        "unknown_topic": (
            _("Nothing is known about the topic “%(value)s”."),
            _("Take the topic out at the sender, or use an address with a mapping."),
        ),
        "no_mapping": (
            _("Nobody has said yet where the fields stand."),
            _("Choose the fields below, then try it again."),
        ),
        "list_missing": (
            _("The list of the mapping is not in this delivery."),
            _("Correct the path of the list, then try it again."),
        ),
        "too_many": (_("“%(field)s” holds too many items."), _("Send them in several deliveries.")),
        "missing": (_("“%(field)s” is missing."), _("Check what the sender sends.")),
        "not_a_date": (
            _("“%(field)s” is no time with its zone: “%(value)s”."),
            _("Check what the sender sends."),
        ),
        "not_a_number": (
            _("“%(field)s” is not a number: “%(value)s”."),
            _("Check what the sender sends."),
        ),
        "not_whole": (
            _("“%(field)s” is not a whole number: “%(value)s”."),
            _("Check what the sender sends."),
        ),
        "bad_currency": (_("“%(value)s” is no currency."), _("Check what the sender sends.")),
        "gave_up": (
            _("A worker stopped three times while storing it."),
            _("Look at the worker's log, then try it again."),
        ),
    }
    message, remedy = table.get(
        why.code, (_("“%(field)s” cannot be read."), _("Check what the sender sends."))
    )
    return why.code, message % {"field": why.field, "value": why.value}, remedy


def again(*, receipt: WebhookReceipt, user: User | None) -> None:
    """Let a worker try a quarantined receipt once more."""
    with transaction.atomic():
        done = WebhookReceipt.objects.filter(pk=receipt.pk, state=State.QUARANTINED).update(
            state=State.WAITING, attempts=0, tried_at=None, done_at=None
        )
        if not done:
            raise Conflict(
                _("This delivery is not quarantined any more; nothing was changed."),
                code="not_quarantined",
            )
        audit.record(actor=user, action="webhook.retried", obj=receipt)
        transaction.on_commit(partial(bus.nudge, door.TASK, "fast", None, receipt_id=receipt.pk))


def send_test(*, endpoint: WebhookEndpoint, now: datetime) -> door.Answer:
    """Deliver a signed test through the same door as the sender; it becomes no data."""
    body = samples.body_of(endpoint.scheme)
    headers = signatures.sign(
        scheme=endpoint.scheme,
        secret=endpoints.secrets_of(endpoint, now=now)[0],
        body=body,
        delivery_id=f"test_{uuid.uuid4().hex}",
        topic=samples.TEST_TOPIC,
        now=now,
    )
    return door.receive(endpoint=endpoint, headers=headers, body=body, now=now)

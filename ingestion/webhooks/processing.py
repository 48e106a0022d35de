"""Receipts one by one: each ends as done, duplicate or quarantined with a reason.

The row is the truth; a nudge only says which one to look at, and the sweep finds the forgotten. A
receipt that a worker died of three times is set aside, so that it cannot stop the others.
"""

import logging
import re
from datetime import datetime, timedelta
from typing import Any

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F, Q
from django.utils.translation import gettext as _

from ingestion import sources
from ingestion.models import WebhookEndpoint, WebhookReceipt
from ingestion.preprocess import paths
from ingestion.webhooks import generic, said, samples, storing, trying
from marketing.core.errors import Refused

logger = logging.getLogger(__name__)

TRIES = 3
AGAIN_AFTER = timedelta(seconds=30)
BATCH = 200
State = WebhookReceipt.State
_EMAIL = re.compile(rb"[^\s\"'<>,;:\\]{1,64}@[a-zA-Z0-9.-]{3,180}")
MOST_NAMES = 200


def process(*, receipt_id: int, now: datetime) -> str:
    """Store one receipt if it waits; the state it is in afterwards."""
    taken = WebhookReceipt.objects.filter(pk=receipt_id, state=State.WAITING).update(
        attempts=F("attempts") + 1, tried_at=now
    )
    if not taken:
        return ""
    try:
        with transaction.atomic():
            row = (
                WebhookReceipt.objects.select_for_update(of=("self",), skip_locked=True)
                .select_related("endpoint__source")
                .filter(pk=receipt_id, state=State.WAITING)
                .first()
            )
            if row is None:
                return ""
            if row.attempts > TRIES:
                raise said.Unclear("", "gave_up")
            _store(row, now)
            row.done_at = now
            row.names = sorted({*row.names, *addresses_in(bytes(row.body))})
            row.save()
            return row.state
    except (said.Unclear, Refused) as refusal:
        return _set_aside(receipt_id, refusal, now)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        logger.exception("webhook receipt %s failed", receipt_id)
        row = WebhookReceipt.objects.get(pk=receipt_id)
        if row.attempts >= TRIES:
            return _set_aside(receipt_id, error, now)
        return State.WAITING


def _store(row: WebhookReceipt, now: datetime) -> None:
    endpoint = row.endpoint
    if row.topic == samples.TEST_TOPIC:
        row.state, row.message = State.DONE, _("Test: signature, storage and worker are fine.")
        return
    try:
        body = paths.parse_body(bytes(row.body))
    except paths.Faulty:
        raise said.Unclear("", "not_json") from None
    if endpoint.scheme == WebhookEndpoint.Scheme.STANDARD:
        _store_rows(row, endpoint, body, now)
        return
    done = storing.store(
        source=endpoint.source,
        scheme=endpoint.scheme,
        topic=row.topic,
        body=body,
        now=row.received_at,
    )
    row.state = State.DONE if done.changed else State.DUPLICATE
    row.message = " ".join(dict.fromkeys(done.told))[:400]
    row.names = sorted(name[:254] for name in done.names)
    row.code = row.remedy = ""


def _store_rows(row: WebhookReceipt, endpoint: WebhookEndpoint, body: Any, now: datetime) -> None:
    number = row.delivery_id if len(row.delivery_id) <= 80 else row.digest
    done = generic.store(endpoint=endpoint, body=body, delivery_id=number, now=row.received_at)
    row.result, row.names = done.counts, sorted(done.names)
    row.code = row.message = row.remedy = ""
    if done.faults:
        code, message, remedy = done.why
        row.state, row.code, row.remedy = State.QUARANTINED, code, remedy[:400]
        row.message = message[:400]
    elif done.counts["stored"] or done.counts["left_out"]:
        row.state = State.DONE
    else:
        row.state = State.DUPLICATE


def addresses_in(body: bytes) -> set[str]:
    """The e-mail addresses in a delivery, so that whoever asks to be forgotten is found in it."""
    found = {address.decode("ascii", "ignore").lower() for address in _EMAIL.findall(body)}
    return set(sorted(found)[:MOST_NAMES])


def _set_aside(receipt_id: int, why: Exception, now: datetime) -> str:
    code, message, remedy = trying.words(why)
    body = WebhookReceipt.objects.values_list("body", flat=True).get(pk=receipt_id)
    WebhookReceipt.objects.filter(pk=receipt_id, state=State.WAITING).update(
        state=State.QUARANTINED,
        code=code[:40],
        message=message[:400],
        remedy=remedy[:400],
        names=sorted(addresses_in(bytes(body))),
        done_at=now,
    )
    return State.QUARANTINED


def sweep(*, now: datetime) -> int:
    """Store what waits although nobody was nudged; how many were taken up."""
    waiting = WebhookReceipt.objects.filter(state=State.WAITING).filter(
        Q(tried_at=None, received_at__lt=now - timedelta(seconds=5))
        | Q(tried_at__lt=now - AGAIN_AFTER)
    )
    ids = list(waiting.order_by("id").values_list("pk", flat=True)[:BATCH])
    for receipt_id in ids:
        process(receipt_id=receipt_id, now=now)
    return len(ids)


def prune(*, now: datetime) -> int:
    """Delete receipts that are done and old enough; quarantined ones stay for a person."""
    old = WebhookReceipt.objects.filter(
        received_at__lt=now - timedelta(days=sources.RECEIPT_DAYS),
        state__in=(State.DONE, State.DUPLICATE),
    )
    ids = list(old.values_list("pk", flat=True)[:5_000])
    WebhookReceipt.objects.filter(pk__in=ids).delete()
    return len(ids)

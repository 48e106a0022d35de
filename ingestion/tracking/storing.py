"""Calls of one request into the platform: events, the orders in them, and what was refused."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime
from functools import cache
from typing import Any

import orjson
from django.db import transaction
from django.utils.translation import gettext as _

from ingestion import events, orders
from ingestion.events import agreed, bodies, nameless, refusals
from ingestion.identity import guard
from ingestion.tracking import calls
from ingestion.tracking.keys import Door
from marketing.core.errors import Conflict, Invalid, Refused, TooLarge

DOOR = "tracking"
CONTEXTS_LIMIT = 4 * bodies.BODY_LIMIT  # bytes of a batch's context, once for each of its calls


def store(
    *,
    messages: Sequence[Any],
    kind: str,
    envelope: Mapping[str, Any],
    source: Door,
    default_currency: str,
    now: datetime,
) -> dict[str, Any]:
    """Store a request's calls in one transaction; the answer that clients expect.

    A lone call that cannot be stored raises Invalid or Conflict, and so does a batch of which
    nothing can; its refusals are kept all the same. `envelope` is what surrounds a batch; its
    context is stored with each call, and TooLarge raised where that would be out of proportion.
    """
    _check_context(envelope, len(messages))
    allowed = cache(guard.allowed)  # asked once a request, and most never ask
    taken: dict[int, calls.Call] = {}
    rejected: dict[int, refusals.Rejected] = {}
    for index, message in enumerate(messages):
        try:
            taken[index] = calls.read(
                _within(message, envelope),
                kind=kind,
                sent_at=envelope.get("sentAt"),
                makes_orders=source.makes_orders,
                default_currency=default_currency,
                now=now,
                allowed=allowed,
            )
        except Invalid as fault:
            rejected[index] = refusals.reject(message, fault)
    read = {index: call.event for index, call in taken.items()}
    for index, unnamed in nameless.faults(
        good=read, source=source.name, now=now, fields=calls.FIELDS
    ).items():
        rejected[index] = refusals.reject(messages[index], unnamed)
        del taken[index], read[index]
    for index, breach in agreed.faults(good=read, source=source.name, now=now).items():
        rejected[index] = agreed.rejected(taken.pop(index).event, breach)
    # Without orders there is nothing to hold together, and requests may share a transaction.
    whole = any(call.order for call in taken.values())
    with transaction.atomic() if whole else nullcontext():
        told = events.accept(
            batch=[call.event for call in taken.values()],
            rejected=list(rejected.values()),
            source=source.name,
            door=DOOR,
            now=now,
        )
        outcomes = dict(zip(taken, told, strict=True))
        fresh = {
            index: call.order
            for index, call in taken.items()
            if call.order is not None and outcomes[index] == events.STORED
        }
        rejected |= _store_orders(fresh, messages, source.name, now)
    for index, outcome in outcomes.items():
        if outcome == events.CONFLICT:
            rejected[index] = refusals.conflict(taken[index].event)
    if len(rejected) == len(messages):
        raise _refusal(rejected, alone=bool(kind))
    answer: dict[str, Any] = {"success": True}
    if not kind:
        answer |= {
            "received": len(messages),
            "stored": told.count(events.STORED),
            "duplicates": told.count(events.DUPLICATE),
            "rejected": [_listed(index, item) for index, item in sorted(rejected.items())],
        }
    return answer


def _check_context(envelope: Mapping[str, Any], calls: int) -> None:
    shared = envelope.get("context")
    if isinstance(shared, dict) and len(orjson.dumps(shared)) * calls > CONTEXTS_LIMIT:
        raise TooLarge(
            _("The context of this batch is too large for %(n)d calls. Nothing was stored.")
            % {"n": calls},
            code="context_too_large",
            field="context",
            remedy=_("Send smaller batches or a shorter context."),
        )


def _within(message: Any, envelope: Mapping[str, Any]) -> Any:
    """A message with the context of its batch, which its own goes before."""
    shared = envelope.get("context")
    if not isinstance(shared, dict) or not isinstance(message, dict):
        return message
    own = message.get("context")
    if own is None or isinstance(own, dict):
        return {**message, "context": {**shared, **(own or {})}}
    return message


def _store_orders(
    fresh: Mapping[int, orders.Incoming], messages: Sequence[Any], source: str, now: datetime
) -> dict[int, refusals.Rejected]:
    """Store the orders; those whose number is known with other lines are refused, and kept."""
    if not fresh:
        return {}
    outcomes = orders.record(batch=list(fresh.values()), source=source, now=now)
    fault = Conflict(
        _("This order number is known with other lines; the event is stored, the order unchanged."),
        code="order_conflict",
        field="properties.order_id",
        remedy=_("Send what came back as Order Refunded, and give every order its own number."),
    )
    found = {
        index: refusals.reject(messages[index], fault)
        for index, outcome in zip(fresh, outcomes, strict=True)
        if outcome == orders.CONFLICT
    }
    refusals.keep(rejected=list(found.values()), source=source, door=DOOR, now=now)
    return found


def _listed(index: int, item: refusals.Rejected) -> dict[str, Any]:
    return {
        "index": index,
        "messageId": item.message_id or None,
        "code": item.code,
        "field": item.field or None,
        "message": item.message,
        "remedy": item.remedy or None,
    }


def _refusal(rejected: Mapping[int, refusals.Rejected], *, alone: bool) -> Refused:
    first = rejected[0]
    items = [] if alone else [_listed(index, item) for index, item in sorted(rejected.items())]
    kind: type[Refused] = Invalid
    if alone and first.code in ("conflict", "order_conflict"):
        kind = Conflict
    elif alone and first.code == "too_large":
        kind = TooLarge
    message = first.message if alone or len(rejected) == 1 else _("None of these calls was stored.")
    return kind(
        message,
        code=first.code,
        field=first.field or None,
        remedy=first.remedy or None,
        items=items,
    )

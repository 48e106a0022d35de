"""What people ask of us about their data: filed with a deadline, then done or declined."""

import calendar
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from ingestion import consent, erasure
from ingestion.models import Customer, PersonalExport, PrivacyRequest
from ingestion.privacy import exports
from marketing.core import audit
from marketing.core.errors import Conflict, Invalid, NotFound
from marketing.core.models import ApiKey, User

Kind, State = PrivacyRequest.Kind, PrivacyRequest.State
NOTE_LIMIT = 2_000
Actor = User | ApiKey | None


def due_from(received: datetime) -> datetime:
    """One month later, or the last day of a shorter month, as the law counts it."""
    year, month = received.year + received.month // 12, received.month % 12 + 1
    day = min(received.day, calendar.monthrange(year, month)[1])
    return received.replace(year=year, month=month, day=day)


def file(
    *,
    customer_id: int,
    kind: str,
    came_by: str,
    note: str = "",
    actor: Actor,
    now: datetime,
) -> PrivacyRequest:
    """Put a request into the queue. One that is open already for the same thing is given back."""
    if kind not in Kind.values:
        raise Invalid(_("There is no such kind of request."), code="unknown_kind", field="kind")
    if len(note) > NOTE_LIMIT:
        raise Invalid(
            _("The note is too long: at most %(n)d characters.") % {"n": NOTE_LIMIT},
            code="note_too_long",
            field="note",
        )
    with transaction.atomic():
        person = Customer.objects.select_for_update().filter(pk=customer_id).first()
        if person is None:
            raise NotFound(_("There is no such person."), code="customer_unknown")
        same = PrivacyRequest.objects.filter(customer=person, kind=kind, state=State.OPEN).first()
        if same is not None:
            return same
        row = PrivacyRequest.objects.create(
            kind=kind,
            customer=person,
            came_by=came_by[:40],
            note=note.strip(),
            received_at=now,
            due_at=due_from(now),
            created_by=actor if isinstance(actor, User) else None,
        )
        audit.record(
            actor=actor,
            action="privacy_request.filed",
            obj=row,
            detail={"kind": kind, "customer": customer_id},
        )
    return row


def _open(request_id: int) -> PrivacyRequest:
    row = (
        PrivacyRequest.objects.select_for_update(of=("self",))
        .select_related("customer")
        .filter(pk=request_id)
        .first()
    )
    if row is None:
        raise NotFound(_("There is no such request."), code="request_unknown")
    if row.state != State.OPEN:
        raise Conflict(_("This request was closed already; nothing was changed."), code="closed")
    return row


def fulfil(
    *, request_id: int, keep_orders: bool = False, outcome: str = "", actor: Actor, now: datetime
) -> PersonalExport | erasure.Forgotten | None:
    """Do what was asked and close the request; what came of it."""
    with transaction.atomic():
        row = _open(request_id)
        if row.customer is None:
            raise Conflict(
                _("The person of this request is not here any more. Close it with a note."),
                code="customer_gone",
            )
        number = row.customer.pk
        done: Any = None
        if row.kind == Kind.ACCESS:
            done = exports.start(customer_id=number, actor=actor, request=row, now=now)
        elif row.kind == Kind.OBJECTION:
            object_to_profiling(customer_id=number, source=row.came_by, now=now)
        elif row.kind == Kind.RECTIFICATION and not outcome.strip():
            raise Invalid(_("Say what was corrected."), code="outcome_missing", field="outcome")
        _close(row, State.DONE, outcome, actor, now)
        if row.kind == Kind.ERASURE:
            done = erasure.forget(
                customer_id=number, actor=actor, keep_orders=keep_orders, request=row, now=now
            )
    return done


def decline(*, request_id: int, outcome: str, actor: Actor, now: datetime) -> None:
    """Close a request without doing it; the reason is what the person is told."""
    if not outcome.strip():
        raise Invalid(
            _("Say why: the person has a right to know."), code="outcome_missing", field="outcome"
        )
    with transaction.atomic():
        _close(_open(request_id), State.DECLINED, outcome, actor, now)


def _close(row: PrivacyRequest, state: str, outcome: str, actor: Actor, now: datetime) -> None:
    row.state, row.outcome, row.closed_at = state, outcome.strip()[:NOTE_LIMIT], now
    row.handled_by = actor if isinstance(actor, User) else None
    row.save(update_fields=["state", "outcome", "closed_at", "handled_by"])
    audit.record(actor=actor, action=f"privacy_request.{state}", obj=row, detail={"kind": row.kind})


def object_to_profiling(*, customer_id: int, source: str, now: datetime) -> None:
    """No predictions and no personal picks for this person from now on."""
    consent.revoke(
        customer_ids=[customer_id],
        purpose="profiling",
        source=source,
        proof={"right": "objection"},
        now=now,
    )

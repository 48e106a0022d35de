"""Forget a person: at once in every table that is about them, then in every file and text.

What each table does is told by its app (see `marketing.core.personal`). The rows go in one
transaction; `ingestion.privacy.sweeping` then looks through files, caches, models and the texts of
others, and completes the receipt. Addresses stay suppressed, as keyed hashes.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from ingestion import consent
from ingestion.identity import identify, merging
from ingestion.models import Erasure, PrivacyRequest
from ingestion.privacy import ledger, subjects
from marketing.core import audit, jobs, personal, vault
from marketing.core.errors import NotFound
from marketing.core.models import ApiKey, User
from marketing.core.personal import Subject


@dataclass(frozen=True)
class Forgotten:
    """How much was removed at once, how many orders now belong to nobody, and the receipt."""

    events: int
    orders: int
    receipt: Erasure


def forget(
    *,
    customer_id: int,
    actor: User | ApiKey | None,
    keep_orders: bool = True,
    request: PrivacyRequest | None = None,
    replayed: bool = False,
    now: datetime | None = None,
) -> Forgotten:
    """Erase one person, under whichever row stands for them now.

    With `keep_orders` their orders stay, as a guest's.
    The audit trail and the receipt keep the fact, not the name.
    """
    now = now or timezone.now()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            # Nobody is merged between the look at who it is and the end.
            identify.lock_alone()
            customer_id = merging.current(customer_id)
            cursor.execute(
                "SELECT 1 FROM ingestion_customer WHERE id = %s FOR UPDATE", [customer_id]
            )
        subject = subjects.of_customer(customer_id)
        if subject is None:
            raise NotFound(_("There is no such person."), code="customer_unknown")
        orders = _orders_of(subject)
        counts = remove_rows(subject=subject, keep_orders=keep_orders)
        consent.veil(addresses=subject.emails, channel="email", now=now)
        consent.veil(addresses=subject.phones, channel="sms", now=now)
        label = actor.name if isinstance(actor, ApiKey) else getattr(actor, "display_name", "")
        receipt = Erasure.objects.create(
            customer_number=customer_id,
            mode=Erasure.Mode.ANONYMISE if keep_orders else Erasure.Mode.ERASE,
            digests=ledger.digests_of(subject),
            counts=counts,
            request=request,
            actor=actor if isinstance(actor, User) else None,
            actor_label=label[:200],
            replayed=replayed,
            at=now,
        )
        receipt.sealed = vault.seal(text=subject.as_text(), row=ledger.row_of(receipt))
        receipt.save(update_fields=["sealed"])
        audit.record(
            actor=actor,
            action="customer.erased",
            obj=receipt,
            detail={
                "customer": customer_id,
                "events": counts.get("ingestion_event", 0),
                "orders": orders,
            },
        )
        jobs.start(
            kind="privacy.sweep",
            title=_("Erase a person from files and texts"),
            params={"erasure_id": receipt.pk},
            user=receipt.actor,
            steps=4,
        )
        transaction.on_commit(partial(ledger.append, receipt))
    return Forgotten(counts.get("ingestion_event", 0), orders, receipt)


def remove_rows(*, subject: Subject, keep_orders: bool) -> dict[str, int]:
    """Remove the rows that are about a person, table by table; how many of each."""
    counts: dict[str, int] = {}
    with connection.cursor() as cursor:
        for holding in personal.registry().holdings:
            statement = holding.statement(keeps_orders=keep_orders)
            if holding.reads_texts or not statement or holding.rows == "false":
                continue
            cursor.execute(statement, subject.params)
            if cursor.rowcount:
                counts[holding.table] = cursor.rowcount
    return counts


def _orders_of(subject: Subject) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM ingestion_order WHERE customer_id = ANY(%(ids)s)", subject.params
        )
        return int(cursor.fetchone()[0])


def remembered(*, customer_id: int) -> bool:
    """Whether any row is still about this person."""
    subject = Subject(numbers=(customer_id,))
    with connection.cursor() as cursor:
        for holding in personal.registry().holdings:
            if holding.reads_texts or holding.rows == "false":
                continue
            cursor.execute(
                f"SELECT EXISTS (SELECT 1 FROM {holding.table} WHERE {holding.rows})",
                subject.params,
            )
            if cursor.fetchone()[0]:
                return True
    return False

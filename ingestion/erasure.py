"""Forget a person: everything that names them goes, what they bought stays as a guest's order."""

from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from ingestion.events import claims
from ingestion.models import Customer, Refusal, Reject
from marketing.core import audit
from marketing.core.errors import NotFound
from marketing.core.models import ApiKey, User


@dataclass(frozen=True)
class Forgotten:
    """How much was removed, and how many orders now belong to nobody."""

    events: int
    orders: int
    rejects: int


def forget(*, customer_id: int, actor: User | ApiKey | None) -> Forgotten:
    """Erase one person in one transaction. The audit trail keeps the fact, not the name.

    Addresses on the suppression list stay there, so that nobody writes to them again.
    """
    with transaction.atomic():
        person = Customer.objects.select_for_update().filter(pk=customer_id).first()
        if person is None:
            raise NotFound(_("There is no such person."), code="customer_unknown")
        names = [name for name in (person.email, person.phone) if name]
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM ingestion_event WHERE customer_id = %s RETURNING source, message_id",
                [customer_id],
            )
            gone = cursor.fetchall()
        claims.release(named=gone)
        about = Q(pk__in=[])
        for name in names:
            about |= Q(raw__icontains=name)
        rejects = sum(kind.objects.filter(about).delete()[0] for kind in (Reject, Refusal))
        orders = person.orders.count()
        person.delete()
        audit.record(
            actor=actor,
            action="customer.erased",
            detail={"customer": customer_id, "events": len(gone), "orders": orders},
        )
    return Forgotten(len(gone), orders, rejects)


def remembered(*, customer_id: int) -> bool:
    """Whether any row still points at this person."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM ingestion_event WHERE customer_id = %(id)s)"
            " OR EXISTS (SELECT 1 FROM ingestion_orderline WHERE customer_id = %(id)s)"
            " OR EXISTS (SELECT 1 FROM ingestion_identity WHERE customer_id = %(id)s)",
            {"id": customer_id},
        )
        return bool(cursor.fetchone()[0])

"""A person's inbox: what is in it, what is unread. People found to be one share theirs."""

from collections.abc import Collection
from datetime import datetime

from django.db.models import Q, QuerySet

from campaigns.models import InboxItem
from ingestion.models import Customer


def of(person: Customer) -> QuerySet[InboxItem]:
    """Everything in the inbox of a person."""
    return InboxItem.objects.filter(Q(customer=person) | Q(customer__merged_into=person))


def unread(person: Customer) -> int:
    """How many are not read yet."""
    return of(person).filter(read_at=None).count()


def mark_read(person: Customer, *, ids: Collection[int] | None, now: datetime) -> int:
    """Mark these as read, or all of them; how many were unread. Others' are left alone."""
    mine = of(person).filter(read_at=None)
    if ids is not None:
        mine = mine.filter(pk__in=list(ids))
    keys = list(mine.values_list("pk", flat=True)[:10_000])
    return InboxItem.objects.filter(pk__in=keys).update(read_at=now)

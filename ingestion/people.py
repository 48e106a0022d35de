"""People as callers tell them: written in bulk, with their answers, idempotent."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from ingestion import consent
from ingestion.identity import identify
from ingestion.intake import CustomerItem
from ingestion.models import Customer

CREATED, UPDATED, UNCHANGED = "created", "updated", "unchanged"
REFUSED = "refused"  # none of the names finds or joins anybody
_KEPT = (
    "external_id",
    "email",
    "phone",
    "first_name",
    "last_name",
    "country",
    "language",
    "timezone",
)


def upsert(
    *, items: Sequence[CustomerItem], source: str, now: datetime
) -> list[tuple[int | None, str]]:
    """Add people or change those known by one of their names; (our id, what was done) per item.

    Empty values leave what is known as it is. (None, refused) for names that join nobody.
    """
    with transaction.atomic():
        people = [item.person for item in items]
        ids = identify.resolve(people=people, source=source, now=now)
        known = [(i, person) for i, person in zip(ids, people, strict=True) if i is not None]
        before = {row.pk: row for row in Customer.objects.filter(pk__in={i for i, _ in known})}
        identify.enrich(people=known, now=now, overwrite=True)
        answered: set[int] = set()
        told: dict[tuple[str, str], list[consent.Answer]] = {}
        for customer_id, item in zip(ids, items, strict=True):
            if customer_id is None:
                continue
            for channel, purpose, granted, at, proof in item.answers:
                told.setdefault((channel, purpose), []).append(
                    consent.Answer(
                        customer_id, granted, at or now, proof, "api", dated=at is not None
                    )
                )
        for (channel, purpose), answers in told.items():
            answered |= consent.record(
                answers=answers, channel=channel, purpose=purpose, source=source, now=now
            )
    outcomes: list[tuple[int | None, str]] = []
    made: set[int] = set()
    for customer_id, person in zip(ids, people, strict=True):
        if customer_id is None:
            outcomes.append((None, REFUSED))
            continue
        row = before[customer_id]
        if row.created_at == now and customer_id not in made:
            outcome = CREATED
        else:
            tells = any(
                (new := getattr(person, name)) and new != getattr(row, name) for name in _KEPT
            )
            more = any(row.attributes.get(key) != value for key, value in person.attributes.items())
            outcome = UPDATED if tells or more or customer_id in answered else UNCHANGED
        made.add(customer_id)
        outcomes.append((customer_id, outcome))
    return outcomes

"""The only answer to 'may we?': consent that people gave or took back, and suppressed addresses.

Consent rows are only added; the newest has `current`. A suppression outlives the person and any
later consent, until somebody lifts it by hand.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Case, CharField, Exists, OuterRef, Q, QuerySet, Value, When
from django.utils.translation import gettext as _

from ingestion.models import Consent, Customer, Suppression
from marketing.core.errors import Invalid

CHANNELS = ("email", "sms", "push")
PURPOSES = ("marketing", "profiling")
REASONS = ("unsubscribed", "bounced", "complained", "manual")
# Why somebody may not be written to, in the order in which the reasons are told.
NO_ADDRESS, SUPPRESSED, NO_CONSENT = "no_address", "suppressed", "no_consent"


@dataclass(frozen=True)
class Answer:
    """What one person said, when, and how we know."""

    customer_id: int
    granted: bool
    at: datetime
    proof: dict[str, Any] = field(default_factory=dict)


def grant(
    *,
    customer_ids: Sequence[int],
    channel: str = "email",
    purpose: str = "marketing",
    source: str,
    proof: dict[str, Any],
    now: datetime,
) -> int:
    """Record that these people agreed; how many answers changed. Proof says how and where."""
    if not proof:
        raise Invalid(
            _("Consent needs proof: when and how the person agreed."), code="proof_missing"
        )
    answers = [Answer(customer_id, True, now, proof) for customer_id in customer_ids]
    return len(record(answers=answers, channel=channel, purpose=purpose, source=source))


def revoke(
    *,
    customer_ids: Sequence[int],
    channel: str = "email",
    purpose: str = "marketing",
    source: str,
    proof: dict[str, Any] | None = None,
    now: datetime,
) -> int:
    """Record that these people said no; how many answers changed."""
    answers = [Answer(customer_id, False, now, proof or {}) for customer_id in customer_ids]
    return len(record(answers=answers, channel=channel, purpose=purpose, source=source))


def record(
    *, answers: Sequence[Answer], channel: str = "email", purpose: str = "marketing", source: str
) -> set[int]:
    """Add answers; whose changed what counts. An answer older than the current one is ignored."""
    if channel not in CHANNELS or purpose not in PURPOSES:
        raise Invalid(_("There is no such channel or purpose."), code="unknown_channel")
    latest: dict[int, Answer] = {}
    for answer in sorted(answers, key=lambda a: a.at):
        latest[int(answer.customer_id)] = answer
    with transaction.atomic():
        now_current = {
            consent.customer_id: consent
            for consent in Consent.objects.select_for_update().filter(
                customer_id__in=list(latest), channel=channel, purpose=purpose, current=True
            )
        }
        new = [
            answer
            for customer_id, answer in latest.items()
            if (so_far := now_current.get(customer_id)) is None
            or (so_far.granted != answer.granted and answer.at >= so_far.at)
        ]
        Consent.objects.filter(
            pk__in=[now_current[a.customer_id].pk for a in new if a.customer_id in now_current]
        ).update(current=False)
        Consent.objects.bulk_create(
            [
                Consent(
                    customer_id=answer.customer_id,
                    channel=channel,
                    purpose=purpose,
                    granted=answer.granted,
                    at=answer.at,
                    source=source[:100],
                    proof=answer.proof,
                )
                for answer in sorted(new, key=lambda a: a.customer_id)
            ],
            batch_size=2000,
        )
    return {answer.customer_id for answer in new}


def suppress(
    *, addresses: Iterable[str], channel: str = "email", reason: str, now: datetime
) -> int:
    """Never send to these addresses again; how many were new. Addresses are normalised."""
    if reason not in REASONS:
        raise Invalid(_("There is no such reason."), code="unknown_reason")
    wanted = sorted({address.strip().lower() for address in addresses if address.strip()})
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ingestion_suppression (channel, address, reason, at)"
            " SELECT %s, a, %s, %s FROM unnest(%s::text[]) AS a ON CONFLICT DO NOTHING",
            [channel, reason, now, wanted],
        )
        return int(cursor.rowcount)


def lift(*, address: str, channel: str = "email") -> bool:
    """Take an address off the list, by hand; whether it was on it."""
    found = Suppression.objects.filter(channel=channel, address=address.strip().lower())
    return found.delete()[0] > 0


def mailable(
    people: QuerySet[Customer] | Iterable[int],
    *,
    channel: str = "email",
    purpose: str = "marketing",
) -> QuerySet[Customer]:
    """The people with `reason`: empty when they may be written to, else the reason, in SQL.

    Reasons: no_address, suppressed, no_consent. Filter `reason=""` for those who may be written to.
    """
    chosen = (
        people if isinstance(people, QuerySet) else Customer.objects.filter(pk__in=list(people))
    )
    column = "email" if channel == "email" else "phone"
    agreed = Consent.objects.filter(
        customer=OuterRef("pk"), channel=channel, purpose=purpose, current=True, granted=True
    )
    barred = Suppression.objects.filter(channel=channel, address=OuterRef(column))
    return chosen.annotate(
        reason=Case(
            When(Q(**{f"{column}__isnull": True}) | Q(**{column: ""}), then=Value(NO_ADDRESS)),
            When(Exists(barred), then=Value(SUPPRESSED)),
            When(~Exists(agreed), then=Value(NO_CONSENT)),
            default=Value(""),
            output_field=CharField(),
        )
    )


def may_mail(customer_id: int, *, channel: str = "email", purpose: str = "marketing") -> bool:
    """Whether one person may be written to now."""
    person = mailable([customer_id], channel=channel, purpose=purpose).first()
    return person is not None and person.reason == ""  # type: ignore[attr-defined]

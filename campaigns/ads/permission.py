"""Whom ads may know of: people who agreed to the purpose, on the channel of the name that is told.

The e-mail address of somebody goes to a network, or what they saw into a model, only while they
agree to the purpose "ads"; whoever objects to predictions is not learned from either.
"""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_noop

from ingestion import consent
from ingestion.models import Consent, Customer
from ingestion.privacy import purposes
from marketing.core.models import User

PURPOSE = "ads"
# Its short name is made from these words, so they are stored untranslated.
NAME = gettext_noop("Ads")
ABOUT = gettext_noop(
    "Show me ads that suit me, and compare my address, as a hash, with those ad networks know."
)


def is_asked() -> bool:
    """Whether people can be asked for it: the shop has the purpose."""
    return consent.is_purpose(PURPOSE)


def add_purpose(*, user: User | None, now: datetime) -> None:
    """Make the purpose that everything about ads asks for. Conflict where it is there."""
    purposes.add(name=NAME, description=ABOUT, actor=user, now=now)


def agreed() -> Exists:
    """Of a customer in SQL: they agreed to ads on any channel."""
    return Exists(
        Consent.objects.filter(
            Q(expires_at=None) | Q(expires_at__gt=Now()),
            customer=OuterRef("pk"),
            purpose=PURPOSE,
            current=True,
            granted=True,
        )
    )


def sql(person: str) -> str:
    """The same and no objection to predictions, of a column, as text with the moment `now`."""
    return f"""EXISTS (SELECT FROM ingestion_consent k WHERE k.customer_id = {person}
        AND k.purpose = '{PURPOSE}' AND k.current AND k.granted
        AND (k.expires_at IS NULL OR k.expires_at > %(now)s))
    AND NOT EXISTS (SELECT FROM ingestion_consent k WHERE k.customer_id = {person}
        AND k.purpose = 'profiling' AND k.current AND NOT k.granted)"""


def among(people: Iterable[int]) -> set[int]:
    """Those of these people whom ads may know and models may learn from."""
    wanted = set(people)
    if not wanted:
        return set()
    return set(
        Customer.objects.filter(agreed(), pk__in=wanted)
        .exclude(consent.objects_to_profiling("pk"))
        .values_list("pk", flat=True)
    )

"""The person's own page: what they get, for which purpose, and what else they may ask for."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ingestion import consent
from ingestion.models import Consent, Customer, Purpose
from marketing.core.wording import in_words

VALID_FOR = timedelta(days=2)
SOURCE = "preference page"
_SALT = "ingestion.privacy.preferences"
BUILT_IN: dict[str, tuple[Any, Any]] = {
    "marketing": (_("News and offers"), _("Mails about products, prices and what is new.")),
    "profiling": (
        _("Personal recommendations"),
        _("Predictions and picks made from what you bought and looked at."),
    ),
}


@dataclass(frozen=True)
class Choice:
    """One purpose as the person sees it. `asked` is false where they never answered."""

    slug: str
    name: Any
    description: Any
    granted: bool
    asked: bool


def token_of(*, customer_id: int) -> str:
    """What the link to somebody's own page holds; it works for two days."""
    return signing.dumps(customer_id, salt=_SALT)


def url_of(*, customer_id: int) -> str:
    path = reverse("ingestion:preferences", args=[token_of(customer_id=customer_id)])
    return f"{settings.PUBLIC_URL.rstrip('/')}{path}"


def of_token(token: str) -> Customer | None:
    """Whose page a link leads to; None when it was forged or is too old."""
    try:
        number = signing.loads(token, salt=_SALT, max_age=VALID_FOR)
    except signing.BadSignature:
        return None
    return Customer.objects.filter(pk=number).first() if isinstance(number, int) else None


def purposes() -> list[tuple[str, Any, Any]]:
    """(slug, name, description) of every purpose people are asked for; what we named ourselves and
    keep in English is said in the reader's language.
    """
    built_in = [(slug, name, about) for slug, (name, about) in BUILT_IN.items()]
    own = Purpose.objects.filter(archived=False).values_list("slug", "name", "description")
    return [*built_in, *((slug, in_words(name), in_words(about)) for slug, name, about in own)]


def choices(*, customer: Customer, now: datetime | None = None) -> list[Choice]:
    """What the person gets by mail now. Predictions are made unless they said no."""
    standing = Consent.objects.filter(
        ~Q(granted=True, expires_at__lte=now or timezone.now()),  # a yes that has run out is none
        customer=customer,
        channel="email",
        current=True,
    )
    answers = dict(standing.values_list("purpose", "granted"))
    return [
        Choice(slug, name, about, answers.get(slug, slug == "profiling"), slug in answers)
        for slug, name, about in purposes()
    ]


def choose(*, customer: Customer, wanted: set[str], now: datetime) -> int:
    """Record what the person chose on their page; how many answers changed.

    Choosing marketing mail again ends an unsubscribe of theirs, as the link came to their mailbox.
    """
    changed = 0
    with transaction.atomic():
        for choice in choices(customer=customer, now=now):
            granted = choice.slug in wanted
            if granted == choice.granted:
                continue
            answer = consent.Answer(customer.pk, granted, now, {"page": SOURCE}, "preferences")
            changed += len(
                consent.record(
                    answers=[answer], channel="email", purpose=choice.slug, source=SOURCE, now=now
                )
            )
            if granted and choice.slug == "marketing" and customer.email:
                consent.lift(address=customer.email, reasons=("unsubscribed",))
    return changed

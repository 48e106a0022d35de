"""Whether we may, as SQL about many people at once."""

from collections.abc import Iterable

from django.db.models import (
    BinaryField,
    BooleanField,
    Case,
    CharField,
    Exists,
    Func,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Now

from ingestion.consent.words import (
    ADDRESSES,
    EVERY,
    LABELS_MOST,
    NO_ADDRESS,
    NO_CONSENT,
    SUPPRESSED,
)
from ingestion.models import Consent, Customer, SuppressedDigest, Suppression


def agreed(*, channel: str = "email", purpose: str = "marketing") -> Exists:
    """Of a customer in SQL: their answer that counts is a yes which has not run out."""
    return Exists(
        Consent.objects.filter(
            Q(expires_at=None) | Q(expires_at__gt=Now()),
            customer=OuterRef("pk"),
            channel=channel,
            purpose=purpose,
            current=True,
            granted=True,
        )
    )


def barred(*, channel: str = "email") -> Q:
    """Of a customer in SQL: their address is suppressed."""
    plain, hashed, wider = _barred(channel)
    return Q(plain) | Q(hashed) | Q(wider)


def open_to(*, channel: str = "email") -> Q:
    """Of a customer in SQL: their address is not suppressed. In this form, which is no opposite of
    an either-or, the database joins, and shares the work among its processes.
    """
    plain, hashed, wider = _barred(channel)
    return Q(~plain) & Q(~hashed) & ~Q(wider)


class _Hash(Func):
    """The SHA-256 of an address in hex."""

    template = "encode(sha256(convert_to(%(expressions)s, 'UTF8')), 'hex')"
    output_field = CharField()


class _Domain(Func):
    """The domain of an address."""

    template = "split_part(%(expressions)s, '@', 2)"
    output_field = CharField()


def _under(labels: int) -> type[Func]:
    """ "*." and the last so many labels of the domain of an address, one of which is empty where it
    has fewer.
    """
    domain = "split_part(%(expressions)s, '@', 2)"
    parts = " || '.' || ".join(f"split_part({domain}, '.', -{n})" for n in range(labels, 0, -1))
    named = {"template": f"('*.' || {parts})", "output_field": CharField()}
    return type("_Under", (Func,), named)


# Rows of one sort, and as what an address may stand among them.
_NAMES: tuple[tuple[Q, tuple[type[Func], ...]], ...] = (
    (Q(kind=Suppression.Kind.HASH), (_Hash,)),
    (Q(kind=Suppression.Kind.DOMAIN) & ~Q(address__startswith="*"), (_Domain,)),
    (
        Q(kind=Suppression.Kind.DOMAIN, address__startswith="*"),
        tuple(_under(n) for n in range(2, LABELS_MOST + 1)),
    ),
)


def _wider(channel: str, column: str | None) -> Case:
    """They, their domain or the hash of their address is on the list: compared only where any is.

    A choice of cases, as the database then asks once whether there is any, and not for each person;
    and comparisons of one value, for which it makes a table of those on the list.
    """
    rows = Suppression.objects.filter(channel__in=(channel, EVERY))
    people = rows.filter(kind=Suppression.Kind.PERSON)
    named = Customer.every.filter(suppressions__in=people)
    now = named.annotate(now=Coalesce("merged_into_id", "pk")).values("now")
    cases = [When(Q(Exists(people)) & Q(pk__in=now), then=Value(True))]
    if column is not None:
        for sort, names in _NAMES:
            kept, found = rows.filter(sort), Q()
            for name in names:
                found |= Q(Exists(kept.filter(address=name(OuterRef(column)))))
            cases.append(When(Q(Exists(kept)) & found, then=Value(True)))
    return Case(*cases, default=Value(False), output_field=BooleanField())


def _barred(channel: str) -> tuple[Exists, Exists, Case]:
    """The address is on the list, or its hash is, or something wider: hashes are computed only
    where somebody on the list was erased.
    """
    column = "email" if channel == "email" else "phone"
    wider = _wider(channel, ADDRESSES.get(channel))
    hashed = Func(OuterRef(column), function="ingestion_digest", output_field=BinaryField())
    veiled = SuppressedDigest.objects.filter(channel=channel)
    digest = Case(When(Exists(veiled), then=hashed), output_field=BinaryField())
    return (
        Exists(Suppression.objects.filter(channel=channel, address=OuterRef(column))),
        Exists(veiled.filter(digest=digest)),
        wider,
    )


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
    column = ADDRESSES.get(channel)
    cases = [When(~Q(agreed(channel=channel, purpose=purpose)), then=Value(NO_CONSENT))]
    if column is not None:
        nowhere = Q(**{f"{column}__isnull": True}) | Q(**{column: ""})
        cases = [
            When(nowhere, then=Value(NO_ADDRESS)),
            When(barred(channel=channel), then=Value(SUPPRESSED)),
            *cases,
        ]
    else:
        cases = [When(Q(_wider(channel, None)), then=Value(SUPPRESSED)), *cases]
    return chosen.annotate(reason=Case(*cases, default=Value(""), output_field=CharField()))


def objects_to_profiling(person: str) -> Exists:
    """In SQL, of a row whose column `person` holds a customer: they said no to predictions."""
    return Exists(
        Consent.objects.filter(
            customer=OuterRef(person), purpose="profiling", current=True, granted=False
        )
    )


def unprofiled(ids: Iterable[int]) -> set[int]:
    """Those of these people who said no to predictions and personal picks."""
    return set(
        Consent.objects.filter(
            customer_id__in=list(ids), purpose="profiling", current=True, granted=False
        ).values_list("customer_id", flat=True)
    )


def may_mail(customer_id: int, *, channel: str = "email", purpose: str = "marketing") -> bool:
    """Whether one person may be written to now."""
    person = mailable([customer_id], channel=channel, purpose=purpose).first()
    return person is not None and person.reason == ""  # type: ignore[attr-defined]

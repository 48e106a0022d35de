"""Whether we may, as SQL about many people at once."""

from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Any

from django.db import connection
from django.db.models import (
    BooleanField,
    Case,
    CharField,
    Exists,
    F,
    Func,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import Now

from ingestion.consent.words import (
    ADDRESSES,
    CHANNELS,
    EVERY,
    LABELS_MOST,
    NO_ADDRESS,
    NO_CONSENT,
    SUPPRESSED,
)
from ingestion.models import Consent, Customer, Suppression


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
    return Q(_Listed(channel))


def open_to(*, channel: str = "email") -> Q:
    """Of a customer in SQL: their address is not suppressed. In this form, which is no opposite of
    an either-or, the database joins, and shares the work among its processes.
    """
    return Q(_Unlisted(channel))


# Written once: many rules ask this, and the queries of Django would take longer to write than to
# run. Whether anybody stands on the list as more than an address is asked once and not for each
# person; only then are the sets compared with, each of which the database makes a table of.
_PLAIN = (
    "EXISTS (SELECT FROM ingestion_suppression s"
    " WHERE s.channel = {channel} AND s.address = {address})"
)
# Hashes are computed only where somebody on the list was erased.
_VEILED = (
    "EXISTS (SELECT FROM ingestion_suppresseddigest d WHERE d.channel = {channel}"
    " AND d.digest = CASE WHEN EXISTS (SELECT FROM ingestion_suppresseddigest"
    " WHERE channel = {channel}) THEN ingestion_digest({address}) END)"
)
_SORT = "ingestion_suppression w WHERE w.kind = '{kind}' AND w.channel IN ({channel}, {every})"
_PERSON = (
    "{person} IN (SELECT coalesce(h.merged_into_id, h.id) FROM ingestion_customer h"
    " WHERE h.id IN (SELECT w.customer_id FROM {people}))"
)
_HASHED = (
    "CASE WHEN EXISTS (SELECT FROM {hashes}) THEN"
    " encode(sha256(convert_to({address}, 'UTF8')), 'hex') IN (SELECT w.address FROM {hashes}) END"
)
_WIDER = (
    "CASE WHEN EXISTS (SELECT FROM ingestion_suppression w"
    " WHERE w.kind <> 'address' AND w.channel IN ({channel}, {every})) AND ({ways})"
    " THEN true ELSE false END"
)


def _domains() -> list[str]:
    """As what the domain of an address may stand on the list: itself, or "*." and its last labels,
    one of which is empty where it has fewer.
    """
    domain = "split_part({address}, '@', 2)"
    found = [domain]
    for labels in range(2, LABELS_MOST + 1):
        last = " || '.' || ".join(f"split_part({domain}, '.', -{n})" for n in range(labels, 0, -1))
        found.append(f"('*.' || {last})")
    return [f"{name} IN (SELECT w.address FROM {{domains}})" for name in found]


@lru_cache
def _written(template: str, channel: str) -> str:
    """The text, with {person} and {address} left to be filled in."""
    ways = [_PERSON]
    if channel in ADDRESSES:
        ways.append(_HASHED)
    if ADDRESSES.get(channel) == "email":
        ways += _domains()
    text = template.replace("{wider}", _WIDER.replace("{ways}", " OR ".join(ways)))
    for name, kind in (("people", "person"), ("hashes", "sha256"), ("domains", "domain")):
        text = text.replace(f"{{{name}}}", _SORT.replace("{kind}", kind))
    return text.replace("{channel}", f"'{channel}'").replace("{every}", f"'{EVERY}'")


class _OfPerson(Func):
    """Something about a person and the address of a channel, as text written by hand."""

    output_field = BooleanField()
    text = "{wider}"

    def __init__(self, channel: str) -> None:
        if channel not in CHANNELS:
            raise ValueError(f"no such channel: {channel}")
        self.channel = channel
        super().__init__(F("pk"), F(ADDRESSES.get(channel, "email")))

    def as_sql(  # type: ignore[override]
        self, compiler: Any, connection: Any, **context: Any
    ) -> tuple[str, list[Any]]:
        (person, _none), (address, _no) = map(compiler.compile, self.source_expressions)
        text = _written(self.text, self.channel)
        return f"({text.replace('{person}', person).replace('{address}', address)})", []


class _Listed(_OfPerson):
    text = f"{_PLAIN} OR {_VEILED} OR {{wider}}"


class _Unlisted(_OfPerson):
    text = f"NOT {_PLAIN} AND NOT {_VEILED} AND NOT {{wider}}"


def barred_everywhere() -> Q:
    """Of a customer in SQL: nothing more may be sent to them, by whatever channel."""
    listed = Suppression.objects.filter(kind=Suppression.Kind.PERSON, channel=EVERY)
    merged = Customer.every.filter(pk__in=listed.values("customer"), merged_into__isnull=False)
    return Q(pk__in=listed.values("customer")) | Q(pk__in=merged.values("merged_into"))


def mailable(
    people: QuerySet[Customer] | Iterable[int],
    *,
    channel: str = "email",
    purpose: str = "marketing",
    name: str = "reason",
) -> QuerySet[Customer]:
    """The people with `reason`: empty when they may be written to, else the reason, in SQL.

    `name` calls it otherwise.
    Reasons: no_address, suppressed, no_consent. Filter `reason=""` for those who may be written to.
    To a channel that consent has no words for nobody can have agreed, so nobody may be.
    """
    chosen = (
        people if isinstance(people, QuerySet) else Customer.objects.filter(pk__in=list(people))
    )
    if channel not in CHANNELS:
        return chosen.annotate(**{name: Value(NO_CONSENT, CharField())})
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
        cases = [When(Q(_OfPerson(channel)), then=Value(SUPPRESSED)), *cases]
    reason = Case(*cases, default=Value(""), output_field=CharField())
    return chosen.annotate(**{name: reason})


def judged(
    ids: Collection[int], *, channel: str = "email", purpose: str = "marketing"
) -> dict[int, tuple[str, str | None]]:
    """The reason and the address of each of these people who is still there, as `mailable` has it.

    For those who ask again and again: the question is put into SQL once.
    """
    sql, params = _mailable_sql(channel, purpose)
    with connection.cursor() as cursor:
        cursor.execute(sql, [*params, list(ids)])
        return {key: (reason, address) for key, reason, address in cursor.fetchall()}


@lru_cache(maxsize=256)
def _mailable_sql(channel: str, purpose: str) -> tuple[str, tuple[Any, ...]]:
    column = ADDRESSES.get(channel)
    wanted = ("id", column) if column else ("id",)
    people = mailable(Customer.objects.order_by(), channel=channel, purpose=purpose)
    inner, params = people.values(*wanted, "reason").query.sql_with_params()
    return f"SELECT id, reason, {column or 'NULL'} FROM ({inner}) AS who WHERE id = ANY(%s)", params


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

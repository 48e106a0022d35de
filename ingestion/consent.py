"""The only answer to 'may we?': consent that people gave or took back, and suppressed addresses.

Answers are only added. Which one counts depends on the answers alone, never on the order in which
they came: the firmest kind of knowledge first (see `Consent.weight`), then the latest moment, and
at the same moment a no. A suppression outlives the person and any later consent, until somebody
lifts it by hand or the person confirms by mail that they want to hear from us again.
"""

import hashlib
import hmac
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson
from django.conf import settings
from django.db import connection, transaction
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
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ingestion import changes
from ingestion.identity import profile
from ingestion.models import Consent, Customer, Purpose, SuppressedDigest, Suppression
from marketing.core.errors import Invalid

CHANNELS = ("email", "sms", "push")
# Where a person's address is known to us by itself; a browser that takes pushes says its own.
ADDRESSES = {"email": "email", "sms": "phone"}
# The purposes that are always there; the shop adds its own.
PURPOSES = ("marketing", "profiling")
REASONS = ("unsubscribed", "bounced", "complained", "manual", "imported", "erased")
# The channel of a suppression that stands for every one.
EVERY = "all"
# "*." stands before two to so many labels of a domain.
LABELS_MOST = 4
METHODS: dict[str, Any] = {
    "form": gettext_lazy("Form"),
    "double_opt_in": gettext_lazy("Confirmed by mail"),
    "preferences": gettext_lazy("Preference page"),
    "unsubscribe": gettext_lazy("Unsubscribe link"),
    "import": gettext_lazy("Imported file"),
    "api": gettext_lazy("API"),
    "verbal": gettext_lazy("Said in person"),
    "paper": gettext_lazy("On paper"),
    "implied": gettext_lazy("Implied by what they did"),
    "demo": gettext_lazy("Demo data"),
}
SAID, UNDATED, IMPLIED = 2, 1, 0
# Why somebody may not be written to, in the order in which the reasons are told.
NO_ADDRESS, SUPPRESSED, NO_CONSENT = "no_address", "suppressed", "no_consent"
_PURPOSES_FOR_SECONDS = 5.0
_purposes: tuple[float, frozenset[str]] = (0.0, frozenset())


@dataclass(frozen=True)
class Answer:
    """What one person said, when, and how we know.

    `dated` is false for a yes whose moment nobody knows: it never undoes a no. `expires_at` ends a
    yes by itself; a yes by the method "implied" yields to anything the person said.
    """

    customer_id: int
    granted: bool
    at: datetime
    proof: dict[str, Any] = field(default_factory=dict)
    method: str = ""
    dated: bool = True
    expires_at: datetime | None = None
    text_id: int | None = None

    @property
    def weight(self) -> int:
        if not self.granted:
            return SAID
        if self.method == "implied":
            return IMPLIED
        return SAID if self.dated else UNDATED


def grant(
    *,
    customer_ids: Sequence[int],
    channel: str = "email",
    purpose: str = "marketing",
    source: str,
    proof: dict[str, Any],
    method: str = "",
    expires_at: datetime | None = None,
    text_id: int | None = None,
    now: datetime,
) -> int:
    """Record that these people agreed; how many answers changed. Proof says how and where."""
    if not proof:
        raise Invalid(
            _("Consent needs proof: when and how the person agreed."), code="proof_missing"
        )
    answers = [
        Answer(i, True, now, proof, method, expires_at=expires_at, text_id=text_id)
        for i in customer_ids
    ]
    return len(record(answers=answers, channel=channel, purpose=purpose, source=source, now=now))


def revoke(
    *,
    customer_ids: Sequence[int],
    channel: str = "email",
    purpose: str = "marketing",
    source: str,
    proof: dict[str, Any] | None = None,
    method: str = "",
    now: datetime,
) -> int:
    """Record that these people said no; how many answers changed."""
    answers = [Answer(i, False, now, proof or {}, method) for i in customer_ids]
    return len(record(answers=answers, channel=channel, purpose=purpose, source=source, now=now))


def is_purpose(slug: str) -> bool:
    """Whether people can be asked for this purpose. Own purposes are read every few seconds."""
    global _purposes
    if slug in PURPOSES:
        return True
    if time.monotonic() - _purposes[0] > _PURPOSES_FOR_SECONDS or slug not in _purposes[1]:
        known = frozenset(Purpose.objects.values_list("slug", flat=True))
        _purposes = (time.monotonic(), known)
    return slug in _purposes[1]


# What a long job stores about somebody merged since it began came after that merge.
_INSERT = """
    INSERT INTO ingestion_consent (customer_id, channel, purpose, granted, at, received_at,
        expires_at, method, weight, text_id, source, proof, current)
    SELECT DISTINCT ON (n.customer_id, n.granted, n.weight, n.at, n.expires_at)
        n.customer_id, %(channel)s, %(purpose)s, n.granted, n.at, greatest(%(now)s, m.at),
        n.expires_at, n.method, n.weight, n.text_id, %(source)s, n.proof, false
    FROM unnest(%(ids)s::bigint[], %(granted)s::bool[], %(at)s::timestamptz[],
            %(expires)s::timestamptz[], %(method)s::text[], %(weight)s::int[],
            %(text)s::bigint[], %(proof)s::jsonb[])
        AS n (customer_id, granted, at, expires_at, method, weight, text_id, proof)
    LEFT JOIN (SELECT kept_id, max(at) AS at FROM ingestion_merge
               WHERE kept_id = ANY(%(known)s) AND undone_at IS NULL GROUP BY kept_id
        ) m ON m.kept_id = n.customer_id
    WHERE NOT EXISTS (
        SELECT 1 FROM ingestion_consent c
        WHERE c.customer_id = n.customer_id AND c.channel = %(channel)s
          AND c.purpose = %(purpose)s AND c.granted = n.granted AND c.weight = n.weight
          AND c.expires_at IS NOT DISTINCT FROM n.expires_at
          AND (c.at = n.at OR n.weight = 1))"""
# A light answer with the earlier end counts, so that nothing lasts longer than the least we know.
_COUNT = """
    WITH best AS (
        SELECT DISTINCT ON (customer_id) id, customer_id, granted, current
        FROM ingestion_consent
        WHERE customer_id = ANY(%(known)s) AND channel = %(channel)s AND purpose = %(purpose)s
        ORDER BY customer_id, weight DESC, at DESC, granted, expires_at NULLS LAST, id),
    retired AS (
        UPDATE ingestion_consent c SET current = false FROM best
        WHERE c.customer_id = best.customer_id AND c.channel = %(channel)s
          AND c.purpose = %(purpose)s AND c.current AND c.id <> best.id
        RETURNING c.customer_id, c.granted)
    SELECT best.id, best.customer_id, retired.granted IS DISTINCT FROM best.granted
    FROM best LEFT JOIN retired USING (customer_id) WHERE NOT best.current"""


def record(
    *,
    answers: Sequence[Answer],
    channel: str = "email",
    purpose: str = "marketing",
    source: str,
    now: datetime | None = None,
) -> set[int]:
    """Keep these answers; whose answer that counts became another.

    A moment that has not come yet is taken as now: nobody can agree in the future. Answers that
    were stored before are not stored again.
    """
    if channel not in CHANNELS or not is_purpose(purpose):
        raise Invalid(_("There is no such channel or purpose."), code="unknown_channel")
    if not answers:
        return set()
    now = now or timezone.now()
    with transaction.atomic():
        today = _hold({answer.customer_id for answer in answers})
        told = [
            _not_ahead(replace(answer, customer_id=today[answer.customer_id]), now)
            for answer in answers
            if answer.customer_id in today
        ]
        return _store(told, channel, purpose, source, now) if told else set()


def _hold(customer_ids: set[int]) -> dict[int, int]:
    """Whom these ids stand for, held: whoever answers for the same person, or merges it, waits."""
    today = profile.standing_for(customer_ids)
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT FROM ingestion_customer WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE",
                [sorted(set(today.values()))],
            )
        waited, today = today, profile.standing_for(customer_ids)
        if waited == today:
            return today


def _store(
    told: Sequence[Answer], channel: str, purpose: str, source: str, now: datetime
) -> set[int]:
    values: dict[str, Any] = {
        "channel": channel,
        "purpose": purpose,
        "source": source[:100],
        "now": now,
        "ids": [answer.customer_id for answer in told],
        "granted": [answer.granted for answer in told],
        "at": [answer.at for answer in told],
        "expires": [answer.expires_at for answer in told],
        "method": [answer.method[:20] for answer in told],
        "weight": [answer.weight for answer in told],
        "text": [answer.text_id for answer in told],
        "proof": [orjson.dumps(answer.proof, default=str).decode() for answer in told],
        "known": sorted({answer.customer_id for answer in told}),
    }
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, values)
        cursor.execute(_COUNT, values)
        counting = cursor.fetchall()
        if counting:
            cursor.execute(
                "UPDATE ingestion_consent SET current = true WHERE id = ANY(%s)",
                [[row[0] for row in counting]],
            )
    return {customer_id for _id, customer_id, differs in counting if differs}


def _not_ahead(answer: Answer, now: datetime) -> Answer:
    if answer.at <= now:
        return answer
    proof = {**answer.proof, "claimed_at": answer.at.isoformat()}
    return Answer(
        answer.customer_id,
        answer.granted,
        now,
        proof,
        answer.method,
        answer.dated,
        answer.expires_at,
        answer.text_id,
    )


def normalise(address: str) -> str:
    """An address as people and suppressions keep it."""
    return address.strip().lower()


def digest_of(text: str) -> bytes:
    """The keyed hash under which an erased name is remembered; PostgreSQL computes the same."""
    return hmac.new(settings.SUPPRESSION_KEY, text.encode(), hashlib.sha256).digest()


def suppress(
    *, addresses: Iterable[str], channel: str = "email", reason: str, now: datetime
) -> int:
    """Never send to these addresses again; how many were new. Addresses are normalised."""
    if reason not in REASONS:
        raise Invalid(_("There is no such reason."), code="unknown_reason")
    wanted = sorted({normalise(address) for address in addresses if address.strip()})
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ingestion_suppression (channel, address, reason, at)"
            " SELECT %s, a, %s, %s FROM unnest(%s::text[]) AS a ON CONFLICT DO NOTHING",
            [channel, reason, now, wanted],
        )
        return int(cursor.rowcount)


def veil(*, addresses: Iterable[str], channel: str, now: datetime) -> int:
    """Keep these addresses suppressed as keyed hashes alone; the plain ones go from the list."""
    wanted = sorted({normalise(address) for address in addresses if address.strip()})
    known = dict(
        Suppression.objects.filter(channel=channel, address__in=wanted).values_list(
            "address", "reason"
        )
    )
    SuppressedDigest.objects.bulk_create(
        [
            SuppressedDigest(
                channel=channel,
                digest=digest_of(address),
                reason=known.get(address, "erased"),
                at=now,
            )
            for address in wanted
        ],
        ignore_conflicts=True,
    )
    changes.note_addresses(channel=channel, addresses=wanted)
    return Suppression.objects.filter(channel=channel, address__in=wanted).delete()[0]


def lift(*, address: str, channel: str = "email", reasons: Sequence[str] = REASONS) -> bool:
    """Take an address off the list; whether it was on it for one of these reasons."""
    address = normalise(address)
    plain = Suppression.objects.filter(channel=channel, address=address, reason__in=reasons)
    veiled = SuppressedDigest.objects.filter(
        channel=channel, digest=digest_of(address), reason__in=reasons
    )
    lifted = plain.delete()[0] + veiled.delete()[0] > 0
    if lifted:
        changes.note_addresses(channel=channel, addresses=[address])
    return lifted


def known_as(address: str, people: Iterable[int] = ()) -> list[str]:
    """Under what an address, or these rows of one person, can stand on the list."""
    names = [f"person:{number}" for number in people]
    if not address:
        return names
    names += [address, hashlib.sha256(address.encode()).hexdigest()]
    _local, at, domain = address.partition("@")
    if at and (domain := domain.partition("@")[0]):
        labels = domain.split(".")
        ends = (labels[-n:] for n in range(2, min(len(labels), LABELS_MOST) + 1))
        names += [domain, *("*." + ".".join(end) for end in ends)]
    return names


def suppressed(addresses: Mapping[str, str], *, customer_id: int | None = None) -> dict[str, str]:
    """Channel → reason, of those of {channel: address} that nothing may be sent to. One query.

    With `customer_id` it also says so where the person is on the list, not the address.
    """
    people = () if customer_id is None else (customer_id,)
    plain, veiled = Q(pk__in=[]), Q(pk__in=[])
    for channel, address in addresses.items():
        wanted = normalise(address)
        plain |= Q(channel__in=(channel, EVERY), address__in=known_as(wanted, people))
        if people:
            former = Q(customer__merged_into__in=people) & Q(channel__in=(channel, EVERY))
            plain |= former
        if wanted:
            veiled |= Q(channel=channel, digest=digest_of(wanted))
    rows = Suppression.objects.filter(plain).values_list("channel", "reason")
    hashed = SuppressedDigest.objects.filter(veiled).values_list("channel", "reason")
    found = dict(rows.union(hashed, all=True))
    if (everywhere := found.pop(EVERY, None)) is not None:
        found = {channel: found.get(channel, everywhere) for channel in addresses}
    return found


def is_suppressed(*, address: str, channel: str = "email") -> bool:
    """Whether nothing may be sent to this address."""
    return bool(suppressed({channel: address}))


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

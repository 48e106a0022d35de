"""Addresses that nothing may be sent to, whoever they belong to."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.conf import settings
from django.db import connection
from django.db.models import (
    Q,
)
from django.utils.translation import gettext as _

from ingestion import changes
from ingestion.consent.words import (
    EVERY,
    LABELS_MOST,
    REASONS,
)
from ingestion.models import SuppressedDigest, Suppression
from marketing.core.errors import Invalid


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

"""The list of whom nothing is sent to: read from text and files, added to, searched, lifted.

What stands on it decides in `ingestion.consent`; here it is kept, with where it came from and why.
"""

import codecs
import contextlib
import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ingestion import consent
from ingestion.identity import merging
from ingestion.models import Customer, Suppression
from marketing.core import audit, hosts
from marketing.core.errors import Invalid, NotFound
from marketing.core.models import ApiKey, User

Kind = Suppression.Kind
Actor = User | ApiKey | None
REASONS: dict[str, Any] = {
    "unsubscribed": gettext_lazy("Unsubscribed"),
    "bounced": gettext_lazy("Mailbox does not exist"),
    "complained": gettext_lazy("Called our mail spam"),
    "manual": gettext_lazy("Stopped by hand"),
    "imported": gettext_lazy("Came with a list"),
    "erased": gettext_lazy("Erased on request"),
}
# What somebody may say when they add to the list.
GIVEN = ("manual", "unsubscribed", "complained", "bounced", "imported")
CHANNELS = (*consent.CHANNELS, consent.EVERY)
# The names of columns, those that say most first; "-" and "_" are read as spaces.
_MAIL_HEADS = (
    "email", "e mail", "email address", "e mail address", "emailaddress", "customer email", "mail",
    "e mail adresse", "mailadresse", "adresse e mail", "courriel", "correo", "correo electrónico",
    "邮箱", "电子邮箱", "邮箱地址", "电子邮件", "邮件地址",
)  # fmt: skip
_PHONE_HEADS = (
    "phone", "phone number", "mobile", "mobile number", "mobile phone", "telephone", "number",
    "telefon", "téléphone", "teléfono", "手机", "手机号", "手机号码", "电话", "电话号码",
)  # fmt: skip
_OTHER_HEADS = ("address", "value", "hash", "sha256", "domain", "域名")
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(\*\.)?({_LABEL}\.)+[a-z][a-z0-9-]{{0,61}}[a-z0-9]", re.ASCII)
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_AT_ONCE = 20_000


class Entry(NamedTuple):
    """One thing that nothing is sent to."""

    kind: str
    name: str
    customer_id: int | None = None


@dataclass
class Reading:
    """What was found in a text, each once, and the words that are none of it."""

    entries: list[Entry] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)


def entry_of(word: str, *, channel: str = "email") -> Entry | None:
    """What a word names: an address, a domain ("*." for all under it), a hash; None for neither."""
    name = word.strip().strip("<>\"'").lower()
    if not name or len(name) > 254 or "\0" in name:
        return None
    if channel == "sms":
        number = re.sub(r"[ ().\-/]", "", name)
        if re.fullmatch(r"\+?[0-9]{5,18}", number, re.ASCII):
            return Entry(Kind.ADDRESS, number)
        return Entry(Kind.HASH, name) if _HASH.fullmatch(name) else None
    if _HASH.fullmatch(name):
        return Entry(Kind.HASH, name)
    local, at, domain = name.rpartition("@")
    domain = _called(domain)
    if len(local) + len(domain) > 253:
        return None
    if at and local:
        return Entry(Kind.ADDRESS, f"{local}@{domain}") if domain and " " not in name else None
    few = domain[:2] != "*." or domain[2:].count(".") < consent.LABELS_MOST
    return Entry(Kind.DOMAIN, domain) if few and _DOMAIN.fullmatch(domain) else None


def _called(domain: str) -> str:
    """A domain in ASCII, as addresses are kept; itself where it has no such form."""
    under, host = ("*.", domain[2:]) if domain.startswith("*.") else ("", domain)
    with contextlib.suppress(UnicodeError):
        return under + hosts.to_ascii(host)
    return domain


def text_of(raw: bytes) -> str:
    """The text of a file as spreadsheets save it. No sign between addresses is lost in any case."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16", "replace")
    for encoding in ("utf-8-sig", "gb18030"):
        with contextlib.suppress(UnicodeDecodeError):
            return raw.decode(encoding)
    return raw.decode("cp1252", "replace")


def read(text: str, *, channel: str = "email") -> Reading:
    """Entries of pasted text or of a file: words, or a table, by its column of addresses if it has
    names. A line without any entry is strange; in other lines what is none is a remark.
    """
    found, seen = Reading(), set[Entry]()
    for words in _lines(text.replace("\ufeff", "").replace("\0", ""), channel):
        entries = [e for word in words if (e := entry_of(word, channel=channel)) is not None]
        if not entries:
            found.strange.append(" ".join(words)[:100])
        for entry in entries:
            if entry not in seen:
                seen.add(entry)
                found.entries.append(entry)
    return found


def _lines(text: str, channel: str) -> Iterator[list[str]]:
    """The words of each line: of the column of addresses where the first line names one."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return
    delimiter = max(",;\t", key=lines[0].count)
    between = re.compile(r"[;,]" if channel == "sms" else r"[;,\s]+")  # numbers may have gaps
    column = _column(_cells(lines[0], delimiter), channel)
    for line in lines if column is None else lines[1:]:
        cells = _cells(line, delimiter)
        named = cells if column is None else [cell for cell in cells[column : column + 1] if cell]
        if words := [word for cell in named or cells for word in between.split(cell) if word]:
            if not named:
                # Broken before the column its address is still meant; else it is told as it is.
                meant = [word for word in words if "@" in word and len(cells) <= (column or 0)]
                words = meant or [" ".join(words)]
            yield words


def _column(names: list[str], channel: str) -> int | None:
    """Which column holds what the channel sends to."""
    plain = [re.sub(r"[\s_-]+", " ", name.lower()).strip() for name in names]
    first: tuple[str, ...] = _MAIL_HEADS
    second: tuple[str, ...] = _PHONE_HEADS
    if channel == "sms":
        first, second = second, first
    found = [plain.index(head) for head in (*first, *_OTHER_HEADS, *second) if head in plain]
    return found[0] if found else None


def _cells(line: str, delimiter: str) -> list[str]:
    """Each line by itself, so that a quote without its fellow swallows none that follow."""
    if '"' not in line:
        return [cell.strip() for cell in line.split(delimiter)]
    try:
        return [cell.strip() for row in csv.reader([line], delimiter=delimiter) for cell in row]
    except csv.Error:
        return [line.strip()]


_ADD = """
    INSERT INTO ingestion_suppression
        (channel, address, kind, customer_id, reason, source, note, added_by_id, at)
    SELECT %s, n.name, n.kind, n.person, %s, %s, %s, %s, %s
    FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS n (kind, name, person)
    ON CONFLICT DO NOTHING"""


def add(
    *,
    entries: Iterable[Entry],
    channel: str = "email",
    reason: str = "manual",
    source: str,
    note: str = "",
    actor: Actor,
    now: datetime,
) -> int:
    """Never send to these again; how many were new. What stands there keeps its reason."""
    if channel not in CHANNELS:
        raise Invalid(
            _("There is no such channel. Nothing was added."), code="bad_channel", field="channel"
        )
    if reason not in GIVEN:
        raise Invalid(
            _("There is no such reason. Nothing was added."), code="bad_reason", field="reason"
        )
    wanted = sorted(set(entries), key=lambda entry: (entry.kind, entry.name))
    user = actor.pk if isinstance(actor, User) else None
    new = 0
    with transaction.atomic(), connection.cursor() as cursor:
        for first in range(0, len(wanted), _AT_ONCE):
            part = wanted[first : first + _AT_ONCE]
            columns: list[Any] = [
                [entry.kind for entry in part],
                [entry.name for entry in part],
                [entry.customer_id for entry in part],
            ]
            said = [channel, reason, source[:100], note.replace("\0", "")[:300], user, now]
            cursor.execute(_ADD, [*said, *columns])
            new += cursor.rowcount
        kinds = {kind: sum(entry.kind == kind for entry in wanted) for kind in Kind.values}
        detail = {"channel": channel, "reason": reason, "new": new, "source": source[:100]}
        audit.record(
            actor=actor,
            action="suppression.added",
            detail={**detail, "addresses": len(wanted), **{k: n for k, n in kinds.items() if n}},
        )
    return new


def add_person(
    *,
    customer_id: int,
    channel: str = consent.EVERY,
    reason: str = "manual",
    note: str = "",
    actor: Actor,
    now: datetime,
) -> bool:
    """Write to this person no more, whatever addresses they have or come to have."""
    person = merging.current(customer_id)
    if not Customer.objects.filter(pk=person).exists():
        raise NotFound(_("There is no such person."), code="customer_unknown")
    entry = Entry(Kind.PERSON, f"person:{person}", person)
    new = add(
        entries=[entry], channel=channel, reason=reason, source=_("The person's page"), note=note,
        actor=actor, now=now,
    )  # fmt: skip
    return new > 0


def lift(*, suppression_id: int, why: str = "", actor: Actor) -> Suppression:
    """Take one row off the list, and keep who did so and why."""
    with transaction.atomic():
        row = Suppression.objects.select_for_update().filter(pk=suppression_id).first()
        if row is None:
            raise NotFound(
                _("This is not on the list; nothing was changed."), code="not_suppressed"
            )
        detail = {"channel": row.channel, "kind": row.kind, "why": why.strip()[:300]}
        hidden = {"hash": consent.digest_of(row.address).hex()[:16]}
        shown = {"name": row.address}
        wide = row.kind in (Kind.DOMAIN, Kind.PERSON)
        audit.record(
            actor=actor,
            action="suppression.lifted",
            detail={**detail, **(shown if wide else hidden)},
        )
        row.delete()
    return row


def found(
    *, text: str = "", reason: str = "", channel: str = "", kind: str = ""
) -> QuerySet[Suppression]:
    """Rows that begin like the text; of a whole address also what else stops it. Newest first."""
    rows = Suppression.objects.select_related("customer", "added_by").order_by("-id")
    name = consent.normalise(text.replace("\0", ""))[:254]
    local, at, domain = name.rpartition("@")
    if name := f"{local}{at}{_called(domain)}":
        rows = rows.filter(Q(address__startswith=name) | Q(address__in=_stands_for(name)))
    if reason in REASONS:
        rows = rows.filter(reason=reason)
    if channel in CHANNELS:
        rows = rows.filter(channel=channel)
    if kind in Kind.values:
        rows = rows.filter(kind=kind)
    return rows


def _stands_for(name: str) -> Sequence[str]:
    people: Iterable[int] = ()
    if "@" in name.strip("@"):
        people = Customer.every.filter(email=name).values_list("pk", flat=True)[:1]
    return consent.known_as(name.removeprefix("@"), people)

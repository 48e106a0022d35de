"""Domains that mails come from: keys, the records to publish, and what the DNS says of them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from campaigns.channels import lookups, rotation, spf
from campaigns.messaging import dkim, providers
from campaigns.models import Channel, Domain
from marketing.core import audit, hosts
from marketing.core.errors import Conflict, Invalid, NotFound
from marketing.core.models import User

GOOD, MISSING, WRONG, UNKNOWN = "good", "missing", "wrong", "unknown"
CHECK_EVERY = timedelta(hours=12)
LABELS: dict[str, Any] = {
    dkim.RSA: gettext_lazy("DKIM (RSA)"),
    dkim.ED25519: gettext_lazy("DKIM (Ed25519)"),
    f"{dkim.RSA}.next": gettext_lazy("New DKIM key (RSA)"),
    f"{dkim.ED25519}.next": gettext_lazy("New DKIM key (Ed25519)"),
}
_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")


@dataclass(frozen=True)
class Record:
    """One entry of the DNS: what to publish, and how it stands. `optional`: good to have."""

    key: str
    label: str
    host: str
    value: str
    state: str = ""
    found: str = ""
    message: str = ""
    optional: bool = False


def host_of(address: str) -> str:
    """The domain of a sender, as domains are kept: small and in ASCII; empty for none."""
    host = address.rpartition("@")[2].lower().rstrip(".")
    try:
        return hosts.to_ascii(host)
    except UnicodeError:
        return ""


def add(*, name: str, user: User | None, now: datetime) -> Domain:
    """A domain with new keys. Nothing is signed before their public halves are published."""
    name = name.strip().lower().rstrip(".").rpartition("@")[2]
    try:
        name = hosts.to_ascii(name)
    except UnicodeError:
        name = ""
    if not _NAME.fullmatch(name) or len(name) > 253:
        raise Invalid(
            _("This is not a domain, such as shop.example.com."), code="bad_domain", field="name"
        )
    domain = Domain(name=name, created_at=now)
    domain.keys = {
        algorithm: rotation.pair(domain, algorithm, rotation.selector(algorithm, now))
        for algorithm in dkim.ALGORITHMS
    }
    try:
        with transaction.atomic():
            domain.save()
            audit.record(actor=user, action="domain.added", obj=domain)
    except IntegrityError:
        raise Conflict(
            _("%(name)s is here already.") % {"name": hosts.both(name)},
            code="name_taken",
            field="name",
        ) from None
    return domain


def remove(*, domain_id: int, user: User | None) -> None:
    """Forget a domain and its keys. Mails from it go out unsigned."""
    with transaction.atomic():
        domain = Domain.objects.select_for_update().filter(pk=domain_id).first()
        if domain is None:
            raise NotFound(_("There is no such domain."), code="domain_unknown")
        audit.record(actor=user, action="domain.removed", obj=domain)
        domain.delete()


def _senders(domain: Domain) -> list[tuple[str, str]]:
    """(term for SPF, host to check) of the channels that send for this domain."""
    found = []
    for channel in Channel.objects.filter(kind="email", enabled=True):
        place = host_of(channel.from_address)
        if place and place != domain.name and not place.endswith(f".{domain.name}"):
            continue
        term = providers.load(channel.provider).includes(channel.settings)
        if term:
            found.append((term, channel.settings.get("host", "")))
    return found


def records(domain: Domain) -> list[Record]:
    """What to publish, each with what was found when it was last looked up."""
    terms = [term for term, _host in _senders(domain)]
    known = domain.findings
    now_there = known.get("spf", {}).get("found", "")
    wanted = now_there if now_there.lower().startswith("v=spf1") else ""
    for term in terms or ["mx"]:
        wanted = spf.mended(wanted, term)
    made = [
        Record(
            name,
            str(LABELS[name]),
            f"{key['selector']}._domainkey.{domain.name}",
            dkim.record(algorithm=algorithm, public=key["public"]),
            optional=name != dkim.RSA,
        )
        for name, algorithm, key in _keys(domain)
    ]
    made.append(Record("spf", "SPF", domain.name, wanted))
    made.append(
        Record(
            "dmarc",
            "DMARC",
            f"_dmarc.{domain.name}",
            f"v=DMARC1; p=none; rua=mailto:dmarc@{domain.name}",
        )
    )
    return [
        Record(
            one.key, one.label, one.host,
            found["found"] if one.key == "dmarc" and found.get("state") == GOOD else one.value,
            found.get("state", ""), found.get("found", ""), _told(found), one.optional,
        )
        for one in made
        for found in [known.get(one.key, {})]
    ]  # fmt: skip


def state_of(domain: Domain) -> str:
    """good when mails are signed and every needed record stands; else the worst of them."""
    states = [r.state or UNKNOWN for r in records(domain) if not r.optional]
    for worst in (WRONG, MISSING, UNKNOWN):
        if worst in states:
            return worst
    return GOOD


def _finding(state: str, found: str = "", message: Any = "", **params: Any) -> dict[str, Any]:
    """What is kept: the message in English, so that each reader gets it in their own language."""
    said = {name: str(value) for name, value in params.items()}
    return {"state": state, "found": found[:2_000], "message": str(message), "params": said}


def _told(finding: dict[str, Any]) -> str:
    message, params = finding.get("message", ""), finding.get("params")
    if not message:
        return ""
    return _(message) % params if params else _(message)


def check(*, domain_id: int, now: datetime) -> Domain:
    """Ask the DNS about every record, and sign from now on with each key that is published.

    No answer changes nothing about signing: only a record that is gone or another one does.
    """
    domain = Domain.objects.filter(pk=domain_id).first()
    if domain is None:
        raise NotFound(_("There is no such domain."), code="domain_unknown")
    findings = {name: _dkim(domain, key) for name, _algorithm, key in _keys(domain)}
    findings["spf"] = _spf(domain)
    findings["dmarc"] = _dmarc(domain.name)
    with transaction.atomic():
        domain = Domain.objects.select_for_update().get(pk=domain_id)
        for name, _algorithm, key in _keys(domain):
            # Somebody may have made new keys, or dropped them, while the DNS was asked.
            if (state := findings.get(name, {}).get("state", UNKNOWN)) != UNKNOWN:
                key["published"] = state == GOOD
        rotation.forget_old(domain, now.date())
        signs = any(key["published"] for key in domain.keys.values())
        domain.signs_since = (domain.signs_since or now) if signs else None
        domain.findings, domain.checked_at = findings, now
        domain.save()
    return domain


def check_due(*, now: datetime) -> int:
    """Look again at domains that were not looked at for half a day; how many."""
    due = Domain.objects.exclude(checked_at__gt=now - CHECK_EVERY).values_list("pk", flat=True)
    for domain_id in list(due)[:50]:
        check(domain_id=domain_id, now=now)
    return len(due)


def _tags(record: str) -> dict[str, str]:
    pairs = (piece.partition("=") for piece in record.split(";"))
    return {name.strip().lower(): value.strip() for name, equals, value in pairs if equals}


def _keys(domain: Domain) -> list[tuple[str, str, dict[str, Any]]]:
    """(name of the finding, algorithm, key) of the keys that sign, and of those made for later."""
    return [
        *((algorithm, algorithm, key) for algorithm, key in domain.keys.items()),
        *((f"{a}.next", a, key["next"]) for a, key in domain.keys.items() if key.get("next")),
    ]


def _dkim(domain: Domain, key: dict[str, Any]) -> dict[str, Any]:
    is_next = key not in domain.keys.values()
    try:
        found = lookups.texts(f"{key['selector']}._domainkey.{domain.name}")
    except lookups.Unanswered as error:
        return _finding(UNKNOWN, message=error)
    for text in found:
        if "".join(_tags(text).get("p", "").split()) == key["public"]:
            if is_next:
                return _finding(
                    GOOD, text, gettext_noop("It is published: mails can be signed with it now.")
                )
            return _finding(GOOD, text, gettext_noop("Mails are signed with this key."))
    if found:
        return _finding(
            WRONG, found[0], gettext_noop("Another key stands there. Replace it by this one.")
        )
    return _finding(MISSING, message=gettext_noop("Nothing is published under this name yet."))


def _spf(domain: Domain) -> dict[str, Any]:
    look = spf.Look(lookups.texts, lookups.addresses, lookups.exchangers)
    try:
        record = spf.record_of(domain.name, look)
        if not record:
            return _finding(
                MISSING, message=gettext_noop("The domain does not say who may send for it.")
            )
        return _spf_of(domain, record)
    except spf.Broken as broken:
        return _finding(
            WRONG, message=gettext_noop("Receivers cannot use the record: %(why)s."), why=broken
        )
    except lookups.Unanswered as error:
        return _finding(UNKNOWN, message=error)


def _spf_of(domain: Domain, record: str) -> dict[str, Any]:
    left_out = []
    for term, host in _senders(domain):
        if term.startswith("include:"):
            if term not in record.split():
                left_out.append(term)
            continue
        for address in lookups.addresses(host):
            look = spf.Look(lookups.texts, lookups.addresses, lookups.exchangers)
            if spf.judge(domain=domain.name, address=address, look=look) != "pass":
                left_out.append(f"{host} ({address})")
    if left_out:
        return _finding(
            WRONG,
            record,
            gettext_noop("The record does not allow %(who)s, from which you send."),
            who=", ".join(left_out[:3]),
        )
    look = spf.Look(lookups.texts, lookups.addresses, lookups.exchangers)
    spf.judge(domain=domain.name, address="192.0.2.1", look=look)  # walks the whole record
    return _finding(GOOD, record, gettext_noop("The record allows the servers you send from."))


def _dmarc(name: str) -> dict[str, Any]:
    try:
        for place in _above(name):
            found = [t for t in lookups.texts(f"_dmarc.{place}") if t[:8].upper() == "V=DMARC1"]
            if len(found) > 1:
                return _finding(WRONG, found[0], gettext_noop("There are two records; keep one."))
            if found:
                policy = _tags(found[0]).get("p", "").lower()
                if policy not in ("none", "quarantine", "reject"):
                    return _finding(
                        WRONG,
                        found[0],
                        gettext_noop("The record names no policy: p=none is the first step."),
                    )
                return _finding(GOOD, found[0], gettext_noop("Policy: %(policy)s."), policy=policy)
    except lookups.Unanswered as error:
        return _finding(UNKNOWN, message=error)
    return _finding(
        MISSING,
        message=gettext_noop("Gmail and Yahoo refuse bulk mail from domains without this record."),
    )


def _above(name: str) -> Sequence[str]:
    """The domain itself, then those above it, where a record for all of them may stand."""
    labels = name.split(".")
    return [".".join(labels[n:]) for n in range(max(len(labels) - 1, 1))]

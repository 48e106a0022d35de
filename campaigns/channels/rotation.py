"""New keys for a domain: made beside the old ones, published, seen in the DNS, then switched to.

A mail is verified when it arrives, and again when somebody forwards it, so the record of the old
key has to stay for some days after the last mail signed with it. Its private half ends at once.
"""

from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns.messaging import dkim, signing
from campaigns.models import Domain
from marketing.core import audit, vault
from marketing.core.errors import Conflict, NotFound
from marketing.core.models import User

KEEP = timedelta(days=7)


def pair(domain: Domain, algorithm: str, selector: str) -> dict[str, Any]:
    """A new pair of keys under a selector, not published yet."""
    private, public = dkim.make(algorithm)
    return {
        "selector": selector,
        "public": public,
        "private": vault.seal(text=private, row=signing.row_of(domain, algorithm)),
        "published": False,
    }


def selector(algorithm: str, now: datetime, taken: frozenset[str] = frozenset()) -> str:
    """The month and the kind of key; numbered where the month has had one already."""
    plain = f"p{now:%y%m}{'r' if algorithm == dkim.RSA else 'e'}"
    names = (plain, *(f"{plain}{n}" for n in range(2, 100)))
    return next(name for name in names if name not in taken)


def _locked(domain_id: int) -> Domain:
    domain = Domain.objects.select_for_update().filter(pk=domain_id).first()
    if domain is None:
        raise NotFound(_("There is no such domain."), code="domain_unknown")
    return domain


def _taken(key: dict[str, Any]) -> frozenset[str]:
    return frozenset([key["selector"], *(old["selector"] for old in key.get("retired", []))])


def is_begun(domain: Domain) -> bool:
    """Whether new keys wait to be published or switched to."""
    return any(key.get("next") for key in domain.keys.values())


def is_ready(domain: Domain) -> bool:
    """Whether the new key that every mailbox reads was seen in the DNS."""
    return bool((domain.keys[dkim.RSA].get("next") or {}).get("published"))


def begin(*, domain_id: int, user: User | None, now: datetime) -> Domain:
    """Make new keys beside those that sign; nothing else changes."""
    with transaction.atomic():
        domain = _locked(domain_id)
        if is_begun(domain):
            raise Conflict(
                _("New keys were made already. Publish their records, or drop them."),
                code="rotation_begun",
            )
        for algorithm, key in domain.keys.items():
            key["next"] = pair(domain, algorithm, selector(algorithm, now, _taken(key)))
        domain.save(update_fields=["keys"])
        audit.record(actor=user, action="domain.keys_made", obj=domain)
    return domain


def drop(*, domain_id: int, user: User | None) -> Domain:
    """Forget new keys that nobody switched to."""
    with transaction.atomic():
        domain = _locked(domain_id)
        for key in domain.keys.values():
            key.pop("next", None)
        domain.save(update_fields=["keys"])
        audit.record(actor=user, action="domain.keys_dropped", obj=domain)
    return domain


def switch(*, domain_id: int, user: User | None, now: datetime) -> Domain:
    """Sign with the new keys from now on. Refused while the DNS does not show them."""
    with transaction.atomic():
        domain = _locked(domain_id)
        if not is_ready(domain):
            raise Conflict(
                _("The new key was not seen in the DNS yet, so mails signed with it would fail."),
                code="not_published",
                remedy=_("Publish its record and check again. Nothing was changed."),
            )
        until = (now + KEEP).date()
        for algorithm, key in domain.keys.items():
            new = key.get("next")
            if not new or not new["published"]:
                continue  # the newer kind is good to have: its old key goes on
            old = {"selector": key["selector"], "until": until.isoformat()}
            retired = [*key.get("retired", []), old]
            domain.keys[algorithm] = {**new, "retired": retired}
            domain.findings[algorithm] = domain.findings.pop(f"{algorithm}.next", {})
        domain.signs_since = domain.signs_since or now
        domain.save(update_fields=["keys", "findings", "signs_since"])
        audit.record(actor=user, action="domain.keys_switched", obj=domain)
    return domain


def retired(domain: Domain) -> list[tuple[str, date]]:
    """Names of records of former keys, each with the day until which it has to stay."""
    return [
        (f"{old['selector']}._domainkey.{domain.name}", date.fromisoformat(old["until"]))
        for key in domain.keys.values()
        for old in key.get("retired", [])
    ]


def forget_old(domain: Domain, today: date) -> None:
    """Leave out former keys whose day is over by a month; the caller saves."""
    for key in domain.keys.values():
        if "retired" in key:
            key["retired"] = [
                old
                for old in key["retired"]
                if date.fromisoformat(old["until"]) + timedelta(days=30) > today
            ]

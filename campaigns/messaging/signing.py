"""Which keys sign the mails of a sender: those whose public half was seen in the DNS."""

from campaigns.messaging import dkim
from campaigns.models import Domain
from marketing.core import hosts, vault


def row_of(domain: Domain, algorithm: str) -> str:
    """The place to which a private key is bound."""
    return f"domain:{domain.name}:{algorithm}"


def of(from_email: str) -> dkim.Signer | None:
    """The signer of a sender's domain; None while nothing is published for it.

    A subdomain without keys of its own is signed by the domain above it, which DMARC accepts.
    """
    host = from_email.rpartition("@")[2].lower().rstrip(".")
    try:
        name = hosts.to_ascii(host)
    except UnicodeError:
        return None
    above = name.split(".")
    names = [".".join(above[n:]) for n in range(max(len(above) - 1, 1))]
    found = {d.name: d for d in Domain.objects.filter(name__in=names, signs_since__isnull=False)}
    for candidate in names:
        if candidate in found:
            return _signer(found[candidate])
    return None


def _signer(domain: Domain) -> dkim.Signer | None:
    keys = [
        dkim.Key(
            algorithm,
            key["selector"],
            vault.unseal(sealed=key["private"], row=row_of(domain, algorithm)),
        )
        for algorithm, key in domain.keys.items()
        if key.get("published")
    ]
    return dkim.Signer(domain=domain.name, keys=keys) if keys else None

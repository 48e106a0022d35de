"""Questions to the DNS, with an answer, a plain no, or nothing known."""

from functools import lru_cache

import dns.exception
import dns.resolver
from django.conf import settings


class Unanswered(Exception):
    """No name server gave an answer: this says nothing about the record."""


@lru_cache(maxsize=4)
def _resolver(servers: tuple[str, ...]) -> dns.resolver.Resolver:
    """One that asks the servers of the settings, or those of this machine."""
    found = dns.resolver.Resolver(configure=not servers)
    if servers:
        places = [server.rpartition(":") for server in servers]
        found.nameservers = [
            dns.nameserver.Do53Nameserver(host.strip("[]"), int(port)) for host, _c, port in places
        ]
    found.timeout, found.lifetime = 2.0, 5.0
    found.cache = None
    return found


def _ask(name: str, kind: str) -> list[str]:
    try:
        answer = _resolver(tuple(settings.DNS_SERVERS)).resolve(name, kind, search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except (dns.exception.DNSException, OSError, UnicodeError) as error:
        raise Unanswered(f"{name}: {error}"[:300]) from None
    if kind == "TXT":
        return [b"".join(row.strings).decode("utf-8", "replace") for row in answer]
    if kind == "MX":
        return [str(row.exchange).rstrip(".") for row in answer]
    return [str(row) for row in answer]


def texts(name: str) -> list[str]:
    """The TXT records of a name."""
    return _ask(name, "TXT")


def addresses(name: str) -> list[str]:
    """The IPv4 and IPv6 addresses of a name."""
    return _ask(name, "A") + _ask(name, "AAAA")


def exchangers(name: str) -> list[str]:
    """The mail servers of a name."""
    return _ask(name, "MX")

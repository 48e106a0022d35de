"""Whether a domain lets these servers send for it (RFC 7208), as a receiver would work it out."""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field

# A receiver gives up after so many questions, and the record then protects and allows nobody.
QUESTIONS = 10
_RESULTS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}


class Broken(Exception):
    """A record that receivers cannot use; the text says why."""


@dataclass
class Look:
    """The three questions to the DNS that a record may ask, counted."""

    texts: Callable[[str], list[str]]
    addresses: Callable[[str], list[str]]
    exchangers: Callable[[str], list[str]]
    asked: int = 0
    names: list[str] = field(default_factory=list)

    def count(self) -> None:
        self.asked += 1
        if self.asked > QUESTIONS:
            raise Broken("it takes more than 10 look-ups")


def record_of(domain: str, look: Look) -> str:
    """The SPF record of a domain, "" without one. Broken when there are two."""
    found = [t for t in look.texts(domain) if t.lower() == "v=spf1" or t[:7].lower() == "v=spf1 "]
    if len(found) > 1:
        raise Broken("there are two records")
    return found[0] if found else ""


def judge(*, domain: str, address: str, look: Look) -> str:
    """pass, fail, softfail, neutral or none for one server. Broken for a record nobody can use."""
    record = record_of(domain, look)
    if not record:
        return "none"
    return _judge(domain, record, ipaddress.ip_address(address), look)


def _judge(
    domain: str,
    record: str,
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
    look: Look,
) -> str:
    redirect = ""
    for term in record.split()[1:]:
        if "=" in term.partition(":")[0]:
            name, _equals, value = term.partition("=")
            redirect = value if name.lower() == "redirect" else redirect
            continue
        sign = term[0] if term[0] in _RESULTS else "+"
        if _matches(domain, term.lstrip("+-~?"), address, look):
            return _RESULTS[sign]
    if redirect:
        look.count()
        there = record_of(redirect, look)
        if not there:
            raise Broken(f"{redirect} has no record")
        return _judge(redirect, there, address, look)
    return "neutral"


def _matches(
    domain: str,
    term: str,
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
    look: Look,
) -> bool:
    name, _colon, rest = term.partition(":")
    if not _colon:
        name, _slash, bits = term.partition("/")
        rest = f"{domain}/{bits}" if bits else domain
    name = name.lower()
    if "%" in rest:
        return False  # a macro: it depends on the mail, so nothing is known from here
    if name == "all":
        return True
    if name in ("ip4", "ip6"):
        try:
            return address in ipaddress.ip_network(rest, strict=False)
        except ValueError:
            raise Broken(f"{term} names no address") from None
    if name == "include":
        look.count()
        there = record_of(rest, look)
        if not there:
            raise Broken(f"{rest}, which it includes, has no record")
        return _judge(rest, there, address, look) == "pass"
    if name in ("a", "mx"):
        look.count()
        host, _slash, bits = rest.partition("/")
        hosts = look.exchangers(host)[:10] if name == "mx" else [host]
        found = [each for one in hosts for each in look.addresses(one)]
        return any(_is_in(address, each, bits) for each in found)
    if name == "exists":
        look.count()
        return bool(look.addresses(rest))
    if name == "ptr":
        look.count()
        return False
    raise Broken(f"{term} is not known")


def _is_in(address: ipaddress.IPv4Address | ipaddress.IPv6Address, place: str, bits: str) -> bool:
    four, _slash, six = bits.partition("//")
    size = six if ":" in place else four
    try:
        network = ipaddress.ip_network(f"{place}/{size}" if size else place, strict=False)
    except ValueError:
        raise Broken(f"/{bits} is not the size of a network") from None
    return address in network


def mended(record: str, term: str) -> str:
    """The record with one more term before its end; a new one when there is none."""
    if not record:
        return f"v=spf1 {term} ~all".replace("  ", " ")
    if not term or term in record.split():
        return record
    words = record.split()
    at = next(
        (n for n, word in enumerate(words) if word.lstrip("+-~?") == "all"
         or word.startswith("redirect=")),
        len(words),
    )  # fmt: skip
    return " ".join([*words[:at], term, *words[at:]])

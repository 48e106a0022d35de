"""Which addresses may be called: every address of a host is checked, and the checked one is used.

Public addresses on the usual ports are allowed. What OUTBOUND_ALLOW names (host, host:port,
address, network) is allowed besides, on any port that the entry does not narrow.
"""

import ipaddress
import re
import socket
import threading
import time
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address

from django.conf import settings
from django.utils.translation import gettext as _

from marketing.core import hosts
from marketing.core.errors import Refused

Address = IPv4Address | IPv6Address
# Public by number, yet answered by the machine's own host.
_SPECIAL = {ipaddress.ip_address("168.63.129.16")}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NUMBERISH = re.compile(r"(0[xX][0-9a-fA-F]*|[0-9]+)")
_LOOKUP_SECONDS = 5.0


class Blocked(Refused):
    """An address that may not be called from here."""


def normal_host(host: str) -> str:
    """A host as it is compared and looked up. Blocked for notations that hide an address."""
    plain = host.strip("[]").rstrip(".").lower()
    try:
        return str(ipaddress.ip_address(plain))
    except ValueError:
        pass
    if plain.isascii() and "%" not in plain and plain:
        if not _NUMBERISH.fullmatch(plain.rsplit(".", 1)[-1]):
            return plain
    elif plain and "%" not in plain:
        try:
            return normal_host(hosts.to_ascii(plain))
        except UnicodeError:
            pass
    raise Blocked(
        _("“%(host)s” is not a host that can be called.") % {"host": host[:100]},
        code="bad_host",
        field="host",
        remedy=_("Enter its name, or its address in the usual notation."),
    )


def _inner(address: Address) -> list[Address]:
    """The address itself and those that a tunnel notation carries inside it."""
    found: list[Address] = [address]
    if isinstance(address, IPv6Address):
        found += [a for a in (address.ipv4_mapped, address.sixtofour) if a]
        found += list(address.teredo or ())
        if address in _NAT64 or int(address) >> 32 == 0:
            found.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return found


def is_public(address: Address) -> bool:
    """Whether this is somebody's address on the internet, and not one of this network or host."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return is_public(address.ipv4_mapped)
    return all(
        a.is_global
        and not (a.is_multicast or a.is_reserved or a.is_unspecified or a.is_loopback)
        and a not in _SPECIAL
        for a in _inner(address)
    )


def _entry(text: str) -> tuple[str, int | None]:
    """An entry of the allow-list as (host or network, port or None for any)."""
    text = text.strip().lower()
    if match := re.fullmatch(r"\[([0-9a-f:.]+)\](?::(\d+))?|([^:]+):(\d+)", text):
        return match[1] or match[3], int(match[2] or match[4] or 0) or None
    return text, None


def _is_named(what: str, host: str) -> bool:
    """Whether an entry, in letters of any script, is this host."""
    try:
        return hosts.to_ascii(what.rstrip(".")) == host
    except UnicodeError:
        return False


def is_allowed(*, host: str, address: Address, port: int) -> bool:
    """Whether OUTBOUND_ALLOW names this host or address for this port."""
    for what, only in map(_entry, settings.OUTBOUND_ALLOW):
        if only is not None and only != port:
            continue
        if _is_named(what, host):
            return True
        try:
            network = ipaddress.ip_network(what, strict=False)
        except ValueError:
            continue
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        if address in network or (mapped is not None and mapped in network):
            return True
    return False


def _look_up(host: str, port: int, deadline: float) -> list[Address]:
    """Every address of a host. The system's resolver knows no time limit, so a thread waits."""
    found: list[Address] = []
    problem: list[OSError] = []

    def ask() -> None:
        try:
            for *_rest, place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
                address = ipaddress.ip_address(str(place[0]).split("%")[0])
                if address not in found:
                    found.append(address)
        except (OSError, UnicodeError) as error:
            problem.append(OSError(str(error)))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(max(min(_LOOKUP_SECONDS, deadline - time.monotonic()), 0.01))
    if thread.is_alive():
        raise TimeoutError(f"looking up {host} took too long")
    if problem:
        raise problem[0]
    return found


def permit(*, host: str, address: Address, port: int, ports: Collection[int] | None = None) -> None:
    """Blocked if this address of a host, or the port, may not be called."""
    if is_allowed(host=host, address=address, port=port):
        return
    if not is_public(address):
        raise Blocked(
            _("%(host)s is an address of this machine or network, which is not called.")
            % {"host": host[:100]},
            code="address_refused",
            field="host",
            remedy=_("If it is meant, name it in OUTBOUND_ALLOW on the server."),
        )
    if port not in (settings.OUTBOUND_PORTS if ports is None else ports):
        raise Blocked(
            _("Port %(port)d of %(host)s is not called.") % {"port": port, "host": host[:100]},
            code="port_refused",
            field="port",
            remedy=_("If it is meant, name it in OUTBOUND_ALLOW or OUTBOUND_PORTS."),
        )


def resolve(
    *, host: str, port: int, ports: Collection[int] | None = None, deadline: float | None = None
) -> list[Address]:
    """The checked addresses of a host. Blocked if any of them, or the port, may not be called.

    `ports` are those allowed for public addresses, OUTBOUND_PORTS if not given.
    Raises OSError when the host is not known.
    """
    name = normal_host(host)
    addresses = _look_up(name, port, deadline or time.monotonic() + _LOOKUP_SECONDS)
    for address in addresses:
        permit(host=name, address=address, port=port, ports=ports)
    return addresses


def connect(
    *,
    host: str,
    port: int,
    timeout: float,
    deadline: float | None = None,
    ports: Collection[int] | None = None,
) -> socket.socket:
    """A connection to the first checked address that answers. OSError when none does."""
    problem: OSError = OSError(f"{host} has no address")
    for address in resolve(host=host, port=port, ports=ports, deadline=deadline):
        left = timeout if deadline is None else min(timeout, deadline - time.monotonic())
        if left <= 0:
            raise TimeoutError(f"connecting to {host} took too long")
        try:
            sock = socket.create_connection((str(address), port), timeout=left)
        except OSError as error:
            problem = error
            continue
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock
    raise problem

"""Names of hosts in letters of any script: the form that is called, and the forms that are shown.

What is looked up, compared, signed and mailed to is the ASCII form of IDNA 2008 (RFC 5891), after
the mapping of capitals and wide letters of UTS 46, without its transitional part: “straße” is not
“strasse”, which belongs to somebody else. Pure.
"""

import contextlib
from urllib.parse import quote, urlsplit

import idna

# Of an address that is written already: nothing that is ASCII changes.
_ASCII = "".join(map(chr, range(33, 127)))


def to_ascii(host: str) -> str:
    """A host as it is called. UnicodeError for one that no registry could give to anybody."""
    return host if host.isascii() else idna.encode(host, uts46=True).decode("ascii")


def mail_to_ascii(address: str) -> str:
    """A mail address with the host in ASCII; what is before the @ stays. UnicodeError as above."""
    local, at, host = address.rpartition("@")
    return f"{local}{at}{to_ascii(host)}"


def both(name: str) -> str:
    """A host as people read it, and behind it as it is called where that differs.

    Letters of two scripts may look the same; their ASCII forms do not. It may stand in a mail
    address, or with “*.” before it for all under it.
    """
    local, at, host = name.rpartition("@")
    under, host = ("*.", host[2:]) if host.startswith("*.") else ("", host)
    try:
        called = to_ascii(host)
        read = idna.decode(called) if "xn--" in called.lower() else called
    except UnicodeError:
        return name
    return f"{local}{at}{under}{read}" + ("" if read == called else f" ({under}{called})")


def address_to_ascii(url: str) -> str:
    """A web address as it goes into a header: its host by IDNA, the rest as percent and UTF-8.

    A host that has no such form is left to the browser, as percent and UTF-8 too.
    """
    if url.isascii():
        return url
    written = urlsplit(url).netloc
    host, colon, port = written.rpartition(":")
    if not (colon and port.isdigit()):
        host, colon, port = written, "", ""
    with contextlib.suppress(UnicodeError):
        url = url.replace(written, f"{to_ascii(host)}{colon}{port}", 1)
    return quote(url, safe=_ASCII)

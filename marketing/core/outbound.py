"""The one client for whatever this platform calls: checked addresses, no detours, bounded answers.

A host is looked up once, every address it has is checked, and the connection goes to one of those
checked addresses, so a name that answers differently a moment later leads nowhere. Certificates are
checked against the name. Only public addresses are called; OUTBOUND_ALLOW names the exceptions.
Redirects are followed within one origin alone, so credentials never reach another one. No proxy,
cookie or netrc of the environment is used.

Whoever calls one place again and again keeps the connection (`Kept`). It stays with the address
that was checked when it was made, which is checked before every call, and is made anew after a
minute, so that a name which moves is followed.
"""

import contextlib
import socket
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import orjson
import urllib3
from django.utils.translation import gettext as _
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import Url, parse_url
from urllib3.util.response import is_fp_closed

from marketing.core import reach
from marketing.core.errors import Refused, Unavailable
from marketing.core.kept import Kept
from marketing.core.reach import Blocked

__all__ = [
    "Answer",
    "Blocked",
    "Kept",
    "Limits",
    "Stream",
    "TooMuch",
    "Unreachable",
    "fetch",
    "stream",
]

AGENT = "Perennial/1"
_PIECE = 65_536


class Unreachable(Unavailable):
    """Nobody answered, or not in time, or not in HTTP: trying again later may help.

    `sent` says that the request, or a part of it, left before the line broke: whoever it went to
    may have acted on it.
    """

    sent = False


class TooMuch(Refused):
    """The answer is larger than the caller takes."""


@dataclass(frozen=True)
class Limits:
    """Seconds to connect, between two pieces and in all; bytes after unpacking; redirects."""

    connect: float = 5.0
    read: float = 15.0
    total: float = 30.0
    body: int = 10_000_000
    redirects: int = 3


@dataclass(frozen=True)
class Answer:
    """What a server answered, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body as JSON; ValueError if it is none."""
        return orjson.loads(self.body)


@dataclass(frozen=True)
class Stream:
    """An answer whose body is still coming."""

    status: int
    headers: Mapping[str, str]
    url: str
    pieces: Iterator[bytes]


def shown(url: str) -> str:
    """An address without its query and credentials, fit for messages and logs."""
    try:
        parts = parse_url(url)
    except LocationParseError:
        return "…"
    return Url(scheme=parts.scheme, host=parts.host, port=parts.port, path=parts.path).url[:200]


def parse(url: str) -> Url:
    """The parts of an address that may be called; Blocked says what is wrong with another."""
    try:
        if any(ord(ch) <= 32 or ch in "\\\x7f" for ch in url):
            raise LocationParseError(url)
        parts = parse_url(url)
    except LocationParseError:
        raise Blocked(_("This is not a web address."), code="bad_address", field="url") from None
    if parts.scheme not in ("http", "https") or not parts.host:
        raise Blocked(
            _("Only addresses that begin with http:// or https:// can be called."),
            code="scheme_refused",
            field="url",
        )
    if parts.auth:
        raise Blocked(
            _("An address may not carry a user name or password."),
            code="credentials_in_address",
            field="url",
            remedy=_("Enter them in the fields for signing in."),
        )
    return parts


def _port(parts: Url) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _origin(parts: Url) -> tuple[str, str, int]:
    return parts.scheme or "", (parts.host or "").lower(), _port(parts)


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of an address."""
    return _origin(parse(url))


def check(url: str) -> None:
    """Refuse an address that may not or cannot be called now. It is checked again when used."""
    parts = parse(url)
    try:
        reach.resolve(host=parts.host or "", port=_port(parts))
    except TimeoutError as error:
        raise _unreachable(shown(url), True, error) from None
    except OSError:
        raise Unreachable(
            _("No host is known by the name %(host)s.") % {"host": (parts.host or "")[:100]},
            code="unknown_host",
            field="url",
            remedy=_("Check how it is written."),
        ) from None


class _Pinned:
    """Connects to the address that was checked; the name stays for the certificate and Host."""

    deadline: float

    def _new_conn(self) -> socket.socket:
        return reach.connect(
            host=self.host,  # type: ignore[attr-defined]
            port=self.port,  # type: ignore[attr-defined]
            timeout=float(self.timeout),  # type: ignore[attr-defined]
            deadline=self.deadline,
        )


class _Plain(_Pinned, HTTPConnection):
    pass


class _Secure(_Pinned, HTTPSConnection):
    pass


class _Guillotine:
    """Ends a connection at its deadline, however slowly the other side drips."""

    def __init__(self, connection: Any, deadline: float) -> None:
        self.fell = False
        self.sock: socket.socket | None = None  # the connection forgets it once it answered
        self._connection = connection
        self._timer = threading.Timer(max(deadline - time.monotonic(), 0.01), self._fall)
        self._timer.daemon = True
        self._timer.start()

    def _fall(self) -> None:
        self.fell = True
        sock = self.sock or self._connection.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def lift(self) -> None:
        self._timer.cancel()


@contextlib.contextmanager
def stream(
    *,
    url: str,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    limits: Limits = Limits(),
    kept: Kept | None = None,
) -> Iterator[Stream]:
    """Call an address and read its answer piece by piece, unpacked.

    Raises Blocked (may not be called), Unreachable (no or no timely answer), TooMuch (body).
    """
    deadline = time.monotonic() + limits.total
    parts = parse(url)
    for _hop in range(limits.redirects + 1):
        with _call(parts, method, headers or {}, body, limits, deadline, kept) as answer:
            target = answer.headers.get("location", "")
            if answer.status not in (301, 302, 303, 307, 308) or not target:
                yield answer
                return
            parts = _follow(parts, target, method)
    raise Blocked(
        _("%(url)s redirects again and again; nothing was fetched.") % {"url": shown(url)},
        code="too_many_redirects",
        field="url",
    )


def _follow(parts: Url, target: str, method: str) -> Url:
    there = parse(urljoin(parts.url, target))
    if _origin(there) != _origin(parts) or method not in ("GET", "HEAD"):
        raise Blocked(
            _("%(url)s redirects to %(there)s. Redirects to another place are not followed.")
            % {"url": shown(parts.url), "there": f"{there.scheme}://{there.host}"},
            code="redirect_refused",
            field="url",
            remedy=_("If the new address is right, enter it instead."),
        )
    return there


@contextlib.contextmanager
def _call(
    parts: Url,
    method: str,
    headers: Mapping[str, str],
    body: bytes | None,
    limits: Limits,
    deadline: float,
    kept: Kept | None,
) -> Iterator[Stream]:
    place = _origin(parts)
    known = kept.take(place) if kept is not None else None
    if known is None:
        kind = _Secure if parts.scheme == "https" else _Plain
        host = (parts.host or "").strip("[]")
        known = kind(host, _port(parts), timeout=limits.connect), time.monotonic()
    connection, made = known
    connection.deadline = deadline
    where = shown(parts.url)
    guillotine = _Guillotine(connection, deadline)
    sent = whole = False
    try:
        if connection.sock is None:
            connection.connect()
        guillotine.sock = connection.sock
        connection.sock.settimeout(limits.read)
        sent = True
        connection.request(
            method,
            parts.request_uri,
            body=body,
            headers={
                "User-Agent": AGENT,
                "Accept-Encoding": "gzip",
                "Connection": "close" if kept is None else "keep-alive",
                **headers,
            },
            preload_content=False,
            decode_content=False,
        )
        answer = connection.getresponse()
        # Names in small letters: a header is found however a server writes it.
        found = {name.lower(): value for name, value in answer.headers.items()}
        is_bare = method == "HEAD" or answer.status in (204, 304)  # headers of a body, but no body
        pieces = iter(()) if is_bare else _pieces(answer, limits, where, guillotine)
        yield Stream(answer.status, found, parts.url, pieces)
        whole = kept is not None and (is_bare or is_fp_closed(answer))
        if whole and is_bare:
            answer.read()
    except (HTTPError, OSError, ValueError) as error:
        if isinstance(error, Refused):
            raise
        broken = _unreachable(where, guillotine.fell, error)
        broken.sent = sent
        raise broken from None
    finally:
        guillotine.lift()
        if kept is not None and whole and connection.sock is not None and not guillotine.fell:
            kept.put(place, connection, made)
        else:
            connection.close()


def _unreachable(where: str, late: bool, error: Exception) -> Unreachable:
    if late or isinstance(error, TimeoutError | urllib3.exceptions.TimeoutError):
        message, code = _("%(url)s did not answer in time."), "timeout"
    elif "CERTIFICATE" in str(error).upper():
        message, code = _("The certificate of %(url)s is not valid."), "certificate"
    else:
        message, code = _("%(url)s could not be reached, or broke off."), "unreachable"
    return Unreachable(
        message % {"url": where}, code=code, field="url", remedy=_("Try again later.")
    )


def _pieces(answer: Any, limits: Limits, where: str, guillotine: _Guillotine) -> Iterator[bytes]:
    size = 0
    try:
        for piece in _unpacked(answer):
            size += len(piece)
            if size > limits.body:
                raise TooMuch(
                    _("%(url)s answered with more than %(limit)s MB; the rest was not read.")
                    % {"url": where, "limit": f"{limits.body / 1e6:g}"},
                    code="answer_too_large",
                    field="url",
                )
            yield piece
    except (HTTPError, OSError, ValueError) as error:
        broken = _unreachable(where, guillotine.fell, error)
        broken.sent = True
        raise broken from None
    if guillotine.fell:
        broken = _unreachable(where, True, TimeoutError())
        broken.sent = True
        raise broken


def _unpacked(answer: Any) -> Iterator[bytes]:
    """The body in pieces, unpacked here: a packed body that ends early must not pass for whole."""
    packing = answer.headers.get("Content-Encoding", "").strip().lower()
    if packing not in ("", "identity", "gzip", "x-gzip"):
        raise ValueError(f"unasked packing {packing[:20]}")
    unpacker = zlib.decompressobj(wbits=31) if "gzip" in packing else None
    while raw := answer.read(_PIECE):
        if unpacker is None:
            yield raw
            continue
        while raw:
            if unpacker.eof:  # one packed piece after another is one body
                unpacker = zlib.decompressobj(wbits=31)
            try:
                yield unpacker.decompress(raw, _PIECE)
            except zlib.error as error:
                raise ValueError(str(error)) from None
            raw = unpacker.unconsumed_tail or unpacker.unused_data
    if unpacker is not None and not unpacker.eof:
        raise ValueError("the packed body ends early")


def fetch(
    *,
    url: str,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    limits: Limits = Limits(),
    kept: Kept | None = None,
) -> Answer:
    """Call an address and take the whole answer, whatever its status. Raises as `stream`."""
    with stream(
        url=url, method=method, headers=headers, body=body, limits=limits, kept=kept
    ) as found:
        whole = b"".join(found.pieces)
        return Answer(found.status, found.headers, whole, found.url)

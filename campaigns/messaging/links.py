"""Signed addresses inside mails: nothing is stored per link, and nothing can be forged.

A message's token is its random id and a keyed hash of it, bound to one purpose. A tracked link
carries its own target with a signature, so a redirect can only go where we wrote it, and the exact
target comes back byte for byte.
"""

import base64
import binascii
import hashlib
import hmac
import uuid
from urllib.parse import quote, urlsplit

from campaigns.messaging.faults import Fault, gettext_noop
from marketing.core import hosts

PURPOSES = ("open", "click", "leave")
_ID, _MAC = 16, 12
_URLSAFE = bytes.maketrans(b"+/", b"-_")
MAX_URL = 2_000


class LinkRefused(Fault):
    """A link that may not be put in a mail; the text says why."""


def check_target(url: str | None) -> str:
    """Return the address when it is an ordinary web address, else raise LinkRefused."""
    if not url:
        raise LinkRefused(gettext_noop("a link has no address"))
    if len(url) > MAX_URL:
        raise LinkRefused(gettext_noop("a link is longer than %(limit)s characters"), limit=MAX_URL)
    if any(ord(c) <= 32 or ord(c) == 127 for c in url) or "\\" in url:
        raise LinkRefused(gettext_noop("a link holds a space, a control character or a backslash"))
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        raise LinkRefused(
            gettext_noop("%(address)s is not a web address"), address=url[:80]
        ) from None
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
        raise LinkRefused(
            gettext_noop("%(address)s is not a web address that begins with http:// or https://"),
            address=url[:80],
        )
    try:
        hosts.to_ascii(host)
    except UnicodeError:
        raise LinkRefused(
            gettext_noop(
                "%(address)s: the host holds letters that no name of a host may hold; write it in"
                " its ASCII form, which begins with xn--"
            ),
            address=url[:80],
        ) from None
    return url


class Signer:
    """Makes and reads tokens with one secret."""

    def __init__(self, secret: str) -> None:
        self._key = hashlib.blake2b(
            secret.encode(), digest_size=32, person=b"perennial.links"
        ).digest()
        self._tails: dict[str, str] = {}

    def _mac(self, purpose: bytes, data: bytes) -> bytes:
        return hashlib.blake2b(data, key=self._key, digest_size=_MAC, person=purpose).digest()

    def tokens(self, message: bytes) -> tuple[str, ...]:
        """38 characters for each of PURPOSES, that name one message for that purpose alone.

        One keyed hash gives all of them; `message` is the 16 bytes of its id.
        """
        macs = hashlib.blake2b(
            message, key=self._key, digest_size=_MAC * len(PURPOSES), person=b"tokens"
        ).digest()
        return tuple(
            binascii.b2a_base64(message + macs[at : at + _MAC], newline=False)[:38]
            .translate(_URLSAFE)
            .decode("ascii")
            for at in range(0, len(macs), _MAC)
        )

    def token(self, message: uuid.UUID, purpose: str) -> str:
        """The token of one message for one purpose."""
        return self.tokens(message.bytes)[PURPOSES.index(purpose)]

    def read(self, token: str, purpose: str) -> uuid.UUID | None:
        """The message a token names, or None when it was not made here for this purpose."""
        try:
            data = base64.b64decode(token.encode("ascii") + b"==", altchars=b"-_", validate=True)
        except (ValueError, UnicodeEncodeError):
            return None
        if len(data) != _ID + _MAC:
            return None
        raw = data[:_ID]
        if not hmac.compare_digest(token, self.tokens(raw)[PURPOSES.index(purpose)]):
            return None
        return uuid.UUID(bytes=raw)

    def tail(self, url: str | None) -> str:
        """What follows a message's click address: the target and its signature."""
        if url is not None and (known := self._tails.get(url)) is not None:
            return known
        target = check_target(url)
        mac = base64.urlsafe_b64encode(self._mac(b"target", target.encode())).decode()
        made = f"{mac}?u={quote(target, safe='')}"
        if len(self._tails) < 20_000:
            self._tails[target] = made
        return made

    def target(self, mac: str, url: str) -> str | None:
        """The target of a click, or None when its signature does not fit."""
        if len(url) > MAX_URL:
            return None
        try:
            expected = base64.urlsafe_b64encode(self._mac(b"target", url.encode()))
            given = mac.encode("ascii")
        except UnicodeEncodeError:
            return None
        return url if hmac.compare_digest(expected, given) else None

"""A mailbox over IMAP: opened at a checked address, its certificate verified, its password kept.

Whoever looks into a mailbox, for returned mail or for a copy of a campaign, opens it here: what
somebody typed as a server must not reach into this network.
"""

import contextlib
import imaplib
import re
import socket
import ssl
from collections.abc import Iterator
from typing import Protocol

from django.utils.translation import gettext as _

from campaigns.messaging import folders
from marketing.core import reach, vault
from marketing.core.errors import Invalid, Refused

TIMEOUT_SECONDS = 15.0
# Where mailboxes are read; others only where OUTBOUND_ALLOW names them.
PORTS = (143, 993)
IN_CLEAR = "none"
_LOCAL = ("localhost", "127.0.0.1", "::1")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# A kept password goes only where it went before.
_GOES_TO = ("host", "port", "security", "username")


class Trouble(Exception):
    """A mailbox that cannot be opened or read now; the text is for a person."""


class Box(Protocol):
    """What is known of a mailbox; `security` is tls, starttls or none."""

    host: str
    port: int
    security: str
    username: str
    secret: str


def refuse_odd(box: Box, *, password: str) -> None:
    """Raise Invalid for a server that is none and for a password that would go in clear."""
    for name in ("host", "username"):
        if _CONTROL.search(getattr(box, name)):
            raise Invalid(_("Write it in one line."), code="bad_text", field=name)
    if _CONTROL.search(password):
        raise Invalid(_("Write it in one line."), code="bad_text", field="password")
    if " " in box.host or "/" in box.host:
        raise Invalid(_("Give the name of the mail server."), code="no_host", field="host")
    if box.host and box.security == IN_CLEAR and box.host not in _LOCAL:
        raise Invalid(
            _("Without TLS the password would cross the network in clear."),
            code="in_clear",
            field="security",
            remedy=_("Choose TLS or STARTTLS."),
        )


def refuse_no_password(box: Box, *, before: Box | None, password: str) -> None:
    """Raise Invalid where a password is needed: at first, and whenever it would go elsewhere."""
    moved = before is None or any(getattr(before, f) != getattr(box, f) for f in _GOES_TO)
    if not password and (moved or not box.secret):
        raise Invalid(
            _("Give the password of the mailbox."),
            code="no_password",
            field="password",
            remedy=_("It is asked for again whenever server or user name change."),
        )


def _dial(host: str, port: int, timeout: float | None) -> socket.socket:
    return reach.connect(host=host, port=port, timeout=timeout or TIMEOUT_SECONDS, ports=PORTS)


class _Plain(imaplib.IMAP4):
    def _create_socket(self, timeout: float | None) -> socket.socket:
        return _dial(self.host, self.port, timeout)


class _Secure(imaplib.IMAP4_SSL):
    def _create_socket(self, timeout: float | None) -> ssl.SSLSocket:
        plain = _dial(self.host, self.port, timeout)
        return self.ssl_context.wrap_socket(plain, server_hostname=self.host)


def _connect(box: Box) -> imaplib.IMAP4:
    context = ssl.create_default_context()
    if box.security == "tls":
        return _Secure(box.host, box.port, ssl_context=context, timeout=TIMEOUT_SECONDS)
    line = _Plain(box.host, box.port, timeout=TIMEOUT_SECONDS)
    if box.security == "starttls":
        line.starttls(context)
    return line


def words(told: object) -> str:
    """What a server said, as text."""
    first = told[0] if isinstance(told, list | tuple) and told else told
    return first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)


def select(line: imaplib.IMAP4, folder: str, *, readonly: bool) -> None:
    """Open a folder by the name that a person reads. IMAP4.error when the server will not."""
    raw = folders.written(folder).replace("\\", "\\\\").replace('"', '\\"')
    answer, told = line.select(f'"{raw}"', readonly=readonly)
    if answer != "OK":
        raise imaplib.IMAP4.error(words(told))


@contextlib.contextmanager
def opened(box: Box, *, row: str, user: str) -> Iterator[imaplib.IMAP4]:
    """The mailbox, signed in; `row` is the name under which its password is sealed.

    Trouble, with no secret in its words, when that or what is done with it does not work.
    """
    password = ""
    line: imaplib.IMAP4 | None = None
    try:
        password = vault.unseal(sealed=box.secret, row=row)
        line = _connect(box)
        _sign_in(line, user, password)
        yield line
    except ssl.SSLCertVerificationError as trouble:
        raise Trouble(
            _("Nobody vouches for the certificate of %(host)s: %(why)s.")
            % {"host": box.host, "why": trouble.verify_message}
        ) from None
    except (OSError, imaplib.IMAP4.error, Refused) as trouble:
        said = vault.redact(str(trouble), [password])[:400]
        raise Trouble(said or type(trouble).__name__) from None
    finally:
        if line is not None:
            with contextlib.suppress(OSError, imaplib.IMAP4.error):
                line.logout()


def _sign_in(line: imaplib.IMAP4, user: str, password: str) -> None:
    if user.isascii() and password.isascii():
        line.login(user, password)
    else:
        line.authenticate("PLAIN", lambda _challenge: f"\0{user}\0{password}".encode())

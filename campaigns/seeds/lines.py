"""A mailbox over IMAP: opened at a checked address, its certificate verified, only ever read."""

import contextlib
import imaplib
import re
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from campaigns.models import SeedCopy, SeedMailbox
from campaigns.seeds import folders
from marketing.core import reach, vault
from marketing.core.errors import Refused

TIMEOUT_SECONDS = 15.0
# Where mailboxes are read; others only where OUTBOUND_ALLOW names them.
PORTS = (143, 993)
HEADER = "X-Seed-Copy"
_WANTED = f"(INTERNALDATE BODY.PEEK[HEADER.FIELDS (AUTHENTICATION-RESULTS {HEADER.upper()})])"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ARRIVED = re.compile(
    rb'INTERNALDATE "\s*(\d+)-([A-Z][a-z]{2})-(\d{4}) (\d\d:\d\d:\d\d) ([+-]\d{4})"'
)


class Trouble(Exception):
    """A mailbox that cannot be opened or read now; the text is for a person."""


class Seen(NamedTuple):
    """A copy as it lies in a folder."""

    folder: str
    arrived_at: datetime | None
    authentication: list[str]


def row_of(mailbox: SeedMailbox) -> str:
    """The name under which a mailbox's password is sealed."""
    return f"seedmailbox:{mailbox.pk}"


def _dial(host: str, port: int, timeout: float | None) -> socket.socket:
    """A connection to a checked address: what somebody typed must not reach into this network."""
    return reach.connect(host=host, port=port, timeout=timeout or TIMEOUT_SECONDS, ports=PORTS)


class _Plain(imaplib.IMAP4):
    def _create_socket(self, timeout: float | None) -> socket.socket:
        return _dial(self.host, self.port, timeout)


class _Secure(imaplib.IMAP4_SSL):
    def _create_socket(self, timeout: float | None) -> ssl.SSLSocket:
        plain = _dial(self.host, self.port, timeout)
        return self.ssl_context.wrap_socket(plain, server_hostname=self.host)


def _connect(mailbox: SeedMailbox) -> imaplib.IMAP4:
    context = ssl.create_default_context()
    if mailbox.security == "tls":
        return _Secure(mailbox.host, mailbox.port, ssl_context=context, timeout=TIMEOUT_SECONDS)
    line = _Plain(mailbox.host, mailbox.port, timeout=TIMEOUT_SECONDS)
    if mailbox.security == "starttls":
        line.starttls(context)
    return line


def words(told: object) -> str:
    """What a server said, as text."""
    first = told[0] if isinstance(told, list | tuple) and told else told
    return first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)


class Line:
    """An open mailbox."""

    def __init__(self, line: imaplib.IMAP4) -> None:
        self._line = line
        self._folders: list[folders.Folder] | None = None
        self._open = ""

    def folders(self) -> list[folders.Folder]:
        """Every folder that can hold mail."""
        if self._folders is None:
            answer, told = self._line.list()
            self._folders = folders.read(part for part in told if part) if answer == "OK" else []
        return self._folders

    def find(self, folder: str, copy: SeedCopy) -> Seen | None:
        """A copy in a folder, by its Message-ID, or by our own header where that was changed."""
        self._select(folder)
        assert copy.sent_at is not None
        since = (copy.sent_at - timedelta(days=1)).astimezone(UTC)
        day = f"{since.day}-{_MONTHS[since.month - 1]}-{since.year}"
        answer, told = self._line.uid(
            "SEARCH", "SINCE", day, "OR", "HEADER", "Message-ID", f'"{copy.message_id}"',
            "HEADER", HEADER, f'"{copy.key}"',
        )  # fmt: skip
        if answer != "OK":
            raise imaplib.IMAP4.error(words(told))
        uids = (told[0] or b"").split()
        return self._seen(folder, uids[-1].decode()) if uids else None

    def _select(self, folder: str) -> None:
        if self._open == folder:
            return
        raw = folders.written(folder).replace("\\", "\\\\").replace('"', '\\"')
        self._open = ""
        answer, told = self._line.select(f'"{raw}"', readonly=True)
        if answer != "OK":
            raise imaplib.IMAP4.error(words(told))
        self._open = folder

    def _seen(self, folder: str, uid: str) -> Seen:
        answer, told = self._line.uid("FETCH", uid, _WANTED)
        if answer != "OK":
            raise imaplib.IMAP4.error(words(told))
        parts: list[Any] = [part for part in told if part]
        lines = b" ".join(part[0] if isinstance(part, tuple) else part for part in parts)
        head = next((part[1] for part in parts if isinstance(part, tuple)), b"")
        mail = message_from_bytes(head, policy=policy.compat32)
        said = [str(value) for value in mail.get_all("Authentication-Results") or ()]
        return Seen(folder, _moment(lines), said)


def _moment(lines: bytes) -> datetime | None:
    match = _ARRIVED.search(lines)
    if match is None:
        return None
    day, month, year, clock, zone = (part.decode() for part in match.groups())
    try:
        return datetime.strptime(
            f"{year} {_MONTHS.index(month) + 1} {day} {clock} {zone}", "%Y %m %d %H:%M:%S %z"
        )
    except ValueError:
        return None


@contextlib.contextmanager
def opened(mailbox: SeedMailbox) -> Iterator[Line]:
    """The mailbox, signed in. Trouble, with no secret in its words, when that does not work."""
    password = ""
    line: imaplib.IMAP4 | None = None
    try:
        password = vault.unseal(sealed=mailbox.secret, row=row_of(mailbox))
        line = _connect(mailbox)
        _sign_in(line, mailbox.username or mailbox.address, password)
        yield Line(line)
    except ssl.SSLCertVerificationError as trouble:
        raise Trouble(
            _("Nobody vouches for the certificate of %(host)s: %(why)s.")
            % {"host": mailbox.host, "why": trouble.verify_message}
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

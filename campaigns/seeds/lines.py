"""A seed mailbox as it is looked into: its folders, and a copy in one of them. Only ever read."""

import contextlib
import imaplib
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from typing import Any, NamedTuple

from campaigns.messaging import folders, imap
from campaigns.models import SeedCopy, SeedMailbox

HEADER = "X-Seed-Copy"
_WANTED = f"(INTERNALDATE BODY.PEEK[HEADER.FIELDS (AUTHENTICATION-RESULTS {HEADER.upper()})])"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ARRIVED = re.compile(
    rb'INTERNALDATE "\s*(\d+)-([A-Z][a-z]{2})-(\d{4}) (\d\d:\d\d:\d\d) ([+-]\d{4})"'
)


class Seen(NamedTuple):
    """A copy as it lies in a folder."""

    folder: str
    arrived_at: datetime | None
    authentication: list[str]


def row_of(mailbox: SeedMailbox) -> str:
    """The name under which a mailbox's password is sealed."""
    return f"seedmailbox:{mailbox.pk}"


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
            raise imaplib.IMAP4.error(imap.words(told))
        uids = (told[0] or b"").split()
        return self._seen(folder, uids[-1].decode()) if uids else None

    def _select(self, folder: str) -> None:
        if self._open == folder:
            return
        self._open = ""
        imap.select(self._line, folder, readonly=True)
        self._open = folder

    def _seen(self, folder: str, uid: str) -> Seen:
        answer, told = self._line.uid("FETCH", uid, _WANTED)
        if answer != "OK":
            raise imaplib.IMAP4.error(imap.words(told))
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
    """The mailbox, signed in. imap.Trouble when that does not work."""
    user = mailbox.username or mailbox.address
    with imap.opened(mailbox, row=row_of(mailbox), user=user) as line:
        yield Line(line)

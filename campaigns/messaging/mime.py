"""One mail as bytes, from a writer that was prepared once per run.

The standard library's message classes cost over a millisecond a mail; this writes the same bytes a
mailbox needs in a few dozen microseconds, and tests read every result back with the standard
parser. A line break in any header value is refused, never repaired: it would begin a new header.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from campaigns.messaging.dkim import Signer
from campaigns.messaging.faults import Fault, gettext_noop
from campaigns.messaging.rendering import Rendered
from marketing.core import hosts

_ADDRESS = re.compile(
    r"[!#-'*+\-/-9=?A-Z^-~.]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"
)
_PLAIN_NAME = re.compile(r"[A-Za-z0-9 !#$%&'*+\-/=?^_`{|}~]*")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
# Encoded words hold 45 bytes: 60 characters of base64 and the frame stay under the 75 allowed.
_WORD_BYTES = 45
_QP_LINE = 76
_PART = b"Content-Type: text/%s; charset=utf-8\r\nContent-Transfer-Encoding: %s\r\n\r\n%s"


class HeaderRefused(Fault):
    """A header value that would change the mail's structure; the text names the header."""


def check_line(name: str, value: str) -> str:
    """The value, when it is one line of text without control characters."""
    if _CONTROL.search(value):
        raise HeaderRefused(
            gettext_noop("%(name)s holds a line break or a control character"), name=name
        )
    return value


def address(name: str, value: str) -> str:
    """An address in ASCII, its domain in IDNA; HeaderRefused when it cannot be written so."""
    if not value.rpartition("@")[2].isascii():
        try:
            value = hosts.mail_to_ascii(value)
        except UnicodeError:
            raise HeaderRefused(gettext_noop("%(name)s is not a mail address"), name=name) from None
    if not _ADDRESS.fullmatch(value):
        raise HeaderRefused(gettext_noop("%(name)s is not a mail address"), name=name)
    return value


def encoded_words(value: str) -> str:
    """Text as RFC 2047 words, cut between characters, one folded line each."""
    words: list[str] = []
    chunk = b""
    for character in value:
        piece = character.encode("utf-8", "replace")
        if len(chunk) + len(piece) > _WORD_BYTES:
            words.append(binascii.b2a_base64(chunk, newline=False).decode())
            chunk = b""
        chunk += piece
    words.append(binascii.b2a_base64(chunk, newline=False).decode())
    return "\r\n ".join(f"=?utf-8?b?{word}?=" for word in words)


def text_header(name: str, value: str) -> str:
    """A free-text header line without its end, such as the subject."""
    check_line(name, value)
    if value.isascii() and "=?" not in value and len(value) + len(name) < 900:
        return f"{name}: {_fold(value, len(name) + 2)}"
    return f"{name}: {encoded_words(value)}"


def _fold(value: str, used: int) -> str:
    """Break at single spaces so that lines stay under 78 characters where the words allow it."""
    if used + len(value) <= 78:
        return value
    lines: list[str] = []
    line = ""
    for word in value.split(" "):
        candidate = f"{line} {word}" if line or not lines else word
        if line.strip() and word and used + len(candidate) > 77:
            lines.append(line)
            line, used = word, 1
        else:
            line = candidate if line or lines or word != candidate else word
    lines.append(line)
    return "\r\n ".join(lines)


def mailbox(name: str, display: str, value: str) -> str:
    """`Name <address>` or the bare address; runs of white space in the name become one space."""
    display = " ".join(check_line(name, display).split())
    plain = address(name, value)
    if not display:
        return plain
    if not display.isascii() or "=?" in display or len(display) > 500:  # no line over 998
        return f"{encoded_words(display)} <{plain}>"
    if _PLAIN_NAME.fullmatch(display) and display == display.strip():
        return f"{display} <{plain}>"
    escaped = display.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}" <{plain}>'


def date_line(at: datetime) -> str:
    """A date as mail writes it, in UTC whatever the locale."""
    at = at.astimezone(UTC)
    return (
        f"{_DAYS[at.weekday()]}, {at.day:02d} {_MONTHS[at.month - 1]} {at.year} "
        f"{at.hour:02d}:{at.minute:02d}:{at.second:02d} +0000"
    )


def _is_wide(content: str) -> bool:
    """Whether so much of it is not ASCII that base64 is shorter."""
    return len(content) * 1.2 < len(content.encode("utf-8", "replace"))


def body_part(kind: str, content: str) -> bytes:
    """A text part with its headers: quoted-printable, or base64 where that would be longer."""
    data = content.encode("utf-8", "replace").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if not data.endswith(b"\n"):
        data += b"\n"
    data = data.replace(b"\n", b"\r\n")
    if len(content) * 1.2 < len(data):
        encoding = b"base64"
        body = base64.encodebytes(data).replace(b"\n", b"\r\n")
    else:
        encoding = b"quoted-printable"
        body = _quoted(data)
    return _PART % (kind.encode(), encoding, body)


def _quoted(data: bytes) -> bytes:
    """Lines that end in CRLF as quoted-printable."""
    # b2a_qp takes its line ends from the first one it sees.
    body = binascii.b2a_qp(data, istext=True)
    if b"\r\n" not in data:
        body = body.replace(b"\n", b"\r\n")
    if body.startswith(b"."):
        body = b"=2E" + body[1:]
    if b"\n." in body:
        body = body.replace(b"\n.", b"\n=2E")
    return body


class Pieces:
    """HTML parts as quoted-printable, put together from pieces of which the fixed are known.

    Each piece ends its line, softly unless it ends one anyway, so that it can be encoded by itself.
    """

    def __init__(self, fixed: Iterable[str]) -> None:
        self._known = {piece: self._encoded(piece) for piece in fixed}

    def part(self, pieces: Sequence[str]) -> bytes:
        """The part with its headers."""
        known, encoded = self._known, self._encoded
        body = [known.get(piece) or encoded(piece) for piece in pieces if piece]
        if not body:
            body = [b"\r\n"]
        elif body[-1].endswith(b"=\r\n"):
            body[-1] = body[-1][:-3] + b"\r\n"
        return _PART % (b"html", b"quoted-printable", b"".join(body))

    @staticmethod
    def _encoded(piece: str) -> bytes:
        data = piece.encode("utf-8", "replace").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        body = _quoted(data.replace(b"\n", b"\r\n"))
        if data.endswith(b"\n"):
            return body
        if len(body) - body.rfind(b"\n") > _QP_LINE:  # there is no room for the soft end
            cut = -3 if body[-3:-2] == b"=" else -1
            last = body[cut:]
            body = body[:cut] + b"=\r\n" + (b"=2E" if last == b"." else last)
        return body + b"=\r\n"


class Writer:
    """Writes the mails of one run. `domain` stands behind the @ of every Message-ID.

    `fixed` holds pieces of HTML that will come again and again.
    """

    def __init__(
        self,
        *,
        from_name: str,
        from_email: str,
        reply_to: str = "",
        domain: str = "",
        signer: Signer | None = None,
        fixed: Iterable[str] = (),
    ) -> None:
        self.sender = address("From", from_email)
        lines = [f"From: {mailbox('From', from_name, from_email)}"]
        if reply_to:
            lines.append(f"Reply-To: {address('Reply-To', reply_to)}")
        self._head = "\r\n".join(lines)
        self._signer = signer
        self._pieces = Pieces(fixed)
        self._domain = domain or self.sender.rpartition("@")[2]

    def message_id(self, key: str) -> str:
        """The Message-ID of a message: the same on every attempt, so copies can be told."""
        return f"<{key}@{self._domain}>"

    def write(
        self,
        *,
        key: str,
        to: str,
        to_name: str,
        mail: Rendered,
        unsubscribe_url: str,
        at: datetime,
    ) -> bytes:
        """The whole mail. `key` is the message's own id; the address must answer a POST.

        An empty address leaves the header out, for mails that somebody has just asked for.
        """
        if not key.isalnum() or not key.isascii():
            raise HeaderRefused(gettext_noop("the message id is not plain"))
        if not unsubscribe_url.isascii() or re.search(r"[\s<>,\x00-\x1f]", unsubscribe_url):
            raise HeaderRefused(gettext_noop("the unsubscribe address is not plain"))
        leave = (
            f"List-Unsubscribe: <{unsubscribe_url}>\r\n"
            "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
            if unsubscribe_url
            else ""
        )
        boundary = f"=_{key}"
        head = (
            f"{self._head}\r\n"
            f"To: {mailbox('To', to_name, to)}\r\n"
            f"{text_header('Subject', mail.subject)}\r\n"
            f"Date: {date_line(at)}\r\n"
            f"Message-ID: {self.message_id(key)}\r\n"
            f"{leave}"
            "MIME-Version: 1.0\r\n"
            f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n'
            f"\r\n--{boundary}\r\n"
        ).encode("ascii")
        middle = f"\r\n--{boundary}\r\n".encode("ascii")
        end = f"\r\n--{boundary}--\r\n".encode("ascii")
        whole = b"".join((head, body_part("plain", mail.text), middle, self._html(mail), end))
        return whole if self._signer is None else self._signer.sign(whole, at=at)

    def _html(self, mail: Rendered) -> bytes:
        if mail.pieces and (mail.html.isascii() or not _is_wide(mail.html)):
            return self._pieces.part(mail.pieces)
        return body_part("html", mail.html)

"""Mail over SMTP on kept connections, with an honest answer for each recipient.

Each step is taken by itself rather than through `sendmail`, because what a broken line means
depends on where it breaks: before the final dot nothing was accepted, after it nobody can know
(the gap RFC 1047 describes).
"""

import contextlib
import re
import smtplib
import socket
import ssl
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar

from campaigns.messaging import talks
from campaigns.messaging.providers.base import Answer, Outgoing, Unreachable, Verdict
from campaigns.messaging.talks import Talk, Wish

T = TypeVar("T")
U = TypeVar("U")

_DOTS = re.compile(rb"(?m)^\.")
# Refusals that mean "no such mailbox": RFC 3463 classes 5.1.x, or the bare codes without one.
_NO_MAILBOX = re.compile(r"\b5\.1\.(?:1|2|3|6|10)\b")
_ENHANCED = re.compile(r"\b[245]\.\d{1,3}\.\d{1,3}\b")
# Addresses arrive checked; this keeps a line break or a bracket from ever becoming a command.
_SAFE = re.compile(r"[!-;=?-~]+@[!-;=?-~]+")
MAILS_PER_LINE = 1_000
_LINE_LIMIT, _REPLY_LINES = 8_192, 100
# A server that says a little now and then passes every wait for one reply: a mail has so many
# times that long in all.
_WAITS_PER_MAIL = 4


@dataclass(frozen=True)
class Server:
    """Where mail goes, and how to be let in. `security`: none, starttls (required) or tls."""

    host: str
    port: int
    username: str = ""
    password: str = ""
    security: str = "none"
    timeout: float = 30.0
    dial: Callable[[str, int, float], socket.socket] = lambda host, port, timeout: (
        socket.create_connection((host, port), timeout)
    )


class _Dialled(smtplib.SMTP):
    def __init__(self, server: Server, **given: Any) -> None:
        self._dial = server.dial
        super().__init__(server.host, server.port, timeout=server.timeout, **given)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return self._dial(host, port, timeout)


class _Secured(smtplib.SMTP_SSL, _Dialled):
    def __init__(self, server: Server) -> None:
        self._dial = server.dial
        smtplib.SMTP_SSL.__init__(
            self,
            server.host,
            server.port,
            timeout=server.timeout,
            context=ssl.create_default_context(),
        )


class SmtpConnection:
    """One SMTP session, opened when first needed and opened again when the server hangs up."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._smtp: smtplib.SMTP | None = None
        self._unreachable: Unreachable | None = None
        self._heard = bytearray()
        self._late_at = 0.0
        self._pipelining = False
        self._used = 0

    def send(self, outgoing: Outgoing) -> Answer:
        """Hand one mail over and wait. Raises Unreachable when no session could be opened."""
        return talks.alone(self.talk(outgoing))

    def make_ready(self) -> None:
        """Open the session, so that the next talk need not wait for that."""
        if self._used >= MAILS_PER_LINE:
            self.close()
        if self._smtp is None and self._unreachable is None:
            try:
                self._open()
            except Unreachable as error:
                self._unreachable = error  # for the next talk to say

    def talk(self, outgoing: Outgoing) -> Talk:
        """Hand one mail over, step by step, so that one thread can talk on many lines."""
        is_over = False
        try:
            answer = yield from self._hand_over(outgoing)
            is_over = True
            return answer
        finally:
            if not is_over:
                self._drop()

    @property
    def is_ready(self) -> bool:
        """Whether a session stands open."""
        return self._smtp is not None and self._used < MAILS_PER_LINE

    def _hand_over(self, outgoing: Outgoing) -> Talk:
        _key, sender, recipient, mail, _subject = outgoing
        if not _SAFE.fullmatch(sender) or not _SAFE.fullmatch(recipient):
            return Answer(Verdict.FAILED, "the address cannot be written in an SMTP command")
        sock = self._session()
        self._used += 1
        self._late_at = time.monotonic() + _WAITS_PER_MAIL * self._server.timeout
        try:
            refusal = yield from self._envelope(sock, f"FROM:<{sender}>", f"TO:<{recipient}>")
            if refusal is not None:
                return refusal
            if mail.startswith(b".") or b"\n." in mail:
                mail = _DOTS.sub(b"..", mail)
            # An error here means part of the mail never left, so its final dot did not either.
            end = b".\r\n" if mail.endswith(b"\r\n") else b"\r\n.\r\n"
            yield from self._say(sock, mail + end)
        except (smtplib.SMTPException, OSError) as error:
            self._drop()
            return Answer(Verdict.RETRY, f"the line broke before the mail was handed over: {error}")
        try:
            code, text = yield from self._reply(sock)
        except (smtplib.SMTPException, OSError) as error:
            self._drop()
            return Answer(
                Verdict.UNKNOWN, f"the line broke after the mail was handed over: {error}"
            )
        if code == 250:
            return Answer(Verdict.SENT, text.decode("utf-8", "replace")[:200])
        return (yield from self._refused(sock, code, text))

    def _envelope(
        self, sock: socket.socket, sender: str, recipient: str
    ) -> Generator[Wish, None, Answer | None]:
        """Sender, recipient and DATA, in one packet where the server allows it (RFC 2920).

        None when the server waits for the mail, else its refusal.
        """
        mail, rcpt, data = f"MAIL {sender}\r\n", f"RCPT {recipient}\r\n", "DATA\r\n"
        if not self._pipelining:
            for command, good in ((mail, (250,)), (rcpt, (250, 251)), (data, (354,))):
                code, text = yield from self._ask(sock, command)
                if code not in good:
                    return (yield from self._refused(sock, code, text, recipient=command is rcpt))
            return None
        from_code, from_text = yield from self._ask(sock, mail + rcpt + data)
        to_code, to_text = yield from self._reply(sock)
        data_code, data_text = yield from self._reply(sock)
        if from_code == 250 and to_code in (250, 251) and data_code == 354:
            return None
        if data_code == 354:  # it waits for a mail to nobody: end it, whatever it says
            yield from self._ask(sock, ".\r\n")
        if from_code != 250:
            return (yield from self._refused(sock, from_code, from_text))
        if to_code not in (250, 251):
            return (yield from self._refused(sock, to_code, to_text, recipient=True))
        return (yield from self._refused(sock, data_code, data_text))

    def _ask(self, sock: socket.socket, commands: str) -> Generator[Wish, None, tuple[int, bytes]]:
        yield from self._say(sock, commands.encode("ascii"))
        return (yield from self._reply(sock))

    def _say(self, sock: socket.socket, data: bytes) -> Generator[Wish, None, None]:
        rest = memoryview(data)
        while rest:
            sent = yield from self._as_it_can(sock, talks.WRITE, sock.send, rest)
            rest = rest[sent:]

    def _reply(self, sock: socket.socket) -> Generator[Wish, None, tuple[int, bytes]]:
        """The next reply, with the texts of its lines."""
        texts: list[bytes] = []
        while True:
            end = self._heard.find(b"\n") + 1
            if not end:
                if len(self._heard) >= _LINE_LIMIT:
                    raise smtplib.SMTPResponseException(500, "the server does not speak SMTP")
                yield from self._hear(sock)
                continue
            line = bytes(self._heard[:end])
            del self._heard[:end]
            if len(line) > _LINE_LIMIT or len(texts) > _REPLY_LINES or not line[:3].isdigit():
                raise smtplib.SMTPResponseException(500, "the server does not speak SMTP")
            texts.append(line[4:].strip(b" \t\r\n"))
            if line[3:4] != b"-":
                return int(line[:3]), b"\n".join(texts)

    def _hear(self, sock: socket.socket) -> Generator[Wish, None, None]:
        if not isinstance(sock, ssl.SSLSocket):  # which may hold what was read already
            yield self._wish(sock, talks.READ)
        heard = yield from self._as_it_can(sock, talks.READ, sock.recv, _LINE_LIMIT)
        if not heard:
            raise smtplib.SMTPServerDisconnected("the server closed the connection")
        self._heard += heard

    def _as_it_can(
        self, sock: socket.socket, event: int, work: Callable[[U], T], given: U
    ) -> Generator[Wish, None, T]:
        """Do this as soon as the socket lets us."""
        while True:
            try:
                return work(given)
            except (BlockingIOError, InterruptedError):
                wanted = event
            except ssl.SSLWantReadError:
                wanted = talks.READ
            except ssl.SSLWantWriteError:
                wanted = talks.WRITE
            yield self._wish(sock, wanted)

    def _wish(self, sock: socket.socket, event: int) -> Wish:
        until = min(time.monotonic() + self._server.timeout, self._late_at)
        return Wish(sock.fileno(), event, until)

    def close(self) -> None:
        """Say goodbye if the server still listens."""
        smtp, self._smtp, self._used = self._smtp, None, 0
        if smtp is not None:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                if smtp.sock is not None:
                    smtp.sock.settimeout(self._server.timeout)
                smtp.quit()
            smtp.close()

    def _session(self) -> socket.socket:
        """The open session's socket."""
        self.make_ready()
        unreachable, self._unreachable = self._unreachable, None
        if unreachable is not None or self._smtp is None or self._smtp.sock is None:
            raise unreachable or Unreachable("the session was closed")
        return self._smtp.sock

    def _open(self) -> None:
        server = self._server
        try:
            smtp = _Secured(server) if server.security == "tls" else _Dialled(server)
            try:
                smtp.ehlo_or_helo_if_needed()
                if server.security == "starttls":
                    # Raises when the server does not offer TLS: never in clear when TLS is wanted.
                    smtp.starttls(context=ssl.create_default_context())
                    smtp.ehlo()
                if server.username:
                    smtp.login(server.username, server.password)
            except BaseException:
                smtp.close()
                raise
        except (smtplib.SMTPException, OSError) as error:
            raise Unreachable(f"{server.host}:{server.port} does not take mail: {error}") from None
        if smtp.sock is not None:
            smtp.sock.settimeout(0)  # from now on by steps
        self._smtp, self._used, self._heard = smtp, 0, bytearray()
        self._pipelining = smtp.has_extn("pipelining")

    def _drop(self) -> None:
        smtp, self._smtp, self._used = self._smtp, None, 0
        if smtp is not None:
            smtp.close()

    def _refused(
        self, sock: socket.socket, code: int, reply: bytes, *, recipient: bool = False
    ) -> Talk:
        text = f"{code} {reply.decode('utf-8', 'replace')}"[:400]
        if code == 421:
            self._drop()
        else:
            try:
                cleared, _text = yield from self._ask(sock, "RSET\r\n")
                if cleared != 250:
                    self._drop()
            except (smtplib.SMTPException, OSError):
                self._drop()
        if 500 <= code < 600:
            plain = recipient and code == 550 and not _ENHANCED.search(text)
            return Answer(Verdict.FAILED, text, bounced=bool(_NO_MAILBOX.search(text)) or plain)
        return Answer(Verdict.RETRY, text)

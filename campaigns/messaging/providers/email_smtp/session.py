"""Mail over SMTP on kept connections, with an honest answer for each recipient.

Each step is taken by itself rather than through `sendmail`, because what a broken line means
depends on where it breaks: before the final dot nothing was accepted, after it nobody can know
(the gap RFC 1047 describes).
"""

import contextlib
import math
import re
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

from campaigns.messaging.providers.base import Answer, Outgoing, Unreachable, Verdict

_DOTS = re.compile(rb"(?m)^\.")
# Refusals that mean "no such mailbox": RFC 3463 classes 5.1.x, or the bare codes without one.
_NO_MAILBOX = re.compile(r"\b5\.1\.(?:1|2|3|6|10)\b")
_ENHANCED = re.compile(r"\b[245]\.\d{1,3}\.\d{1,3}\b")
# Addresses arrive checked; this keeps a line break or a bracket from ever becoming a command.
_SAFE = re.compile(r"[!-;=?-~]+@[!-;=?-~]+")
MAILS_PER_LINE = 1_000
_LINE_LIMIT = 8_192
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


class _Watch:
    """One thread that cuts every line on which a mail takes too long."""

    def __init__(self) -> None:
        self.lines: WeakSet[SmtpConnection] = WeakSet()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, line: "SmtpConnection") -> None:
        with self._guard:
            self.lines.add(line)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._look, daemon=True)
                self._thread.start()

    def _look(self) -> None:
        while True:
            time.sleep(0.5)
            with self._guard:
                lines = list(self.lines)
                if not lines:
                    self._thread = None
                    return
            for line in lines:
                line.cut_if_late()


_watch = _Watch()


def _reply(smtp: smtplib.SMTP) -> tuple[int, bytes]:
    """The next reply, as `getreply` reads it, for the four that every mail takes."""
    if smtp.file is None:
        return smtp.getreply()
    texts = []
    while True:
        line = smtp.file.readline(_LINE_LIMIT)
        if not line.endswith(b"\n") and len(line) < _LINE_LIMIT:  # the beginning of a word is none
            raise smtplib.SMTPServerDisconnected("the server closed the connection")
        if len(line) >= _LINE_LIMIT or not line[:3].isdigit():
            raise smtplib.SMTPResponseException(500, "the server does not speak SMTP")
        texts.append(line[4:].strip(b" \t\r\n"))
        if line[3:4] != b"-":
            return int(line[:3]), b"\n".join(texts)


class SmtpConnection:
    """One SMTP session, opened when first needed and opened again when the server hangs up."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._smtp: smtplib.SMTP | None = None
        self._late_at = math.inf
        self._pipelining = False
        self._used = 0

    def send(self, outgoing: Outgoing) -> Answer:
        """Hand one mail over. Raises Unreachable when no session could be opened."""
        self._late_at = time.monotonic() + _WAITS_PER_MAIL * self._server.timeout
        try:
            return self._send(outgoing)
        finally:
            self._late_at = math.inf

    def cut_if_late(self) -> None:
        """Break the line, from another thread, when a mail has been on it for too long."""
        smtp = self._smtp
        if time.monotonic() > self._late_at and smtp is not None and smtp.sock is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(smtp.sock, socket.SHUT_RDWR)

    def _send(self, outgoing: Outgoing) -> Answer:
        _key, sender, recipient, mail, _subject = outgoing
        if self._used >= MAILS_PER_LINE:
            self.close()
        if not _SAFE.fullmatch(sender) or not _SAFE.fullmatch(recipient):
            return Answer(Verdict.FAILED, "the address cannot be written in an SMTP command")
        smtp = self._smtp or self._open()
        self._used += 1
        try:
            refusal = self._envelope(smtp, f"FROM:<{sender}>", f"TO:<{recipient}>")
            if refusal is not None:
                return refusal
            if mail.startswith(b".") or b"\n." in mail:
                mail = _DOTS.sub(b"..", mail)
            # An error here means part of the mail never left, so its final dot did not either.
            smtp.send(mail + (b".\r\n" if mail.endswith(b"\r\n") else b"\r\n.\r\n"))
        except (smtplib.SMTPException, OSError) as error:
            self._drop()
            return Answer(Verdict.RETRY, f"the line broke before the mail was handed over: {error}")
        try:
            code, text = _reply(smtp)
        except (smtplib.SMTPException, OSError) as error:
            self._drop()
            return Answer(
                Verdict.UNKNOWN, f"the line broke after the mail was handed over: {error}"
            )
        if code == 250:
            return Answer(Verdict.SENT, text.decode("utf-8", "replace")[:200])
        return self._refused(code, text)

    def _envelope(self, smtp: smtplib.SMTP, sender: str, recipient: str) -> Answer | None:
        """Sender, recipient and DATA, in one packet where the server allows it (RFC 2920).

        None when the server waits for the mail, else its refusal.
        """
        if not self._pipelining:
            for verb, argument, good in (
                ("MAIL", sender, (250,)),
                ("RCPT", recipient, (250, 251)),
                ("DATA", "", (354,)),
            ):
                code, text = smtp.docmd(verb, argument)
                if code not in good:
                    return self._refused(code, text, recipient=verb == "RCPT")
            return None
        smtp.send(f"MAIL {sender}\r\nRCPT {recipient}\r\nDATA\r\n".encode("ascii"))
        from_code, from_text = _reply(smtp)
        to_code, to_text = _reply(smtp)
        data_code, data_text = _reply(smtp)
        if from_code == 250 and to_code in (250, 251) and data_code == 354:
            return None
        if data_code == 354:  # it waits for a mail to nobody: end it, whatever it says
            smtp.send(b".\r\n")
            _reply(smtp)
        if from_code != 250:
            return self._refused(from_code, from_text)
        if to_code not in (250, 251):
            return self._refused(to_code, to_text, recipient=True)
        return self._refused(data_code, data_text)

    def close(self) -> None:
        """Say goodbye if the server still listens."""
        smtp, self._smtp, self._used = self._smtp, None, 0
        if smtp is not None:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                smtp.quit()
            smtp.close()

    def _open(self) -> smtplib.SMTP:
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
        self._smtp, self._used = smtp, 0
        _watch.add(self)
        self._pipelining = smtp.has_extn("pipelining")
        return smtp

    def _drop(self) -> None:
        smtp, self._smtp, self._used = self._smtp, None, 0
        if smtp is not None:
            smtp.close()

    def _refused(self, code: int, reply: bytes, *, recipient: bool = False) -> Answer:
        text = f"{code} {reply.decode('utf-8', 'replace')}"[:400]
        if code == 421 or code < 0:
            self._drop()
        else:
            try:
                if self._smtp is not None and self._smtp.rset()[0] != 250:
                    self._drop()
            except (smtplib.SMTPException, OSError):
                self._drop()
        if 500 <= code < 600:
            plain = recipient and code == 550 and not _ENHANCED.search(text)
            return Answer(Verdict.FAILED, text, bounced=bool(_NO_MAILBOX.search(text)) or plain)
        return Answer(Verdict.RETRY, text)

"""A mail server of a test, which remembers every mail it took and can be told to misbehave."""

import asyncio
import logging
import threading
import time
from collections import Counter
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP, Envelope, Session

logging.getLogger("mail.log").setLevel(logging.WARNING)


class Postbox:
    """Listens on a free port in a thread. `refuse` maps an address to the reply to its RCPT."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, bytes]] = []
        # When each mail was taken, by the monotonic clock, and on which line.
        self.taken: list[tuple[float, object]] = []
        self.refuse: dict[str, str] = {}
        self.reply_to_data: str = "250 2.0.0 taken"
        self.hang_up_after_data: set[str] = set()
        self.hang_up_at_rcpt: set[str] = set()
        self.pause_seconds = 0.0
        self.on_mail = None
        self.sessions = 0
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)

        def session() -> SMTP:
            self.sessions += 1
            return SMTP(self, hostname="postbox", loop=self._loop)

        server = self._loop.run_until_complete(self._loop.create_server(session, "127.0.0.1", 0))
        self.port: int = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list
    ) -> str:
        if address in self.hang_up_at_rcpt:
            self.hang_up_at_rcpt.discard(address)
            server.transport.abort()
            return "421 bye"
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.pause_seconds:
            await asyncio.sleep(self.pause_seconds)
        if self.reply_to_data.startswith("250"):
            content = envelope.original_content or b""
            self.taken.append((time.monotonic(), session.peer))
            for recipient in envelope.rcpt_tos:
                self.mails.append((recipient, content))
                if self.on_mail is not None:
                    self.on_mail(recipient)
        if set(envelope.rcpt_tos) & self.hang_up_after_data:
            server.transport.abort()
        return self.reply_to_data

    @property
    def copies(self) -> Counter:
        """How many mails each address got."""
        return Counter(recipient for recipient, _mail in self.mails)

    def read(self, index: int = 0) -> EmailMessage:
        """One of the mails, parsed by the standard library."""
        mail = message_from_bytes(self.mails[index][1], policy=policy.default)
        assert isinstance(mail, EmailMessage)
        return mail

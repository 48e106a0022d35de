"""A mail server for demos and tests: it takes every mail and writes it to a folder.

It speaks real SMTP, so what arrives is what a receiving server would see. Files appear whole under
`<folder>/new/` and are named in the order of arrival. Nothing is forwarded anywhere.
"""

import asyncio
import itertools
import logging
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

SIZE_LIMIT = 10_000_000


class Store:
    """Writes each accepted mail to a file of its own, envelope first."""

    def __init__(self, folder: Path) -> None:
        self.new, self._scratch = folder / "new", folder / "tmp"
        self.new.mkdir(parents=True, exist_ok=True)
        self._scratch.mkdir(parents=True, exist_ok=True)
        self._numbers = itertools.count()
        self.received = 0

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, name: str, replies: list[str]
    ) -> list[str]:
        session.host_name = name
        return [*replies[:-1], "250-PIPELINING", *replies[-1:]]

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        head = f"X-Envelope-From: {envelope.mail_from}\r\n" + "".join(
            f"X-Envelope-To: {recipient}\r\n" for recipient in envelope.rcpt_tos
        )
        content = envelope.content or b""
        name = f"{time.time_ns():020d}.{os.getpid()}.{next(self._numbers):09d}.eml"
        scratch = self._scratch / name
        try:
            with scratch.open("wb") as file:
                file.write(head.encode("utf-8", "replace"))
                file.write(content if isinstance(content, bytes) else content.encode())
            scratch.rename(self.new / name)
        except OSError as error:
            scratch.unlink(missing_ok=True)
            return f"452 4.3.1 cannot store the mail: {error.strerror}"
        self.received += 1
        return "250 2.0.0 stored"


async def serve(
    *, listener: socket.socket, folder: Path, ready: Callable[[int], None] | None = None
) -> None:
    """Take mail until cancelled or told to stop (SIGTERM, SIGINT). `ready` is told the port."""
    logging.getLogger("mail.log").setLevel(logging.WARNING)  # not a line for every command
    store = Store(folder)
    loop = asyncio.get_running_loop()

    def session() -> SMTP:
        return SMTP(store, data_size_limit=SIZE_LIMIT, hostname="mailcatcher", ident="mail catcher")

    server = await loop.create_server(session, sock=listener)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if ready is not None:
        ready(server.sockets[0].getsockname()[1])
    await stop.wait()
    server.close()

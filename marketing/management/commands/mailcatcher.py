"""The demo's mail server: takes every mail over SMTP and keeps it as a file."""

import asyncio
import socket
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from marketing import mailcatcher


class Command(BaseCommand):
    help = "Take mail on a local port and store it under var/mail; nothing is forwarded."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=settings.EMAIL_PORT)
        parser.add_argument(
            "--descriptor", type=int, help="a listening socket that was handed down, not a port"
        )
        parser.add_argument("--folder", default=str(settings.MAIL_DIR))

    def handle(self, *args: Any, **options: Any) -> None:
        def ready(port: int) -> None:
            self.stdout.write(f"taking mail on {options['host']}:{port}")
            self.stdout.flush()

        with _listener(options) as listener:
            asyncio.run(
                mailcatcher.serve(listener=listener, folder=Path(options["folder"]), ready=ready)
            )


def _listener(options: dict[str, Any]) -> socket.socket:
    if options["descriptor"] is not None:
        return socket.socket(fileno=options["descriptor"])
    try:
        return socket.create_server((options["host"], options["port"]))
    except OSError as error:
        raise CommandError(
            f"Port {options['port']} on {options['host']} cannot be used: {error.strerror}. "
            "Stop what holds it or choose another with --port."
        ) from None

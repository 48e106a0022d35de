"""Look whether sending waits after a backup was brought back, and let it go on."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from campaigns.messaging import gate


class Command(BaseCommand):
    help = "Say whether sending waits; `sending open` lets it go on after a backup was restored."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("do", nargs="?", choices=["show", "open"], default="show")
        parser.add_argument(
            "--send-again",
            action="store_true",
            help="also send what may have been sent since the backup",
        )

    def handle(self, *args: Any, do: str, send_again: bool, **options: Any) -> None:
        if settings.SENDING_HELD:
            text = "Nothing is sent while SENDING_HELD is set: take it away and start again."
            if do == "open":
                raise CommandError(text)
            self.stdout.write(text)
            return
        found = gate.closed()
        if found is None:
            self.stdout.write("Sending is open.")
            return
        if do == "show":
            self.stdout.write(
                f"Sending waits: the database goes up to {found.restored or 'an unknown moment'}, "
                "and was brought back or copied: what it holds may have been sent elsewhere up to "
                f"{found.seen}. {gate.waiting(found)} messages wait that were due by then. First "
                "replay erasures (manage.py replay_erasures), then manage.py sending open: they "
                "end as not known, and the rest goes on."
            )
            return
        ended = gate.open_again(send_again=send_again, now=timezone.now())
        self.stdout.write(f"Sending goes on. {ended} messages ended as not known.")

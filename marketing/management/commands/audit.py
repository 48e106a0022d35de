"""The audit trail from a terminal: whether it is whole, and its key."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketing.core import sealing


class Command(BaseCommand):
    help = (
        "Say whether the audit trail is whole: exit status 1 and the first fault where it is not."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--verify", action="store_true", help="read all of it against its chain")
        what.add_argument("--seal", action="store_true", help="take what is new into the chain now")
        what.add_argument(
            "--key", action="store_true", help="print AUDIT_KEY, to keep when SECRET_KEY changes"
        )
        parser.add_argument("--head", default="", help="a head that was kept, as number:digest")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["key"]:
            self.stdout.write(settings.AUDIT_KEYS[0].hex())
            return
        if options["seal"]:
            self.stdout.write(f"{sealing.seal()} sealed, head {sealing.head() or 'none'}")
            return
        found = sealing.verify(head=options["head"])
        if found.fault:
            raise CommandError(sealing.explain(found.fault, found.entry))
        since = f"{found.since:%Y-%m-%d %H:%M:%S} UTC" if found.since else "its beginning"
        self.stdout.write(
            f"Whole since {since}: {found.links} links, {found.waiting} waiting to be sealed, "
            f"{found.erased} erased from, {found.let_go} let go.\nHead: {found.head or 'none'}"
        )

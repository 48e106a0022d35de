"""After a restored backup: erase again whoever was erased since it was made."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from ingestion import erasure
from ingestion.models import Customer
from ingestion.privacy import ledger


class Command(BaseCommand):
    help = "Erase again the people whom a restored backup brought back. Run it before sending."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--ledger", type=Path, help="the file of erasures, if not in its place")
        parser.add_argument("--dry-run", action="store_true", help="only say how many")

    def handle(
        self, *args: Any, ledger_file: Path | None = None, dry_run: bool = False, **options: Any
    ) -> None:
        file = options.get("ledger") or ledger_file
        found = ledger.returned(file=file)
        people = "1 person" if len(found) == 1 else f"{len(found)} people"
        if dry_run:
            self.stdout.write(f"{people} would be erased again; nothing was changed.")
            return
        for number, line in found:
            if Customer.every.filter(pk=number).exists():
                erasure.forget(
                    customer_id=number,
                    actor=None,
                    keep_orders=line.mode == "anonymise",
                    replayed=True,
                    now=timezone.now(),
                )
        self.stdout.write(f"{people} erased again; files and texts follow as jobs.")

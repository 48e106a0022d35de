"""Bring the database up to date; safe to run from several places at once."""

from typing import Any

from django.core.management.base import BaseCommand

from marketing import startup


class Command(BaseCommand):
    help = "Apply missing migrations under a lock and make the four roles."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        applied = startup.migrate()
        self.stdout.write(f"{applied} migrations applied" if applied else "nothing to do")

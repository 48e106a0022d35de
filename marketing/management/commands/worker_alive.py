"""A container's health check: has this queue been worked on in the last 90 seconds?"""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from marketing.core import beats


class Command(BaseCommand):
    help = "Exit 1 when no worker of the queue gave a sign of life for 90 s."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("queue", choices=settings.PIPELINE.QUEUES)

    def handle(self, *args: Any, queue: str, **options: Any) -> None:
        if queue in beats.silent(now=timezone.now()):
            raise CommandError(f"No sign of life from {queue} for 90 s.")
        self.stdout.write(f"{queue} is alive")

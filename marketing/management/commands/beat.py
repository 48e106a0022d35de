"""The clock of an installation. Any number may run; one leads."""

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from marketing.core import schedule


class Command(BaseCommand):
    help = "Start periodic work: everything in pipeline.EVERY, once per slot."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        self.stdout.write("keeping time")
        schedule.keep_time(stop)

"""Ask for the demo: a real shop's history through the real import path, models, and a campaign."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from marketing import demo


class Command(BaseCommand):
    help = "Bring in the shipped history and start every step after it; workers do the work."

    def handle(self, *args: Any, **options: Any) -> None:
        demo.begin(now=timezone.now())
        for stage in demo.stages():
            self.stdout.write(f"{stage.title}: {stage.state}")
        self.stdout.write("The workers go on by themselves; the jobs page shows how far they are.")

"""Ask for the demo: a real shop's history through the real import path, models, and a campaign."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from marketing import demo, demo_week
from marketing.core.errors import Refused


class Command(BaseCommand):
    help = "Bring in the shipped history and start every step after it; workers do the work."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--week",
            action="store_true",
            help="let a week go by after the demo's campaign, with simulated orders",
        )

    def handle(self, *args: Any, week: bool = False, **options: Any) -> None:
        if week:
            self._week()
            return
        demo.begin(now=timezone.now())
        for stage in demo.stages():
            self.stdout.write(f"{stage.title}: {stage.state}")
        self.stdout.write("The workers go on by themselves; the jobs page shows how far they are.")

    def _week(self) -> None:
        try:
            made = demo_week.go_by(now=timezone.now())
        except Refused as refused:
            raise CommandError(str(refused)) from refused
        self.stdout.write(
            f"The campaign began on {made.began:%d %B %Y} now, and a week went by. Of {made.mailed}"
            f" people with the mail {made.mailed_orders} ordered, of {made.held_out} held out"
            f" {made.held_out_orders}: simulated, as the source of the orders says"
            f" ({demo_week.SOURCE}). See /campaigns/{made.campaign}/"
        )

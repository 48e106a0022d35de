"""The key behind the hashes of suppressed addresses, to be kept when SECRET_KEY changes."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Print SUPPRESSION_KEY as the environment wants it. Keep it as secret as SECRET_KEY."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(settings.SUPPRESSION_KEY.hex())

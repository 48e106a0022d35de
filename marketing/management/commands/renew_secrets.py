"""Stored secrets under the present SECRET_KEY, so that the one before can go."""

from typing import Any

from django.core.management.base import BaseCommand

from ingestion.connectors import configuring
from ingestion.quality import alerts
from ingestion.webhooks import endpoints
from marketing.core import factors


class Command(BaseCommand):
    help = "Seal every stored secret anew. Needs the old key in SECRET_KEY_FALLBACKS."

    def handle(self, *args: Any, **options: Any) -> None:
        renewed = configuring.renew_secrets() + endpoints.renew_secrets() + alerts.renew_secrets()
        renewed += factors.renew_secrets()
        self.stdout.write(f"{renewed} secrets renewed.")

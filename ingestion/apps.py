from django.apps import AppConfig


class IngestionConfig(AppConfig):
    """Facts."""

    name = "ingestion"

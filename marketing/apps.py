from django.apps import AppConfig


class MarketingConfig(AppConfig):
    """The roof as an app: its commands, static files and templates."""

    name = "marketing"
    label = "marketing"

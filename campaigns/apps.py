from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    """Messages."""

    name = "campaigns"

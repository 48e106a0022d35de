from django.apps import AppConfig
from django.utils.module_loading import import_string


class CampaignsConfig(AppConfig):
    """Messages."""

    name = "campaigns"

    def ready(self) -> None:
        import_string("campaigns.ads.trainings.name_models")()

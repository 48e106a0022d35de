from django.apps import AppConfig


class ModelsMlConfig(AppConfig):
    """Numbers."""

    name = "models_ml"

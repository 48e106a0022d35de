from django.apps import AppConfig


class RecommendationsConfig(AppConfig):
    """Picks."""

    name = "recommendations"

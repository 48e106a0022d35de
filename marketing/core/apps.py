from django.apps import AppConfig


class CoreConfig(AppConfig):
    """People, keys, jobs and the rest of the floor."""

    name = "marketing.core"
    label = "core"

    def ready(self) -> None:
        from marketing.core import checks  # noqa: F401, PLC0415  (registers the system checks)

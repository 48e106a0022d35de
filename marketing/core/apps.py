from django.apps import AppConfig


class CoreConfig(AppConfig):
    """People, keys, jobs and the rest of the floor."""

    name = "marketing.core"
    label = "core"

    def ready(self) -> None:
        # Imported for what they register: system checks, and the key in the API's schema.
        from marketing.core import checks, schema  # noqa: F401, PLC0415

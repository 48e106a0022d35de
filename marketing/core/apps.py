from django.apps import AppConfig


class CoreConfig(AppConfig):
    """People, keys, jobs and the rest of the floor."""

    name = "marketing.core"
    label = "core"

    def ready(self) -> None:
        # Imported for what they register: checks, the key in the API's schema, who signs in.
        from marketing.core import checks, schema, sessions  # noqa: F401, PLC0415

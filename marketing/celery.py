"""The Celery app. A message carries only ids: rows in PostgreSQL are the truth."""

import os
from typing import Any

from celery import Celery
from django.apps import apps
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketing.settings")
# Django's checks are about the code, and `make check` runs them. In a worker they would load every
# page and every form: half a second to a second and a half of a start, and 25 MB kept.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")


def _packages() -> list[str]:
    """Where tasks are: everywhere, unless this is a worker of one queue that needs few of them."""
    light: dict[str, tuple[str, ...]] = settings.PIPELINE.LIGHT
    if few := light.get(os.environ.get("WORKER_QUEUE", "")):
        return list(few)
    installed = [config.name for config in apps.get_app_configs()]
    return installed + [name for names in light.values() for name in names]


class App(Celery):
    """Nobody who only puts a task on a queue waits long for a queue that does not answer."""

    def connection_for_write(self, url: Any = None, *args: Any, **given: Any) -> Any:
        patience = {**settings.QUEUE_PATIENCE, **(given.pop("transport_options", None) or {})}
        return super().connection_for_write(url, *args, transport_options=patience, **given)


app = App("perennial")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(_packages)

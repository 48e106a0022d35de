"""The Celery app. A message carries only ids: rows in PostgreSQL are the truth."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketing.settings")

app = Celery("perennial")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

"""The platform's Celery app, whose refresh of picks writes forty people at a time."""

import django

django.setup()

from marketing.celery import app  # noqa: E402
from recommendations import build  # noqa: E402

build.AT_ONCE = 40

__all__ = ["app"]

"""The WSGI application that serves the views of `bare`, through the platform's own two doors."""

import os
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from marketing.core.programs import ProgramDoor

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketing.settings")

pages = get_wsgi_application()
programs = ProgramDoor()
settings.ROOT_URLCONF = "ingestion.benchmarks.bare"


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Hand a request to the door it names."""
    door = programs if environ["PATH_INFO"].startswith("/door/") else pages
    return door(environ, start_response)

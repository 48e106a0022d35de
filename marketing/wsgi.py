"""The WSGI door that the HTTP server opens."""

import os
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIHandler
from django.core.wsgi import get_wsgi_application
from django.middleware.security import SecurityMiddleware
from django.urls import get_resolver
from django.utils import translation

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketing.settings")


class ProgramDoor(WSGIHandler):
    """The same views without sessions, cookies and page headers, which programs do not bring.

    It serves the addresses to which events are sent; they are asked more often than all pages.
    """

    def load_middleware(self, is_async: bool = False) -> None:
        self._view_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []
        view = convert_exception_to_response(self._get_response)
        self._middleware_chain = convert_exception_to_response(SecurityMiddleware(view))

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        # What an earlier request of this thread chose for a person must not speak to a program.
        translation.activate(settings.LANGUAGE_CODE)
        return super().__call__(environ, start_response)


pages = get_wsgi_application()
programs = ProgramDoor()
# Load every view now, so that the first visitor does not wait for it.
_ = get_resolver().url_patterns


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Hand a request to the door that fits it."""
    path: str = environ["PATH_INFO"]
    if path.startswith("/v1/") or (
        path == "/api/v1/events/"
        and environ["REQUEST_METHOD"] == "POST"
        and "HTTP_AUTHORIZATION" in environ
    ):
        return programs(environ, start_response)
    return pages(environ, start_response)

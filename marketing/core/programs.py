"""Django for programs: the same views without sessions, cookies and page headers.

It serves the addresses that programs call all day, to send events and to ask for picks; they are
asked more often than all pages.
"""

import select
from collections.abc import Callable
from typing import Any

import psycopg2
from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.security import SecurityMiddleware
from django.urls import Resolver404, ResolverMatch, get_resolver
from django.utils import translation


class ProgramDoor(WSGIHandler):
    """A WSGI application whose only middleware is the one that insists on TLS.

    `first` names a module of addresses with a name in them, looked up before all others.
    """

    def __init__(self, first: str = "") -> None:
        self._first = first
        super().__init__()

    def load_middleware(self, is_async: bool = False) -> None:
        self._view_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []
        self._known: dict[tuple[str, str], ResolverMatch] = {}
        view = convert_exception_to_response(self._get_response)  # type: ignore[attr-defined]
        secure = convert_exception_to_response(SecurityMiddleware(view))

        def answer(request: HttpRequest) -> HttpResponseBase:
            if "HTTP_ACCEPT_LANGUAGE" in request.META:
                translation.activate(translation.get_language_from_request(request))
            _trust_silence()
            response = secure(request)
            if isinstance(response, HttpResponse):
                response.headers.setdefault("Content-Length", str(len(response.content)))
            return response  # type: ignore[return-value]

        self._middleware_chain = answer

    def resolve_request(self, request: HttpRequest) -> ResolverMatch:
        """The view of an address; one without a variable part is looked up once."""
        place = (settings.ROOT_URLCONF, request.path_info)
        found = self._known.get(place)
        if found is None:
            found = self._resolve(request)
            if not found.args and not found.kwargs:
                self._known[place] = found
        request.resolver_match = found
        return found

    def _resolve(self, request: HttpRequest) -> ResolverMatch:
        if self._first:
            try:
                return get_resolver(self._first).resolve(request.path_info)
            except Resolver404:
                pass
        return super().resolve_request(request)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        # What an earlier request of this thread chose for a person must not speak to a program.
        translation.activate(settings.LANGUAGE_CODE)
        return super().__call__(environ, start_response)


def _trust_silence() -> None:
    """Spare a connection its check where the server has said nothing since it was used last.

    A server that goes away closes its connections, which can be read from them; then, and where
    anything else waits to be read, the check is made as ever.
    """
    if connection.connection is None or connection.errors_occurred:
        return
    waiting = select.poll()
    try:
        waiting.register(connection.connection.fileno(), select.POLLIN)
        silent = not waiting.poll(0)
    except (OSError, psycopg2.Error):  # it is closed already
        return
    if silent:
        connection.health_check_done = True  # type: ignore[attr-defined]

"""Django for programs: the same views without sessions, cookies and page headers.

It serves the addresses to which events are sent; they are asked more often than all pages.
"""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.security import SecurityMiddleware
from django.urls import ResolverMatch
from django.utils import translation


class ProgramDoor(WSGIHandler):
    """A WSGI application whose only middleware is the one that insists on TLS."""

    def load_middleware(self, is_async: bool = False) -> None:
        self._view_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []
        self._known: dict[tuple[str, str], ResolverMatch] = {}
        view = convert_exception_to_response(self._get_response)  # type: ignore[attr-defined]
        secure = convert_exception_to_response(SecurityMiddleware(view))

        def answer(request: HttpRequest) -> HttpResponseBase:
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
            found = super().resolve_request(request)
            if not found.args and not found.kwargs:
                self._known[place] = found
        request.resolver_match = found
        return found

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        # What an earlier request of this thread chose for a person must not speak to a program.
        translation.activate(settings.LANGUAGE_CODE)
        return super().__call__(environ, start_response)

"""The page for a request that failed: a 503 while the database is away, a 500 for a real fault."""

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import loader
from django.utils.translation import gettext as _
from django.views import defaults

from marketing.core.api import error_body


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500; it is called while the exception is still being handled."""
    away = isinstance(sys.exc_info()[1], OperationalError | InterfaceError)
    headers = {"Retry-After": "5"} if away else {}
    if request.path.startswith("/api/"):
        code, text = (
            ("unavailable", _("The database does not answer; nothing was changed."))
            if away
            else ("server_error", _("Something went wrong on the server; it is in its log."))
        )
        return JsonResponse(error_body(code, text), status=503 if away else 500, headers=headers)
    if away:
        page = loader.get_template("503.html").render()
        return HttpResponse(page, status=503, headers=headers)
    return defaults.server_error(request)

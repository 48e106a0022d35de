"""What no view answers: a page for people, and for programs the one error shape.

503 while the database is away, 500 for a real fault, 404 where nothing is, 413 for a form that is
too large, 400 for no request at all.
"""

import sys

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import loader
from django.utils.translation import gettext as _
from django.views import defaults

from marketing.core.api import error_body


def _is_of_a_program(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404."""
    if _is_of_a_program(request):
        return JsonResponse(error_body("not_found", _("There is nothing here.")), status=404)
    return defaults.page_not_found(request, exception)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400: a host that is not ours, or more fields or files than anybody sends."""
    if _is_of_a_program(request):
        text = _("This request cannot be read; nothing was changed.")
        return JsonResponse(error_body("bad_request", text), status=400)
    if isinstance(exception, RequestDataTooBig):
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 1_000_000
        page = loader.get_template("413.html").render({"most": most}, request)
        return HttpResponse(page, status=413)
    return defaults.bad_request(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500; it is called while the exception is still being handled."""
    away = isinstance(sys.exc_info()[1], OperationalError | InterfaceError)
    headers = {"Retry-After": "5"} if away else {}
    if _is_of_a_program(request):
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

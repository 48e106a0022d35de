"""What holds for every request: no zero bytes, and a person's own language and time zone."""

import zoneinfo
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone, translation
from django.utils.translation import gettext as _


class NoZeroBytes:
    """Refuses addresses with a zero byte: no text here has one, and the database takes none."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "%00" not in request.META.get("QUERY_STRING", "") and "\0" not in request.path_info:
            return self.get_response(request)
        message = _("The address holds a zero byte.")
        if not request.path_info.startswith("/api/"):
            raise BadRequest(message)
        error: dict[str, object] = {"code": "nul_byte", "message": message, "items": []}
        error |= {"field": None, "remedy": None}
        return JsonResponse({"error": error}, status=400)


class PersonalSettings:
    """Activates the profile's language and time zone; unknown values fall back to the defaults."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user
        if not user.is_authenticated:
            return self.get_response(request)
        if user.language in dict(settings.LANGUAGES):
            translation.activate(user.language)
            request.LANGUAGE_CODE = user.language
        try:
            zone = zoneinfo.ZoneInfo(user.timezone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError):
            zone = zoneinfo.ZoneInfo(settings.TIME_ZONE)
        with timezone.override(zone):
            return self.get_response(request)

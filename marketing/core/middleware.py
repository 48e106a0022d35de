"""What holds for every request: no zero bytes, and a person's own language and time zone."""

import zoneinfo
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from marketing.core import brand


class NoZeroBytes:
    """No text here holds a zero byte, and the database takes none.

    The API refuses an address with one; a page is answered as if it had not been in the question.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        asked = request.META.get("QUERY_STRING", "")
        if request.path_info.startswith("/api/"):
            if "%00" in asked or "\0" in request.path_info:
                message = _("The address holds a zero byte.")
                error: dict[str, object] = {"code": "nul_byte", "message": message, "items": []}
                error |= {"field": None, "remedy": None}
                return JsonResponse({"error": error}, status=400)
        elif "%00" in asked:
            request.META["QUERY_STRING"] = asked.replace("%00", "")
        return self.get_response(request)


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
            zone = brand.now().zone
        with timezone.override(zone):
            answer = self.get_response(request)
        # What somebody saw who was signed in stays in no cache, of a proxy or of a shared machine.
        answer.headers.setdefault("Cache-Control", "private, no-store")
        return answer

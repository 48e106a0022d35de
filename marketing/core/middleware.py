"""What holds for every request: no zero bytes, and a person's own language and time zone."""

import zoneinfo
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from marketing.core import brand
from marketing.core.models import User


class Middleware:
    """What stands between a request and what answers it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response


class OfPeople(Middleware):
    """The same for people who are signed in: nobody else meets it."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user
        return self.meet(request, user) if user.is_authenticated else self.get_response(request)

    def meet(self, request: HttpRequest, user: User) -> HttpResponse:
        raise NotImplementedError


class NoZeroBytes(Middleware):
    """No text here holds a zero byte, and the database takes none.

    The API refuses an address with one; a page is answered as if it had not been in the question.
    """

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


class PersonalSettings(OfPeople):
    """Activates the profile's language and time zone; unknown values fall back to the defaults."""

    def meet(self, request: HttpRequest, user: User) -> HttpResponse:
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

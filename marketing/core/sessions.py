"""How long somebody stays signed in: so long without doing anything, and so long at all.

A session's row says when it was last used, as coarsely as a sixtieth of the idle time: so a busy
person costs a write every few minutes, not one a request. Parts of pages that ask again by
themselves are no use of it. It ends for good `SESSION_COOKIE_AGE` after the sign-in.
"""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme, urlencode

from marketing.core.middleware import Middleware

UNATTENDED = "X-Unattended"  # a page's script says so of what no person asked for
PARTS = 60
_SEEN = "seen"


def _now() -> datetime:
    return timezone.now()


class Idle(Middleware):
    """Signs out who did nothing for too long, and leads everybody back to where they were."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        ended = request.user.is_authenticated and _is_over(request)
        if ended:
            logout(request)
        answer = self.get_response(request)
        if answer.status_code != 302 or request.user.is_authenticated:
            return answer
        door = urlsplit(answer.headers.get("Location", ""))
        if door.path != reverse("login") or not door.query:  # signing out leads there too
            return answer
        return _lead(request, ended)


def _is_over(request: HttpRequest) -> bool:
    """Whether the session is to end now; else its use is noted, where it was not lately."""
    now, idle = _now(), settings.SESSION_IDLE
    seen = request.session.get(_SEEN)
    if seen is None:  # of an earlier release
        _begin(request, now)
        return False
    since = now - datetime.fromtimestamp(seen, now.tzinfo)
    if since > idle:
        return True
    if since >= idle / PARTS and UNATTENDED not in request.headers:
        request.session[_SEEN] = int(now.timestamp())
    return False


def _begin(request: HttpRequest, now: datetime) -> None:
    request.session[_SEEN] = int(now.timestamp())
    # A moment, not a length: a length would begin anew with each write.
    request.session.set_expiry(now + timedelta(seconds=settings.SESSION_COOKIE_AGE))


def begin(request: HttpRequest | None = None, **_: Any) -> None:
    """Somebody signed in: both times run from now."""
    if request is not None:
        _begin(request, _now())


user_logged_in.connect(begin, dispatch_uid="sessions.begin")


def _lead(request: HttpRequest, ended: bool) -> HttpResponse:
    """To the sign-in; back to the page, where a part of it or a form on it was asked for."""
    if "HX-Request" in request.headers:
        place = _ours(request, request.headers.get("HX-Current-URL", ""))
    elif request.method in ("GET", "HEAD"):
        place = request.get_full_path()
    else:
        place = _ours(request, request.headers.get("Referer", ""))
    asked = {"next": place or reverse("home")} | ({"idle": "1"} if ended else {})
    door = f"{reverse('login')}?{urlencode(asked)}"
    if "HX-Request" not in request.headers:
        return HttpResponseRedirect(door)
    part = HttpResponse()
    part["HX-Redirect"] = door
    part["Cache-Control"] = "no-store"
    return part


def _ours(request: HttpRequest, address: str) -> str:
    """The path of an address of this installation; empty for any other."""
    if not url_has_allowed_host_and_scheme(address, allowed_hosts={request.get_host()}):
        return ""
    parts = urlsplit(address)
    return parts.path + (f"?{parts.query}" if parts.query else "")

"""The page that a monitoring system reads, for keys with the scope jobs:read and for admins."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from marketing.core import auth
from marketing.metrics import exposition, gathering

SCOPE = "jobs:read"


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """200 with the numbers; 401 without a key that may read jobs, nor an admin's session."""
    if not _may(request):
        text = f"Send Authorization: Bearer with an API key that has the scope {SCOPE}.\n"
        answer = HttpResponse(text, status=401, content_type="text/plain; charset=utf-8")
        answer["WWW-Authenticate"] = 'Bearer realm="metrics"'
        return answer
    body = exposition.write(gathering.families())
    return HttpResponse(body, content_type=exposition.CONTENT_TYPE)


def _may(request: HttpRequest) -> bool:
    kind, _space, secret = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer":
        key = auth.find_key(secret=secret.strip(), now=timezone.now())
        return key is not None and SCOPE in key.scopes
    return auth.may(request.user, "team")

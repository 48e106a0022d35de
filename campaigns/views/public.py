"""What readers of a mail reach without signing in: leave, open, click."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from campaigns.answers import door
from campaigns.messaging import addresses, tracking
from campaigns.seeds import sending
from ingestion.privacy import preferences
from marketing.core import passing


# Mail providers post here for the reader, without cookies and so without a CSRF token; the signed
# token in the path is what allows it, and the body is not read.
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """GET asks, POST acts, neither redirects. A token not made here changes nothing."""
    if request.method == "POST":
        tracking.left(token=token, now=timezone.now())
    message = tracking.leaving(token=token)
    context: dict[str, object] = {"known": message is not None, "done": False}
    if message is not None:
        own = preferences.token_of(customer_id=message.customer_id)
        context |= {"done": request.method == "POST", "own": own}
    elif (key := addresses.signer().read(token, "leave")) is not None:
        context["seed"] = sending.is_copy(key=key.hex)
    elif held := passing.held_back(request.META):
        return held
    return render(request, "public/unsubscribe.html", context)


def opened(request: HttpRequest, token: str) -> HttpResponse:
    """One transparent pixel, whatever the token."""
    return _through_door(request)


def clicked(request: HttpRequest, token: str, mac: str) -> HttpResponse:
    """On to the link's own target, and nowhere else."""
    return _through_door(request)


def _through_door(request: HttpRequest) -> HttpResponse:
    """As the web server answers it by itself, where it is not asked past us."""
    given = door.answer(
        method=str(request.method),
        path=request.path_info,
        query=request.META.get("QUERY_STRING", ""),
        agent=request.headers.get("User-Agent", ""),
        meta=request.META,
        now=timezone.now(),
    )
    response = HttpResponse(given.body, status=int(given.status[:3]), content_type=given.kind)
    response["Cache-Control"] = "no-store"
    if given.location:
        response["Location"] = given.location
    if given.wait:
        response["Retry-After"] = str(given.wait)
    return response

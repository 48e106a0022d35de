"""What readers of a mail reach without signing in: leave, open, click."""

import contextlib
from base64 import b64decode

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from campaigns.answers import hits
from campaigns.messaging import addresses, tracking
from ingestion.privacy import preferences

PIXEL = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


# Reached past the middleware, where no page of ours can be made.
_NO_LINK = (
    '<!doctype html><meta charset="utf-8"><meta name="robots" content="noindex">'
    "<title>404</title><p>This link is not complete, or it was not made here."
)


def _agent(request: HttpRequest) -> str:
    return request.headers.get("User-Agent", "")


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
    return render(request, "public/unsubscribe.html", context)


@never_cache
@require_http_methods(["GET", "HEAD"])
def opened(request: HttpRequest, token: str) -> HttpResponse:
    """One transparent pixel, whatever the token."""
    if request.method == "GET":
        with contextlib.suppress(OperationalError, InterfaceError):  # the next look is noted
            hits.opened(token=token, agent=_agent(request), now=timezone.now())
    return HttpResponse(PIXEL, content_type="image/gif")


@never_cache
@require_http_methods(["GET", "HEAD"])
def clicked(request: HttpRequest, token: str, mac: str) -> HttpResponse:
    """On to the link's own target, and nowhere else."""
    url = request.GET.get("u", "")
    if request.method == "HEAD":
        return HttpResponse()
    target = None
    try:
        target = hits.clicked(
            token=token, mac=mac, url=url, agent=_agent(request), now=timezone.now()
        )
    except (OperationalError, InterfaceError):
        # The reader matters more than the count: the link was signed by us, so it leads on.
        target = addresses.signer().target(mac, url)
    if target is None:
        return HttpResponse(_NO_LINK, status=404)
    return HttpResponseRedirect(target)

"""Where providers report what became of messages: signed requests, without anybody signed in."""

import uuid

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from campaigns.answers import reports
from marketing.core import passing
from marketing.core.api import error_body
from marketing.core.errors import Forbidden, NotFound, Refused

LIMIT = 1_000_000  # bytes; the largest batches of providers are a tenth of it


# The signature over the body is what allows it; there is no cookie that could be misused.
@csrf_exempt
@require_http_methods(["POST", "HEAD"])
def channel_reports(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Keep and act on the reports in one request; anything unsigned is refused."""
    if request.method == "HEAD":  # some services try an address before they use it
        return HttpResponse()
    body = request.read(LIMIT + 1)
    if len(body) > LIMIT:
        return JsonResponse(error_body("too_large", "too large"), status=413)
    try:
        told, wanted = reports.take(
            channel=public_id,
            method="POST",
            headers=request.headers,
            query=request.GET.dict(),
            body=body,
            # As the provider called it, whatever stands between us.
            url=settings.PUBLIC_URL.rstrip("/") + request.get_full_path(),
            now=timezone.now(),
        )
    except (Forbidden, NotFound) as refusal:  # nobody who may report here
        return passing.held_back(request.META) or _refused(refusal)
    except Refused as refusal:
        return _refused(refusal)
    if wanted:
        return HttpResponse(wanted[1], content_type=wanted[0])
    return JsonResponse(told._asdict())


def _refused(refusal: Refused) -> HttpResponse:
    answer = error_body(refusal.code, refusal.message, field=refusal.field, remedy=refusal.remedy)
    return JsonResponse(answer, status=refusal.status)

"""The address that shops deliver to: POST /hooks/in/<token>/. No session, no key: a signature."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import RawPostDataException
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

from ingestion.webhooks import door
from marketing.core import passing
from marketing.core.errors import Invalid, NotFound, Refused, TooLarge


@csrf_exempt
def receive(request: HttpRequest, token: str) -> HttpResponse:
    """Take one delivery and answer after it is durable."""
    if request.method != "POST":
        return JsonResponse(
            {"error": {"code": "method", "message": _("Deliver by POST.")}},
            status=405,
            headers={"Allow": "POST"},
        )
    now = timezone.now()
    try:
        endpoint = door.find(token)
        answer = door.receive(
            endpoint=endpoint, headers=request.headers, body=_body(request), now=now
        )
    except Refused as refusal:
        strange = isinstance(refusal, NotFound | door.Unsigned)
        if strange and (held := passing.held_back(request.META)):
            return held
        error = {
            "code": refusal.code,
            "message": refusal.message,
            "field": refusal.field,
            "remedy": refusal.remedy,
        }
        response = JsonResponse({"error": error}, status=refusal.status)
        if refusal.status == 429:
            response["Retry-After"] = "60"
        return response
    return JsonResponse({"status": answer.state, "duplicate": answer.again})


def _body(request: HttpRequest) -> bytes:
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise Invalid(_("Send the body as it is, not compressed."), code="encoded")
    if int(request.headers.get("Content-Length") or 0) > door.BODY_LIMIT:
        raise TooLarge(
            _("The delivery is larger than %(n)d MB. Nothing was stored.")
            % {"n": door.BODY_LIMIT >> 20},
            code="too_large",
        )
    try:
        return request.read(door.BODY_LIMIT + 1)
    except (OSError, RawPostDataException) as error:
        raise Invalid(_("The delivery was cut off."), code="cut_off") from error

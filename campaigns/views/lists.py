"""Uploading a list of people from within the rule builder."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_POST

from campaigns.models import PersonList
from campaigns.segments import lists
from campaigns.views import palette
from marketing.core.auth import page
from marketing.core.errors import Refused
from marketing.core.models import Job


@require_POST
@page("edit")
def list_upload(request: HttpRequest) -> HttpResponse:
    """Keep the file and start reading it; the builder then asks how it goes."""
    file = request.FILES.get("file")
    try:
        made, job = lists.receive(
            chunks=file.chunks() if file else [],
            file_name=(file.name or "") if file else "",
            name=request.POST.get("name", ""),
            user=request.user,  # type: ignore[arg-type]
            now=timezone.now(),
        )
    except Refused as refusal:
        said = {"field": refusal.field or "file", "message": str(refusal), "remedy": refusal.remedy}
        return JsonResponse({"fault": said}, status=422)
    return JsonResponse({"list": _said(made), "job": str(job.public_id)})


@page("view")
def list_state(request: HttpRequest, pk: int) -> HttpResponse:
    """How far a list is read in: its numbers, and the state of its newest job."""
    made = PersonList.objects.filter(pk=pk).first()
    if made is None:
        return JsonResponse({}, status=404)
    job = Job.objects.filter(kind="list.load", params__list=pk).order_by("-id").first()
    return JsonResponse({
        "list": _said(made),
        "state": job.state if job else "",
        "error": job.error if job else "",
    })  # fmt: skip


def _said(made: PersonList) -> dict[str, object]:
    return {
        "id": made.pk,
        "name": made.name,
        "label": palette.list_label(made.name, made.people),
        "people": made.people,
        "unknown": made.unknown,
    }

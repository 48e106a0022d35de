"""Lists of people: the page of them, and uploading one from there or from within the builder."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from campaigns.models import PersonList
from campaigns.segments import lists
from campaigns.views import palette
from campaigns.views.people import signed_in
from marketing.core.auth import page
from marketing.core.errors import Refused
from marketing.core.models import Job

PER_PAGE = 25


@page("view")
def list_index(request: HttpRequest) -> HttpResponse:
    """Every list with its numbers, how its reading goes, and the segments that ask about it."""
    shown = Paginator(PersonList.objects.all(), PER_PAGE).get_page(request.GET.get("page"))
    found = list(shown.object_list)
    used, jobs = lists.uses(lists=found), lists.readings(lists=found)
    items = [{"list": one, "used": used.get(one.pk, []), "job": jobs.get(one.pk)} for one in found]
    reading = [job for job in jobs.values() if job.is_open]
    context: dict[str, Any] = {"items": items, "page": shown, "reading": reading}
    return render(request, "campaigns/segments/lists.html", context)


@require_POST
@page("edit")
def list_add(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """A new list, or another file for the people of this one."""
    person_list = get_object_or_404(PersonList, pk=pk) if pk else None
    try:
        made, _job = _received(request, person_list)
    except Refused as refusal:
        messages.error(request, " ".join(filter(None, [str(refusal), refusal.remedy])))
    else:
        messages.success(request, _("“%(name)s” is being read.") % {"name": made.name})
    return redirect("campaigns:list-index")


@require_POST
@page("edit")
def list_remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete a list that no live segment asks about."""
    person_list = get_object_or_404(PersonList, pk=pk)
    try:
        lists.remove(person_list=person_list, actor=signed_in(request))
    except Refused as refusal:
        messages.error(request, " ".join(filter(None, [str(refusal), refusal.remedy])))
    else:
        messages.success(request, _("“%(name)s” is deleted.") % {"name": person_list.name})
    return redirect("campaigns:list-index")


def _received(request: HttpRequest, person_list: PersonList | None) -> tuple[PersonList, Job]:
    file = request.FILES.get("file")
    return lists.receive(
        chunks=file.chunks() if file else [],
        file_name=(file.name or "") if file else "",
        name=request.POST.get("name", ""),
        user=signed_in(request),
        person_list=person_list,
        now=timezone.now(),
    )


@require_POST
@page("edit")
def list_upload(request: HttpRequest) -> HttpResponse:
    """Keep the file and start reading it; the builder then asks how it goes."""
    try:
        made, job = _received(request, None)
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
    job = lists.readings(lists=[made]).get(pk)
    return JsonResponse({
        "list": _said(made),
        "state": job.state if job else "",
        "error": job.error if job else "",
    })  # fmt: skip


def _said(made: PersonList) -> dict[str, object]:
    return {
        "id": made.pk,
        "name": made.name,
        "label": palette.list_label(made),
        "people": made.people,
        "unknown": made.unknown,
    }

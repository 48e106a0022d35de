"""Lists of people for ad networks: making one, taking it, and the log of who did."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from campaigns.ads import exporting, hashing, permission
from campaigns.models import AdExport, Segment
from campaigns.views.people import signed_in
from marketing.core import downloads
from marketing.core.auth import page
from marketing.core.errors import Refused

PER_PAGE = 25


@page("view")
@require_GET
def ad_exports(request: HttpRequest) -> HttpResponse:
    """What was handed out, and, for a chosen segment, who would be left out and why."""
    shown = Paginator(AdExport.objects.select_related("job", "created_by"), PER_PAGE).get_page(
        request.GET.get("page")
    )
    segments = Segment.objects.filter(state=Segment.State.LIVE).order_by("name")[:300]
    chosen = request.GET.get("segment", "")
    segment = None
    if chosen.isascii() and chosen.isdigit() and len(chosen) < 18:
        segment = Segment.objects.filter(pk=int(chosen), state=Segment.State.LIVE).first()
    reach: dict[str, Any] | None = None
    error = ""
    if segment is not None:
        try:
            counts = exporting.counted(segment)
            reach = {
                "people": counts.pop("", 0),
                "left_out": exporting.totals(counts),
            }
            reach["meant"] = reach["people"] + sum(counts.values())
        except Refused as refusal:
            error = str(refusal)
    return render(
        request,
        "campaigns/ads/exports.html",
        {
            "page": shown,
            "rows": [
                {"one": one, "reasons": exporting.totals(one.left_out)} for one in shown.object_list
            ],
            "writing": [one.job for one in shown.object_list if one.job and one.job.is_open],
            "segments": segments,
            "segment": segment,
            "reach": reach,
            "error": error,
            "formats": [
                (value, label, hashing.LAYOUTS[value]) for value, label in AdExport.Format.choices
            ],
            "asked": permission.is_asked(),
        },
    )


@page("data")
@require_POST
def ad_export_start(request: HttpRequest) -> HttpResponse:
    try:
        exporting.start(
            segment_id=request.POST.get("segment", ""),
            format=request.POST.get("format", ""),
            user=signed_in(request),
            now=timezone.now(),
        )
        messages.success(request, _("The list is being written."))
    except Refused as refusal:
        messages.error(request, " ".join(filter(None, [str(refusal), refusal.remedy])))
    return redirect("campaigns:ad-exports")


@page("data")
@require_POST
def ad_export_take(request: HttpRequest, public_id: Any) -> Any:
    """The file. It is written down who took it, so it is a deed and not a look."""
    export = get_object_or_404(AdExport, public_id=public_id)
    if export.state == AdExport.State.READY:
        home = reverse("campaigns:ad-exports")
        elsewhere = downloads.guard(
            request, people=export.people, what="ads", back=home, obj=export
        )
        if elsewhere is not None:
            return elsewhere
    try:
        path = exporting.opened(export=export, user=signed_in(request))
    except Refused as refusal:
        messages.error(request, " ".join(filter(None, [str(refusal), refusal.remedy])))
        return redirect("campaigns:ad-exports")
    name = f"{export.format}-{export.created_at:%Y%m%d-%H%M}.csv"
    answer = FileResponse(path.open("rb"), as_attachment=True, filename=name)
    answer["Content-Type"] = "text/csv; charset=utf-8"
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "no-store"
    return answer


@page("data")
@require_POST
def ad_purpose(request: HttpRequest) -> HttpResponse:
    """Make the purpose that people are asked for before ads may know them."""
    try:
        permission.add_purpose(user=signed_in(request), now=timezone.now())
        messages.success(request, _("People can be asked for it now, in files, forms and the API."))
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("campaigns:ad-exports")

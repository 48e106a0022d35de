"""The journeys of one person: where they are, what comes next, and how earlier ones ended."""

from collections import defaultdict
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from campaigns.journeys import leaving
from campaigns.models import Enrollment, JourneyStep
from campaigns.views import journeys_words as words
from campaigns.views.journeys_steps import Sayings
from campaigns.views.people import signed_in
from ingestion.models import Customer
from marketing.core.auth import page
from marketing.core.errors import Refused

MOST, MOST_LINES = 12, 400


@page("view")
@require_GET
def person_journeys(request: HttpRequest, pk: int) -> HttpResponse:
    """A part of the person's page, fetched once that is open."""
    customer = get_object_or_404(Customer, pk=pk)
    rows = list(
        Enrollment.objects.filter(customer=customer)
        .select_related("journey", "version")
        .order_by("-id")[:MOST]
    )
    rows.sort(key=lambda row: row.ended_at is not None)
    steps = defaultdict(list)
    lines = JourneyStep.objects.filter(enrollment__in=[row.pk for row in rows])
    for line in lines.order_by("enrollment_id", "-n")[:MOST_LINES]:
        steps[line.enrollment_id].append(line)
    said = _sayings(rows)
    context = {
        "customer": customer,
        "stays": [_stay(row, said, steps[row.pk]) for row in rows],
    }
    return render(request, "campaigns/journeys/_person.html", context)


def _place(row: Enrollment, node: str) -> str:
    return f"{row.version_id}:{node}"


def _sayings(rows: list[Enrollment]) -> Sayings:
    """The words of all versions, asked together: each step under the number of its version."""
    nodes = {
        _place(row, key): node
        for row in rows
        for key, node in row.version.definition.get("nodes", {}).items()
    }
    return Sayings({"nodes": nodes})


def _stay(row: Enrollment, said: Sayings, lines: list[JourneyStep]) -> dict[str, Any]:
    def title(node: str) -> str:
        return said.title(_place(row, node)) or node

    node = row.version.definition["nodes"].get(row.node, {})
    ways = [node.get("next"), *(way.get("next") for way in node.get("branches") or [])]
    return {
        "row": row,
        "here": title(row.node),
        "then": [title(one) for one in dict.fromkeys(ways) if one],
        "outcome": row.get_outcome_display() if row.outcome else "",
        "lines": [
            {
                "at": line.at,
                "title": title(line.node),
                "way": said.way(_place(row, line.node), line.branch) if line.branch else "",
                "what": str(words.ENDED.get(line.what, "")),
            }
            for line in lines
        ],
    }


@page("edit")
@require_POST
def stay_end(request: HttpRequest, pk: int) -> HttpResponse:
    """Take somebody out of a journey."""
    row = get_object_or_404(Enrollment.objects.select_related("journey"), pk=pk)
    try:
        leaving.take_out(
            enrollment_id=pk,
            reason=request.POST.get("reason", ""),
            user=signed_in(request),
            now=timezone.now(),
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        said = _("They were taken out of “%(name)s”. Nothing more of it is sent to them.")
        messages.success(request, said % {"name": row.journey.name})
    return redirect("customer", row.customer_id)

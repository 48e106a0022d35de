"""People in a journey: who is where, since when, and how those who left did so."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from campaigns.models import Enrollment, Journey
from campaigns.views.builder import whole
from campaigns.views.journeys_steps import Sayings
from marketing.core.auth import page

PER_PAGE = 50
STATES = (
    ("inside", _("Inside now")),
    ("goal", _("Reached the goal")),
    ("left", _("Left before")),
    ("all", _("Everyone who came in")),
    ("held", _("Held out")),
)


@page("view")
@require_GET
def journey_people(request: HttpRequest, pk: int) -> HttpResponse:
    """The people of one state, also of one step, the newest first."""
    journey = get_object_or_404(Journey, pk=pk)
    state = request.GET.get("state", "inside")
    state = state if state in dict(STATES) else "inside"
    step = request.GET.get("step", "")[:40]
    found = _of(Enrollment.objects.filter(journey=journey), state)
    if step and state == "inside":
        found = found.filter(node=step)
    before = whole(request.GET.get("before"))
    if before:
        found = found.filter(pk__lt=before)
    rows = list(found.select_related("customer", "version").order_by("-pk")[: PER_PAGE + 1])
    shown, more = rows[:PER_PAGE], len(rows) > PER_PAGE
    titles = _titles(journey, shown, step)
    context: dict[str, Any] = {
        "journey": journey,
        "state": state,
        "step": step,
        "step_title": titles.get(step, step),
        "rows": [(row, titles.get(row.node, row.node)) for row in shown],
        "tabs": [
            {"label": label, "url": f"?state={key}", "current": key == state}
            for key, label in STATES
        ],
        "first": f"?state={state}" + (f"&step={step}" if step else "") if before else "",
        "next": _next(state, step, shown[-1].pk) if more else "",
    }
    return render(request, "campaigns/journeys/people.html", context)


def _of(found: QuerySet[Enrollment], state: str) -> QuerySet[Enrollment]:
    held = Enrollment.Outcome.HELD
    if state == "held":
        return found.filter(outcome=held)
    found = found.exclude(outcome=held)
    match state:
        case "inside":
            return found.filter(ended_at=None)
        case "goal":
            return found.exclude(goal_at=None)
        case "left":
            return found.filter(goal_at=None).exclude(ended_at=None)
    return found


def _next(state: str, step: str, last: int) -> str:
    return f"?state={state}" + (f"&step={step}" if step else "") + f"&before={last}"


def _titles(journey: Journey, rows: list[Enrollment], step: str) -> dict[str, str]:
    """What the steps of these people are called, also those that the draft has lost."""
    nodes: dict[str, Any] = {}
    for row in rows:
        nodes |= {row.node: row.version.definition["nodes"].get(row.node, {})}
    if step and step not in nodes and step in (journey.draft.get("nodes") or {}):
        nodes[step] = journey.draft["nodes"][step]
    return {key: said["title"] for key, said in Sayings({"nodes": nodes}).all().items()}

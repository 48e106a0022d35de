"""People in a journey: who is where, since when, how those who left did so, and what was sent."""

from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from campaigns.journeys import figures
from campaigns.manners import rules
from campaigns.models import Enrollment, Journey, Message
from campaigns.reporting import behind
from campaigns.views.builder import whole
from campaigns.views.journeys_steps import Sayings
from campaigns.views.messages import listed
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
    step, passed = (request.GET.get(name, "")[:40] for name in ("step", "passed"))
    version = whole(request.GET.get("version"))
    # What else a list is narrowed to, for the addresses of its pages.
    more_asked = {"step": step, "passed": passed, "version": version or ""}
    found = _of(Enrollment.objects.filter(journey=journey), state)
    if step and state == "inside":
        found = found.filter(node=step)
    if passed:
        found = found.filter(pk__in=figures.passers(journey_id=pk, node=passed))
    if version:
        found = found.filter(version__number=version)
    before = whole(request.GET.get("before"))
    if before:
        found = found.filter(pk__lt=before)
    rows = list(found.select_related("customer", "version").order_by("-pk")[: PER_PAGE + 1])
    shown, more = rows[:PER_PAGE], len(rows) > PER_PAGE
    titles = _titles(journey, shown, step or passed)
    context: dict[str, Any] = {
        "journey": journey,
        "state": state,
        "step": step,
        "passed": passed,
        "version": version,
        "step_title": titles.get(step or passed, step or passed),
        "rows": [(row, titles.get(row.node, row.node)) for row in shown],
        "tabs": [
            {"label": label, "url": f"?state={key}", "current": key == state}
            for key, label in STATES
        ],
        "first": _address(state, **more_asked) if before else "",
        "next": _address(state, **more_asked, before=shown[-1].pk) if more else "",
    }
    return render(request, "campaigns/journeys/people.html", context)


@page("view")
@require_GET
def journey_messages(request: HttpRequest, pk: int) -> HttpResponse:
    """What a journey sent or would have: all of it, or what is behind one number of its pages."""
    journey = get_object_or_404(Journey, pk=pk)
    asked = behind.read(request.GET.dict())
    found = Message.objects.filter(run__journey_version__journey=journey)
    if version := whole(request.GET.get("version")):
        found = found.filter(run__journey_version__number=version)
    words = behind.said(asked, channels=rules.CHANNELS, variants={})
    if asked.step:
        words.insert(0, _titles(journey, [], asked.step).get(asked.step, asked.step))
    if version:
        words.insert(0, str(_("Version %(number)s") % {"number": version}))
    context: dict[str, Any] = {
        "journey": journey,
        "said": words,
        "tabs": [
            {"label": _("All"), "url": "?", "current": not asked.state},
            *(
                {"label": label, "url": f"?state={key}", "current": key == asked.state}
                for key, label in Message.State.choices
            ),
        ],
        **listed(request, behind.narrowed(found, asked)),
    }
    return render(request, "campaigns/journeys/messages.html", context)


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


def _address(state: str, **more: Any) -> str:
    return "?" + urlencode(
        {"state": state, **{name: value for name, value in more.items() if value}}
    )


def _titles(journey: Journey, rows: list[Enrollment], step: str) -> dict[str, str]:
    """What the steps of these people are called, also those that the draft has lost."""
    nodes: dict[str, Any] = {}
    for row in rows:
        nodes |= {row.node: row.version.definition["nodes"].get(row.node, {})}
    if step and step not in nodes and step in (journey.draft.get("nodes") or {}):
        nodes[step] = journey.draft["nodes"][step]
    return {key: said["title"] for key, said in Sayings({"nodes": nodes}).all().items()}

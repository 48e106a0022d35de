"""What changes the state of a journey: the check before publishing, versions, pause, close."""

from typing import Any

from django.contrib import messages
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from campaigns.journeys import checking, versions
from campaigns.models import Enrollment, Journey, JourneyVersion
from campaigns.views.journeys_steps import Sayings
from campaigns.views.people import signed_in
from marketing.core.auth import page
from marketing.core.errors import Refused
from marketing.core.wording import comma

SHOWN_VERSIONS = 30


@page("view")
@require_GET
def journey_check(request: HttpRequest, pk: int) -> HttpResponse:
    """What is right and wrong with the draft, and what publishing it means for those inside."""
    journey = get_object_or_404(Journey, pk=pk)
    found = checking.faults(journey.draft)
    sayings = Sayings(journey.draft)
    latest = journey.versions.first()
    context = {
        "journey": journey,
        "faults": [(fault, sayings.title(fault.node)) for fault in found],
        "serious": sum(fault.serious for fault in found),
        "inside": Enrollment.objects.filter(journey=journey, ended_at=None).count(),
        "latest": latest,
        "changes": changes(latest.definition, journey.draft) if latest else [],
        "good": _good(journey, found),
    }
    return render(request, "campaigns/journeys/_check.html", context)


def _good(journey: Journey, found: list[checking.Fault]) -> list[str]:
    """What was looked at and is as it should be."""
    fields = {(fault.node, fault.field) for fault in found}
    nodes = journey.draft.get("nodes") or {}
    said = []
    if not any(fault.serious for fault in found):
        said.append(_("Every step has what it needs, and every way leads somewhere."))
    sends = [key for key, node in nodes.items() if node.get("kind") == "send"]
    if sends and not any((key, "template") in fields for key in sends):
        n = len(sends)
        text = ngettext(
            "The content of %(n)s message can be sent.",
            "The contents of %(n)s messages can be sent.",
            n,
        )
        said.append(text % {"n": n})
    if sends:
        said.append(_("Consent, suppression, caps and quiet hours are asked before each message."))
    return said


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[dict[str, str]]:
    """What differs between two definitions, step by step in words."""
    found = versions.diff(before, after)
    old, new = Sayings(before), Sayings(after)
    parts = {
        "start": _("Where it begins"),
        "goal": _("Its goal"),
        "exits": _("What ends it"),
        "entry": _("Who may come in"),
        "caps": _("How many may come in"),
        "holdout": _("How many are held out"),
    }
    return [
        *({"sign": "+", "text": new.title(node)} for node in found.added),
        *({"sign": "−", "text": old.title(node)} for node in found.removed),
        *({"sign": "~", "text": new.title(node)} for node in found.changed),
        *({"sign": "~", "text": str(parts[part])} for part in found.parts),
    ]


@page("edit")
@require_POST
def journey_publish(request: HttpRequest, pk: int) -> HttpResponse:
    try:
        made = versions.publish(journey_id=pk, user=signed_in(request), now=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        said = _("Version %(number)s is live. New people go through it.") % {"number": made.number}
        messages.success(request, said)
    return redirect("campaigns:journey-edit", pk)


ACTS: dict[str, Any] = {
    "pause": (versions.pause, lambda: _("The journey is paused. Everyone stays where they are.")),
    "resume": (versions.resume, lambda: _("The journey goes on.")),
    "close": (versions.close, lambda: _("The journey is closed. Nobody is inside any more.")),
    "finish": (
        versions.close,
        lambda: _("Nobody comes in any more. Whoever is inside goes on to the end."),
    ),
    "delete": (versions.discard, lambda: _("The draft is deleted.")),
}


@page("edit")
@require_POST
def journey_act(request: HttpRequest, pk: int, act: str) -> HttpResponse:
    """Pause, resume, close or delete; what is refused says why."""
    if act == "copy":
        return _copy(request, pk)
    if act not in ACTS:
        raise Http404
    do, said = ACTS[act]
    more = {"finish": True} if act == "finish" else {}
    try:
        do(journey_id=pk, user=signed_in(request), now=timezone.now(), **more)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("campaigns:journey-edit", pk)
    messages.success(request, said())
    if act == "delete":
        return redirect("campaigns:journey-list")
    return redirect("campaigns:journey-edit", pk)


def _copy(request: HttpRequest, pk: int) -> HttpResponse:
    journey = get_object_or_404(Journey, pk=pk)
    made = versions.create(
        name=(_("%(name)s (copy)") % {"name": journey.name})[:120],
        definition=journey.draft,
        origin=journey.origin,
        user=signed_in(request),
        now=timezone.now(),
    )
    messages.success(request, _("This is a copy. Nothing of it is live yet."))
    return redirect("campaigns:journey-edit", made.pk)


@page("view")
@require_GET
def journey_versions(request: HttpRequest, pk: int) -> HttpResponse:
    """Versions with who is inside, what each changed, and where people may be moved."""
    journey = get_object_or_404(Journey, pk=pk)
    found = list(journey.versions.select_related("published_by")[:SHOWN_VERSIONS])
    inside = _inside(found)
    rows = [
        {
            "version": version,
            "inside": inside.get(version.pk, {}),
            "people": sum(inside.get(version.pk, {}).values()),
            "open": version.state != JourneyVersion.State.CLOSED,
        }
        for version in found
    ]
    shown = next((v for v in found if str(v.number) == request.GET.get("number")), None)
    context: dict[str, Any] = {"journey": journey, "rows": rows, "shown": shown}
    if shown is not None:
        previous = next((v for v in found if v.number < shown.number), None)
        context["previous"] = previous
        context["changes"] = changes(previous.definition, shown.definition) if previous else []
        newest = found[0]
        if shown.pk != newest.pk and shown.pk in inside:
            context["move"] = _moving(shown, newest, inside.get(shown.pk, {}))
            context["newest"] = newest
    return render(request, "campaigns/journeys/_versions.html", context)


def _inside(found: list[JourneyVersion]) -> dict[int, dict[str, int]]:
    """{version: {step: people inside}}."""
    from_rows: dict[int, dict[str, int]] = {}
    rows = Enrollment.objects.filter(version__in=found, ended_at=None)
    for version, node, n in rows.values_list("version", "node").annotate(n=Count("pk")).order_by():
        from_rows.setdefault(version, {})[node] = n
    return from_rows


def _moving(of: JourneyVersion, to: JourneyVersion, inside: dict[str, int]) -> dict[str, Any]:
    """Steps that the other version lacks, each with those it has to go on at."""
    old, new = Sayings(of.definition), Sayings(to.definition)
    steps = [(key, new.title(key)) for key in to.definition["nodes"]]
    lost = [
        {"node": node, "title": old.title(node), "people": people}
        for node, people in sorted(inside.items())
        if node not in to.definition["nodes"]
    ]
    return {"steps": steps, "lost": lost, "people": sum(inside.values())}


@page("edit")
@require_POST
def journey_move(request: HttpRequest, pk: int) -> HttpResponse:
    """Move everybody inside one version to another; steps that are gone need a place."""
    of = get_object_or_404(JourneyVersion, journey=pk, number=request.POST.get("of") or 0)
    to = get_object_or_404(JourneyVersion, journey=pk, number=request.POST.get("to") or 0)
    mapping = {
        key.removeprefix("step-"): value
        for key, value in request.POST.items()
        if key.startswith("step-") and isinstance(value, str) and value
    }
    try:
        moved = versions.move_people(
            version_id=of.pk,
            to_version_id=to.pk,
            mapping=mapping,
            user=signed_in(request),
            now=timezone.now(),
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        text = ngettext(
            "%(n)s person was moved to version %(number)s.",
            "%(n)s people were moved to version %(number)s.",
            moved,
        )
        messages.success(request, text % {"n": comma(moved), "number": to.number})
    return redirect("campaigns:journey-edit", pk)

"""Pages of journeys: the list with its recipes, and the map that draws one."""

from typing import Any

import orjson
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import time_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from campaigns import kits
from campaigns.journeys import checking, starters, versions
from campaigns.models import Journey, JourneyVersion, Segment
from campaigns.segments import terms
from campaigns.views import journeys_numbers, journeys_offer, palette
from campaigns.views.builder import whole
from campaigns.views.journeys_steps import Sayings
from campaigns.views.people import signed_in
from campaigns.views.phrases import OPS
from marketing.core import auth
from marketing.core.auth import page
from marketing.core.errors import Conflict, Refused

PER_PAGE = 25
MOST_VERSIONS = 200
MAX_BYTES = 1_000_000
EMPTY = {"start": "start", "nodes": {"start": {"kind": "event"}}}
TABS = (
    ("", gettext_lazy("All")),
    ("live", gettext_lazy("Live")),
    ("draft", gettext_lazy("Draft")),
    ("paused", gettext_lazy("Paused")),
    ("closed", gettext_lazy("Closed")),
)


@page("view")
@require_GET
def journey_list(request: HttpRequest) -> HttpResponse:
    """Every journey with who is inside, who came in, how many reach the goal, and its health."""
    state = request.GET.get("state", "")
    found = Journey.objects.order_by("-updated_at", "-id")
    counts = journeys_numbers.by_state()
    if state in Journey.State.values:
        found = found.filter(state=state)
    shown = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    rows = journeys_numbers.rows(list(shown.object_list))
    tabs = [
        {
            "label": label,
            "url": f"?state={value}" if value else "?",
            "current": value == state,
            "count": counts.get(value, 0) if value else sum(counts.values()),
        }
        for value, label in TABS
    ]
    context = {
        "page": shown,
        "rows": rows,
        "tabs": tabs,
        "state": state,
        "total": sum(counts.values()),
        "recipes": starters.all(),
    }
    return render(request, "campaigns/journeys/list.html", context)


@page("edit")
@require_http_methods(["GET", "POST"])
def journey_new(request: HttpRequest) -> HttpResponse:
    """Choose a recipe or an empty map; choosing makes the draft and opens it."""
    if request.method == "GET":
        return render(request, "campaigns/journeys/new.html", {"recipes": starters.all()})
    key = request.POST.get("from", "")
    recipe = next((one for one in starters.all() if one.key == key), None)
    who: dict[str, Any] = {"user": signed_in(request), "now": timezone.now()}
    if recipe is None:
        made = versions.create(name=_("New journey"), definition=EMPTY, **who)
        return redirect("campaigns:journey-edit", made.pk)
    kit = kits.make(starter=recipe, **who)
    messages.success(request, _told(kit))
    return redirect("campaigns:journey-edit", kit.journey.pk)


def _told(kit: kits.Made) -> str:
    """What was made with a ready journey, and what is left to do."""
    n = len(kit.mails)
    mails = ngettext("%(n)s mail", "%(n)s mails", n) % {"n": n}
    text = _(
        "Made with it: %(mails)s. Put what is said into your own words, then publish. Nothing is "
        "sent before."
    )
    if kit.segment is not None:
        text = _(
            "Made with it: %(mails)s and the segment “%(segment)s”. Put what is said into your "
            "own words, then publish. Nothing is sent before."
        )
    return text % {"mails": mails, "segment": kit.segment.name if kit.segment else ""}


@page("view")
@require_GET
def journey_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """The map. It is drawn by its script from what stands here as data."""
    journey = get_object_or_404(Journey, pk=pk)
    live = _live(journey)
    options = journeys_offer.options(journey=journey)
    data = {
        "id": journey.pk,
        "number": journey.draft_number,
        "canEdit": auth.may(request.user, "edit"),
        "definition": journey.draft,
        "isLive": journey.state in (Journey.State.LIVE, Journey.State.PAUSED),
        "live": live.definition if live else None,
        "kinds": journeys_offer.kinds(),
        "options": options,
        "said": journeys_offer.said(),
        "propertyOps": [(op, str(OPS[op])) for op in terms.PROPERTY_OPS],
        "token": f"journey{journey.pk}",
        "urls": _urls(journey),
    }
    context = {
        "journey": journey,
        "live": live,
        "data": data,
        "menu": journeys_offer.menu(),
        "stats": journeys_numbers.strip(journey, live),
        "numbers": list(journey.versions.values_list("number", flat=True)[:30]) if live else [],
    }
    return render(request, "campaigns/journeys/edit.html", context)


def _urls(journey: Journey) -> dict[str, str]:
    own = {
        name: reverse(f"campaigns:journey-{name}", args=[journey.pk])
        for name in ("save", "look", "check", "test", "replay", "versions")
    }
    return own | {
        "questions": reverse("campaigns:journey-questions"),
        "preview": reverse("campaigns:segment-preview"),
        "template": reverse("campaigns:template-edit", args=[0]),
        "mail": reverse("campaigns:template-mail", args=[0]),
    }


def _looked_at(journey: Journey) -> dict[str, Any]:
    """What the draft says on the map, and what is wrong with it."""
    sayings = Sayings(journey.draft)
    return {
        "titles": sayings.all(),
        "rules": sayings.rule_texts(),
        "faults": [_said(fault) for fault in checking.faults(journey.draft)],
    }


def _said(fault: checking.Fault) -> dict[str, Any]:
    return fault.as_item() | {"serious": fault.serious}


@page("view")
@require_GET
def journey_look(request: HttpRequest, pk: int) -> HttpResponse:
    """What the map asks for once it is open, and again while the journey is live."""
    journey = get_object_or_404(Journey, pk=pk)
    live = _live(journey)
    shown = _shown(request, journey, live)
    numbers = journeys_numbers.of_nodes(shown, journey) if shown else None
    return JsonResponse({**_looked_at(journey), "figures": numbers, "number": journey.draft_number})


def _shown(
    request: HttpRequest, journey: Journey, live: JourneyVersion | None
) -> list[JourneyVersion]:
    """The versions whose numbers stand on the map: the newest, one that was chosen, or all."""
    chosen = request.GET.get("version", "")
    if chosen == "all":
        return list(journey.versions.order_by("-number")[:MOST_VERSIONS])
    number = whole(chosen)
    found = list(journey.versions.filter(number=number)) if number else []
    return found or ([live] if live else [])


def _live(journey: Journey) -> JourneyVersion | None:
    """The version that people walk: the live one, else the newest."""
    return journey.versions.select_related("run").order_by("-number").first()


@page("edit")
@require_POST
def journey_save(request: HttpRequest, pk: int) -> HttpResponse:
    """Keep the draft as it is drawn; 409 when somebody else kept another one meanwhile."""
    journey = get_object_or_404(Journey, pk=pk)
    try:
        if len(request.body) > MAX_BYTES:
            raise Refused(_("This journey is too large to be kept. Nothing was saved."))
        sent = orjson.loads(request.body)
        definition, number = sent["definition"], int(sent["number"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return JsonResponse(
            {"message": _("This could not be read. Nothing was saved.")}, status=400
        )
    except Refused as refusal:
        return JsonResponse({"message": str(refusal)}, status=413)
    try:
        journey = versions.save_draft(
            journey_id=pk,
            definition=definition,
            number=number,
            user=signed_in(request),
            now=timezone.now(),
        )
    except Conflict as refusal:
        journey.refresh_from_db()
        said = {"message": str(refusal), "number": journey.draft_number}
        return JsonResponse(said, status=409)
    except Refused as refusal:
        return JsonResponse({"message": str(refusal)}, status=422)
    at = time_format(timezone.localtime(journey.draft_at), "H:i")
    return JsonResponse({"number": journey.draft_number, "at": at, **_looked_at(journey)})


@page("view")
@require_GET
def journey_questions(request: HttpRequest) -> HttpResponse:
    """What the editor of rules asks with, fetched when a rule is first opened."""
    live = Segment.objects.filter(state=Segment.State.LIVE).order_by("name")
    from_segments = palette.offered(others=list(live[: journeys_offer.MOST]), segment=None)
    return JsonResponse(
        {
            "data": from_segments,
            "menu": palette.menu(from_segments),
            "suggested": palette.suggestions(),
        }
    )


@page("edit")
@require_POST
def journey_rename(request: HttpRequest, pk: int) -> HttpResponse:
    try:
        versions.save_draft(
            journey_id=pk,
            name=request.POST.get("name", ""),
            user=signed_in(request),
            now=timezone.now(),
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("campaigns:journey-edit", pk)

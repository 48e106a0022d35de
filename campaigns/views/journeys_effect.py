"""What a journey causes: its page, and the few words of it on the list and above the map."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from campaigns.journeys import figures
from campaigns.models import Journey, JourneyReading, JourneyVersion
from campaigns.reporting import effects, journeys, wording
from campaigns.reporting.effects import Effect
from campaigns.reporting.wording import Said
from campaigns.views.builder import whole
from campaigns.views.effects import questions
from marketing.core import brand
from marketing.core.auth import page
from marketing.core.wording import comma

SHOWN_VERSIONS = 12


@page("view")
@require_GET
def journey_effect(request: HttpRequest, pk: int) -> HttpResponse:
    """Who came in against those held out: of all versions under the same terms, or of one."""
    journey = get_object_or_404(Journey, pk=pk)
    number = whole(request.GET.get("version")) or journeys.ALL
    versions = journeys.together(journey, number=number)
    now = timezone.now()
    read = (
        journeys.latest(journey=journey, versions=versions, number=number, now=now)
        if versions
        else None
    )
    found = journeys.effect(versions=versions, read=read) if read else None
    past = journeys.history(journey=journey, versions=versions) if number == journeys.ALL else []
    goal = (versions[0].definition.get("goal") or {}) if versions else {}
    context: dict[str, Any] = {
        "journey": journey,
        "number": number,
        "versions": versions,
        "since": versions[-1].published_at if versions else None,
        "share": journeys.share(versions),
        "window": effects.WINDOW.days,
        "effect": found,
        "said": headline(found, bool(goal)) if found else None,
        "questions": questions(found) if found else [],
        "days": wording.days(past),
        "goal": goal.get("event") or (_("the goal") if goal else ""),
        "currency": brand.now().currency,
        "totals": figures.totals(
            journey_id=pk, version_id=versions[0].pk if number and versions else None
        ),
        "tabs": _tabs(journey, number),
    }
    return render(request, "campaigns/journeys/effect.html", context)


def _tabs(journey: Journey, number: int) -> list[dict[str, Any]]:
    numbers = journey.versions.order_by("-number").values_list("number", flat=True)
    found = list(numbers[:SHOWN_VERSIONS])
    if len(found) < 2:
        return []
    return [
        {"label": _("All versions"), "url": "?", "current": number == journeys.ALL},
        *(
            {
                "label": _("Version %(number)s") % {"number": one},
                "url": f"?version={one}",
                "current": number == one,
            }
            for one in found
        ),
    ]


def headline(effect: Effect, goal: bool) -> Said:
    """The one sentence that a marketer takes away."""
    verdicts = (effect.orders.verdict, effect.money.verdict)
    if effects.ALARM in verdicts:
        return wording.headline(effect)
    if effects.MORE in verdicts and effects.LESS in verdicts:
        return Said("warn", _("It cuts both ways"), _numbers(effect, goal))
    if effects.MORE in verdicts:
        return Said("good", _("It makes a difference"), _numbers(effect, goal))
    if effects.LESS in verdicts:
        return Said("bad", _("It does harm"), _numbers(effect, goal))
    if effects.NOT_YET in verdicts:
        return Said(
            "warn",
            _("We cannot tell"),
            _(
                "What was seen would be nothing unusual if the journey did nothing at all. That is "
                "not the same as no effect: with so many people only a difference of %(points)s "
                "points or more would show. Look as often as you like, the interval is made for it."
            )
            % {"points": f"{100 * (effect.orders.smallest or 0):.2f}"},
        )
    return Said(
        "",
        _("Too few to tell"),
        _(
            "Nothing is said before %(people)s people stand on each side and %(did)s of them all "
            "did what it is for."
        )
        % {"people": effects.LEAST_PEOPLE, "did": effects.LEAST_ORDERS},
    )


def _numbers(effect: Effect, goal: bool) -> str:
    if goal:
        text = _(
            "%(a)s of those who came in did what it is for, %(b)s of those held out: %(points)s "
            "points (%(low)s to %(high)s). In money about %(caused)s in all (%(least)s to "
            "%(most)s)."
        )
    else:
        text = _(
            "%(a)s of those who came in ordered, %(b)s of those held out: %(points)s points "
            "(%(low)s to %(high)s). In money about %(caused)s in all (%(least)s to %(most)s)."
        )
    return text % wording.numbers(effect)


def short(newest: JourneyVersion, reading: JourneyReading | None) -> dict[str, str]:
    """A few words for a table: {"text", "tone", "about"}; empty where nobody is held out."""
    if not journeys.share([newest]):
        return {}
    found = None
    # What was read before the newest version came may have been drawn by another share.
    if reading is not None and reading.until >= newest.published_at:
        found = journeys.effect(versions=[newest], read=journeys.of_row(reading))
    if found is None:
        return {"text": _("Too early"), "tone": "", "about": ""}
    tone, _kind = wording.VERDICTS[found.orders.verdict]
    text = wording.verdict(found.orders)
    if found.orders.proven:
        points = wording.points(found.orders.judged.difference)
        text = _("%(points)s points") % {"points": points}
    elif found.orders.verdict == effects.NOT_YET:
        text, tone = _("Cannot tell"), ""
    elif found.orders.verdict == effects.TOO_FEW:
        text = _("Too few to tell")
    about = _("%(came)s came in, %(held)s held out") % {
        "came": comma(found.treated.people),
        "held": comma(found.control.people),
    }
    return {"text": text, "tone": tone, "about": about}


def shorts(shown: Sequence[Journey]) -> Mapping[int, dict[str, str]]:
    """The same for the journeys of a list, in two questions."""
    newest = journeys.newest(shown)
    rows = JourneyVersion.objects.filter(journey__in=shown).order_by("journey_id", "-number")
    return {
        version.journey_id: short(version, newest.get(version.journey_id))
        for version in rows.distinct("journey_id")
    }


def stat(journey: Journey, live: JourneyVersion) -> dict[str, str] | None:
    """What it causes, for the strip above the map."""
    found = short(live, journey.readings.order_by("-day").first())
    if not found:
        return None
    return {
        "label": _("Caused"),
        "value": found["text"],
        "url": reverse("campaigns:journey-effect", args=[journey.pk]),
    }

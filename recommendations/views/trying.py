"""A visit typed by hand, and every engine's picks side by side; and how fit the products are."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from ingestion.models import Customer
from ingestion.preprocess import codes
from marketing.core.auth import page
from recommendations import gathering, health, live, people, placements, visits
from recommendations.models import Placement
from recommendations.visits import Names, Visit

MOST = 5


@page("view")
def try_it(request: HttpRequest) -> HttpResponse:
    """Somebody, or nobody, on a page with some products: what each engine would show."""
    asked = {
        name: request.GET.get(name, "").strip()[:300]
        for name in ("placement", "person", "product", "items")
    }
    known = placements.look()
    place = known.places.get(asked["placement"]) or next(iter(known.places.values()), None)
    context: dict[str, Any] = {
        "asked": asked,
        "place": place,
        "places": Placement.objects.filter(enabled=True).order_by("pk"),
    }
    if place is not None:
        placements.forget()
        now = timezone.now()
        visit, context["customer"] = _visit(asked["person"], place.pk, now)
        context["unknown"] = bool(asked["person"]) and visit.unit is None
        context["found"] = [] if asked["person"] else people.search("")
        context["looked"] = list(dict.fromkeys(visit.skus))[:MOST]
        items = [codes.unify(text) for part in asked["items"].split(",") if (text := part.strip())]
        context["sides"] = [
            (
                placements.title_of(arm),
                arm == place.arm(visit.unit, visit.arm),
                live.answer(
                    gathering.gather(
                        place=place, visit=visit, side=arm, product=codes.unify(asked["product"]),
                        items=items, now=now,
                    ),
                    terms=place.rules, size=place.size, now=now,
                ),
            )
            for arm in _arms(place)
        ]  # fmt: skip
    return render(request, "recommendations/try.html", context)


def _arms(place: placements.Place) -> list[str]:
    """The placement's own engines first, then the others that have something."""
    return list(dict.fromkeys([*place.arms, placements.BEST, placements.LINKS, *place.sets]))[:MOST]


def _visit(typed: str, place: int, now: Any) -> tuple[Visit, Customer | None]:
    if not typed:
        return Visit(), None
    for names in (Names(external_id=typed), Names(email=typed.lower()), Names(anonymous_id=typed)):
        visit = visits.ask(names=names, placement_id=place, now=now)
        if visit.customer_id is not None or visit.skus:
            return visit, Customer.objects.filter(pk=visit.customer_id or 0).first()
    return Visit(), None


@page("view")
def catalogue(request: HttpRequest) -> HttpResponse:
    """How fit the products are to be shown."""
    goods, found = health.findings()
    return render(request, "recommendations/catalogue.html", {"goods": goods, "findings": found})

"""The rule builder and what it asks while somebody edits: counts, reach, people, SQL, overlap."""

import secrets
from typing import Any

import sqlparse
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.http import require_POST

from campaigns.models import Segment
from campaigns.segments import clock, definitions, fields, history, membership, preview, rules
from campaigns.segments import compile as compiler
from campaigns.segments.rules import All, Node, RuleFault
from campaigns.segments.starters import Starter, starters
from campaigns.segments.terms import NotRead
from campaigns.segments.turns import Superseded
from campaigns.views import palette
from campaigns.views.journeys_words import MESSAGES
from marketing.core import auth, brand
from marketing.core.auth import page

TREND = 30
PEOPLE = 10
SHOWN_OVERLAPS = 5
MAX_OTHERS = 200
_LONG_SQL = 20_000


@page("edit")
def segment_new(request: HttpRequest) -> HttpResponse:
    """An empty builder, one of the starting points, or a rule that another page begins with."""
    node: Node = All(())
    if given := request.GET.get("rule", ""):
        try:
            node = rules.parse_text(given, fields.kinds())
        except RuleFault as fault:
            messages.error(request, definitions.explain(fault))
    return _builder(request, None, node, name=request.GET.get("name", "")[:120])


@page("view")
def segment_edit(request: HttpRequest, pk: int) -> HttpResponse:
    segment = get_object_or_404(Segment, pk=pk)
    try:
        node = compiler.read(segment.rule)
    except RuleFault as fault:
        messages.error(request, definitions.explain(fault))
        node = All(())
    return _builder(request, segment, node, name=segment.name)


def _builder(
    request: HttpRequest, segment: Segment | None, node: Node, *, name: str
) -> HttpResponse:
    """The page opens at once with what is known; its script asks for the rest."""
    others = list(Segment.objects.filter(state=Segment.State.LIVE).order_by("name")[:500])
    offered = palette.offered(others=others, segment=segment)
    starts = _starts(offered) if segment is None else []
    chosen = next((s for s in starts if s.key == request.GET.get("from")), None)
    if chosen is not None:
        node, name = compiler.read(chosen.rule), chosen.name
    data = offered | {
        "rule": rules.to_json(node),
        "id": segment.pk if segment else None,
        "canEdit": auth.may(request.user, "edit"),
        "token": secrets.token_hex(8),
        "preview": reverse("campaigns:segment-preview"),
        "overlap": reverse("campaigns:segment-overlap"),
    }
    context = {
        "segment": segment,
        "name": name,
        "data": data,
        "menu": palette.menu(offered),
        "starts": starts,
        "chosen": chosen,
        "suggested": palette.suggestions(),
        "event_names": [event["name"] for event in offered["events"]],
        "used": definitions.uses(segments=[segment]).get(segment.pk, []) if segment else [],
        "meaning": definitions.meaning(node),
        "as_of": clock.moment(),
        "history": history.of(segment=segment) if segment else None,
    }
    return render(request, "campaigns/segments/edit.html", context)


def _starts(offered: dict[str, Any]) -> list[Starter]:
    return starters(
        events=frozenset(event["name"] for event in offered["events"]),
        predictions={p["key"]: p["kind"] for p in offered["predictions"]},
    )


@require_POST
@page("view")
def segment_preview(request: HttpRequest) -> HttpResponse:
    """What a rule under edit means now, or where its fault is; 204 once a newer question came."""
    try:
        return JsonResponse(_seen(request))
    except Superseded:
        return HttpResponse(status=204)
    except RuleFault as fault:
        said = {"path": fault.path, "message": definitions.explain(fault)}
        return JsonResponse({"fault": said | {"again": isinstance(fault, NotRead)}})


def _seen(request: HttpRequest) -> dict[str, Any]:
    node, segment = _asked(request)
    seed = whole(request.POST.get("seed")) or 0
    within = (segment.pk,) if segment else ()
    as_of = clock.moment()
    seen = preview.look(node, as_of=as_of, within=within, turn=_turn(request))
    people = membership.sample(node, number=PEOPLE, seed=seed, as_of=as_of, within=within)
    size = seen.size.people
    context = {
        "look": seen,
        "size": seen.size,
        "share": _share(size, seen.start),
        "channels": _channels(seen),
        "people": people,
        "trend": [],
        "seed": seed + 1,
        "currency": brand.now().currency,
    }
    if segment:
        trend = list(segment.sizes.order_by("-at")[:TREND])[::-1]
        context["trend"] = [row.size for row in trend]
        if len(trend) > 1:
            context |= {
                "trend_from": trend[0].at,
                "trend_change": trend[-1].size - trend[0].size,
            }
    answer = {
        "live": render_to_string("campaigns/segments/_live.html", context, request),
        "some": render_to_string("campaigns/segments/_people.html", context, request),
        "meaning": definitions.meaning(node),
        "start": seen.start,
        "left": seen.left,
        "alone": seen.alone,
        "exact": seen.parts_exact,
    }
    if request.POST.get("sql"):
        answer["sql"] = _readable(membership.sql(node, as_of=as_of, within=within))
    return answer


def _share(size: int | None, start: int | None) -> float | None:
    return None if size is None or not start else min(100.0, 100 * size / start)


def _channels(seen: preview.Look) -> list[dict[str, Any]]:
    return [
        {
            "label": MESSAGES[channel].label,
            "icon": MESSAGES[channel].icon,
            "hue": MESSAGES[channel].hue,
            "people": number,
            "share": 100 * number / seen.size.people if seen.size.people else 0,
        }
        for channel, number in seen.reachable.items()
    ]


def _readable(sql: str) -> str:
    """SQL in lines, as far as it is short enough to be read at all."""
    if len(sql) > _LONG_SQL:
        return sql
    return str(sqlparse.format(sql, reindent=True, keyword_case="upper", wrap_after=90))


@require_POST
@page("view")
def segment_overlap(request: HttpRequest) -> HttpResponse:
    """Which other segments hold the same people."""
    try:
        node, segment = _asked(request)
        live = Segment.objects.filter(state=Segment.State.LIVE).order_by("-updated_at")
        rows, exact = preview.overlaps(
            node,
            others=list(live.exclude(pk=segment.pk if segment else 0)[:MAX_OTHERS]),
            within=(segment.pk,) if segment else (),
            turn=_turn(request),
        )
    except Superseded:
        return HttpResponse(status=204)
    except RuleFault:
        return JsonResponse({"html": ""})
    context = {
        "rows": [(row, round(100 * row.share)) for row in rows[:SHOWN_OVERLAPS]],
        "exact": exact,
    }
    html = render_to_string("campaigns/segments/_overlap.html", context, request)
    return JsonResponse({"html": html.strip()})


def _asked(request: HttpRequest) -> tuple[Node, Segment | None]:
    segment = Segment.objects.filter(pk=whole(request.POST.get("id")) or 0).first()
    return rules.parse_text(request.POST.get("rule", ""), fields.kinds()), segment


def _turn(request: HttpRequest) -> str:
    """What stands for this open builder of this person; questions without a token stop no other."""
    given = request.POST.get("token", "")[:64]
    return f"segment:{request.user.pk}:{given}" if given else ""


def whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 18 else None

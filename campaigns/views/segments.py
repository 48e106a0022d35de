"""Pages of segments: the list, the rule builder with its live count, and the people in one."""

import json
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from campaigns.models import Campaign, Segment, SegmentSize
from campaigns.segments import compile as compiler
from campaigns.segments import definitions, fields, membership, rules
from campaigns.segments.rules import All, Node, RuleFault
from ingestion.models import Customer, Event
from marketing.core.auth import page
from marketing.core.errors import Refused
from models_ml import queries

PER_PAGE = 25
TREND = 30

OPS = {
    "<": gettext_lazy("is under"),
    "<=": gettext_lazy("is at most"),
    "=": gettext_lazy("is"),
    "!=": gettext_lazy("is not"),
    ">=": gettext_lazy("is at least"),
    ">": gettext_lazy("is over"),
    "between": gettext_lazy("is between"),
    "known": gettext_lazy("is known"),
    "unknown": gettext_lazy("is not known"),
    "in": gettext_lazy("is one of"),
    "not_in": gettext_lazy("is none of"),
    "contains": gettext_lazy("contains"),
    "starts_with": gettext_lazy("starts with"),
    "before": gettext_lazy("is before"),
    "after": gettext_lazy("is on or after"),
    "within_days": gettext_lazy("is in the last days"),
    "not_within_days": gettext_lazy("is not in the last days"),
    "in_next_days": gettext_lazy("is in the next days"),
    "during": gettext_lazy("is during"),
    "not_during": gettext_lazy("is not during"),
    "anniversary_within": gettext_lazy("comes round within days"),
}
WORDS = {
    "and": gettext_lazy("and"),
    "or": gettext_lazy("or"),
    "not": gettext_lazy("not"),
    "allOf": gettext_lazy("all of"),
    "anyOf": gettext_lazy("any of"),
    "matchGroup": gettext_lazy("Match any or all in this group"),
    "remove": gettext_lazy("Remove rule"),
    "removeGroup": gettext_lazy("Remove group"),
    "addInside": gettext_lazy("Add to group"),
    "exclude": gettext_lazy("Leave these people out"),
    "include": gettext_lazy("Take these people in"),
    "question": gettext_lazy("Question"),
    "value": gettext_lazy("Value"),
    "from": gettext_lazy("From"),
    "to": gettext_lazy("To"),
    "values": gettext_lazy("Values, separated by commas"),
    "yes": gettext_lazy("yes"),
    "no": gettext_lazy("no"),
    "field": gettext_lazy("Field"),
    "ordered": gettext_lazy("Ordered"),
    "anything": gettext_lazy("anything"),
    "product": gettext_lazy("product number"),
    "category": gettext_lazy("category"),
    "bought": gettext_lazy("What they bought"),
    "did": gettext_lazy("Did"),
    "event": gettext_lazy("Event"),
    "atLeast": gettext_lazy("at least"),
    "times": gettext_lazy("times in the last"),
    "howOften": gettext_lazy("How many times at least"),
    "days": gettext_lazy("days"),
    "howLong": gettext_lazy("Days back; empty means ever"),
    "ever": gettext_lazy("ever"),
    "with": gettext_lazy("with"),
    "property": gettext_lazy("Property"),
    "addTest": gettext_lazy("Add a condition"),
    "removeTest": gettext_lazy("Remove condition"),
    "inSegment": gettext_lazy("Is in segment"),
    "segment": gettext_lazy("Segment"),
    "left": gettext_lazy("People left after this rule"),
    "rules": gettext_lazy("rules"),
}
ICONS = {
    fields.WHO: ("user", "k5"),
    fields.BOUGHT: ("shopping-cart", "k2"),
    fields.PREDICTED: ("sparkles", "k6"),
    fields.CONSENT: ("shield-check", "k1"),
}


@page("view")
def segment_list(request: HttpRequest) -> HttpResponse:
    """Live segments with size, trend, origin and where each is used."""
    q = request.GET.get("q", "").strip()[:100]
    rows = Segment.objects.filter(state=Segment.State.LIVE).select_related("created_by")
    if q:
        rows = rows.filter(name__icontains=q)
    shown = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    found = list(shown.object_list)
    trends: dict[int, list[int]] = {}
    sizes = SegmentSize.objects.filter(segment__in=found).order_by("-at")[: TREND * PER_PAGE]
    for row in sizes:
        trends.setdefault(row.segment_id, []).insert(0, row.size)
    used: dict[int, list[str]] = {}
    for name, segment_id in Campaign.objects.filter(segment__in=found).values_list(
        "name", "segment_id"
    ):
        used.setdefault(segment_id, []).append(name)
    items = [
        {"segment": s, "trend": trends.get(s.pk, [])[-TREND:], "used": used.get(s.pk, [])}
        for s in found
    ]
    everyone = Customer.objects.count()
    context = {"items": items, "page": shown, "q": q, "everyone": everyone}
    return render(request, "campaigns/segments/list.html", context)


@page("edit")
def segment_new(request: HttpRequest) -> HttpResponse:
    """An empty builder, or one of the starting points."""
    starter = _starters().get(request.GET.get("from", ""))
    node: Node = compiler.read(starter["rule"]) if starter else All(())
    return _builder(request, None, node, name=starter["name"] if starter else "")


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
    live = _live_context(node, segment, seed=0)
    others = list(Segment.objects.filter(state=Segment.State.LIVE).order_by("name")[:500])
    data = {
        "rule": rules.to_json(node),
        "counted": _counted(live["look"]),
        "fields": {
            f.name: {
                "label": capfirst(str(f.label)),
                "kind": f.kind,
                "icon": ICONS[f.group][0],
                "hue": ICONS[f.group][1],
                "step": 10**-f.decimals if f.decimals else 1,
            }
            for f in fields.FIELDS.values()
        },
        "ops": {kind: list(ops) for kind, ops in rules.OPS.items()},
        "propertyOps": rules.PROPERTY_OPS,
        "opWords": {op: str(label) for op, label in OPS.items()},
        "words": {key: str(word) for key, word in WORDS.items()},
        "segments": [
            {"id": other.pk, "name": other.name}
            for other in others
            if segment is None or other.pk != segment.pk
        ],
        "preview": reverse("campaigns:segment-preview"),
        "id": segment.pk if segment else None,
    }
    menu = [
        (label, ICONS[group][0], [f for f in fields.FIELDS.values() if f.group == group])
        for group, label in fields.GROUPS.items()
    ]
    context = {
        "segment": segment,
        "name": name,
        "data": data,
        "menu": menu,
        "starters": _starters() if segment is None else {},
        "events": _event_types(),
        "countries": list(
            Customer.objects.exclude(country="")
            .order_by("country")
            .values_list("country", flat=True)
            .distinct()
        ),
        "used": definitions.used_by(segment, among=others) if segment else [],
        **live,
    }
    return render(request, "campaigns/segments/edit.html", context)


def _counted(look: membership.Look | None) -> dict[str, Any]:
    return {"start": look.start, "left": look.left} if look else {"start": None, "left": []}


def _event_types() -> list[str]:
    """Kinds of events seen lately, for the list to choose from."""
    newest = Event.objects.order_by("-at").values_list("type", flat=True)[:2000]
    return sorted(set(newest))


def _live_context(node: Node, segment: Segment | None, seed: int) -> dict[str, Any]:
    within = (segment.pk,) if segment else ()
    as_of = queries.as_of()
    seen = membership.look(node, as_of=as_of, within=within)
    size = seen.size if seen else membership.count(node, as_of=as_of, within=within)
    people = membership.sample(node, seed=seed, as_of=as_of, within=within)
    trend = (
        list(segment.sizes.order_by("-at").values_list("size", "at")[:TREND])[::-1]
        if segment
        else []
    )
    return {
        "look": seen,
        "size": size,
        "people": people,
        "meaning": definitions.meaning(node),
        "sql": membership.sql(node, as_of=as_of, within=within),
        "as_of": as_of,
        "trend": [n for n, _at in trend],
        "trend_from": trend[0][1] if trend else None,
        "trend_change": trend[-1][0] - trend[0][0] if len(trend) > 1 else 0,
        "seed": seed + 1,
        "currency": settings.DEFAULT_CURRENCY,
    }


@require_POST
@page("view")
def segment_preview(request: HttpRequest) -> HttpResponse:
    """What a rule under edit means now: count, people, sentence, SQL; or where its fault is."""
    segment = Segment.objects.filter(pk=_whole(request.POST.get("id")) or 0).first()
    seed = _whole(request.POST.get("seed")) or 0
    try:
        node = rules.parse_text(request.POST.get("rule", ""), fields.kinds())
        context = _live_context(node, segment, seed)
    except RuleFault as fault:
        response = render(
            request, "campaigns/segments/_fault.html", {"message": definitions.explain(fault)}
        )
        said = {"path": fault.path, "message": definitions.explain(fault)}
        response["HX-Trigger"] = json.dumps({"segment-fault": said})
        return response
    response = render(request, "campaigns/segments/_live.html", {**context, "swap": True})
    response["HX-Trigger"] = json.dumps({"segment-counted": _counted(context["look"])})
    return response


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 18 else None


@require_POST
@page("edit")
def segment_save(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """Keep the rule; on a fault the answer is 422 and says which part."""
    segment = get_object_or_404(Segment, pk=pk) if pk else None
    try:
        node = rules.parse_text(request.POST.get("rule", ""), fields.kinds())
        saved = definitions.save(
            name=request.POST.get("name", ""),
            description=request.POST.get("description", segment.description if segment else ""),
            rule=rules.to_json(node),
            segment=segment,
            actor=request.user,  # type: ignore[arg-type]
            now=timezone.now(),
        )
    except RuleFault as fault:
        return _refused(request, definitions.explain(fault), fault.path)
    except Refused as refusal:
        return _refused(request, str(refusal), "")
    messages.success(
        request,
        _("“%(name)s” is saved and stays up to date by itself: people move in and out.")
        % {"name": saved.name},
    )
    url = reverse("campaigns:segment-edit", args=[saved.pk])
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": url})
    return redirect(url)


def _refused(request: HttpRequest, message: str, path: str) -> HttpResponse:
    response = render(request, "campaigns/segments/_fault.html", {"message": message}, status=422)
    response["HX-Trigger"] = json.dumps({"segment-fault": {"path": path, "message": message}})
    return response


@require_POST
@page("edit")
def segment_archive(request: HttpRequest, pk: int) -> HttpResponse:
    segment = get_object_or_404(Segment, pk=pk)
    try:
        definitions.archive(segment=segment, actor=request.user)  # type: ignore[arg-type]
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("campaigns:segment-edit", pk=pk)
    messages.success(request, _("“%(name)s” is archived.") % {"name": segment.name})
    return redirect("campaigns:segment-list")


@page("view")
def segment_people(request: HttpRequest, pk: int) -> HttpResponse:
    """Everyone in a segment, by id, page after page."""
    segment = get_object_or_404(Segment, pk=pk)
    node = compiler.read(segment.rule)
    after = _whole(request.GET.get("after")) or 0
    rows = list(
        membership.members(node, within=(segment.pk,))
        .filter(pk__gt=after)
        .select_related("traits")
        .order_by("pk")[: PER_PAGE + 1]
    )
    more = len(rows) > PER_PAGE
    rows = rows[:PER_PAGE]
    context = {
        "segment": segment,
        "people": rows,
        "next": f"?after={rows[-1].pk}" if more else "",
        "first": f"{request.path}" if after else "",
        "size": membership.count(node, within=(segment.pk,)),
        "currency": settings.DEFAULT_CURRENCY,
    }
    return render(request, "campaigns/segments/people.html", context)


def _starters() -> dict[str, dict[str, Any]]:
    """Rules worth starting from."""
    return {
        "lapsed": {
            "name": _("Good customers gone quiet"),
            "text": _("At least 3 orders, none for 60 days."),
            "rule": {"all": [
                {"field": "traits.orders", "op": ">=", "value": 3},
                {"field": "traits.recency_days", "op": ">", "value": 60},
                {"field": "can_email", "op": "=", "value": True},
            ]},
        },
        "second": {
            "name": _("Ready for a second order"),
            "text": _("Ordered once, in the last 60 days."),
            "rule": {"all": [
                {"field": "traits.orders", "op": "=", "value": 1},
                {"field": "traits.recency_days", "op": "<=", "value": 60},
                {"field": "can_email", "op": "=", "value": True},
            ]},
        },
        "best": {
            "name": _("Best customers"),
            "text": _("Among the fifth that orders most often and spends most."),
            "rule": {"all": [
                {"field": "traits.f_score", "op": "=", "value": 5},
                {"field": "traits.m_score", "op": "=", "value": 5},
            ]},
        },
    }  # fmt: skip

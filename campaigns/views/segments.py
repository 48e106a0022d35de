"""Pages of segments: the list, saving and archiving one, and the people in one."""

import json

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from campaigns.models import Segment, SegmentMember
from campaigns.segments import compile as compiler
from campaigns.segments import definitions, fields, history, membership, rules
from campaigns.segments.membership import Size
from campaigns.segments.rules import RuleFault
from campaigns.segments.starters import starters
from campaigns.segments.turns import OutOfTime, patiently
from campaigns.views import palette
from campaigns.views.builder import whole
from ingestion.models import Customer
from marketing.core import brand
from marketing.core.auth import page
from marketing.core.errors import Refused

PER_PAGE = 25


@page("view")
def segment_list(request: HttpRequest) -> HttpResponse:
    """Live segments with size, trend, who came and went, and where each is used."""
    q = request.GET.get("q", "").strip()[:100]
    live = Segment.objects.filter(state=Segment.State.LIVE)
    rows = live.select_related("created_by", "upkeep")
    if q:
        rows = rows.filter(name__icontains=q)
    shown = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    found = list(shown.object_list)
    trends = history.trends(segments=found)
    moves = history.moves(segments=found)
    used = definitions.uses(segments=found)
    items = [
        {
            "segment": s,
            "trend": trends.get(s.pk, []),
            "moves": moves.get(s.pk, (0, 0)),
            "used": used.get(s.pk, []),
            "trouble": definitions.trouble(s),
        }
        for s in found
    ]
    everyone = Customer.objects.count()
    context = {"items": items, "page": shown, "q": q, "everyone": everyone}
    if not items and not q:
        events, predictions = palette.events(), palette.predictions()
        context["starts"] = starters(
            events=frozenset(event["name"] for event in events),
            predictions={one["key"]: one["kind"] for one in predictions},
        )
    return render(request, "campaigns/segments/list.html", context)


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
    segment = get_object_or_404(Segment.objects.select_related("upkeep"), pk=pk)
    after = whole(request.GET.get("after")) or 0
    stored = segment.size is not None
    try:
        rows, size = _stored(segment, after) if stored else _asked(segment, after)
    except RuleFault:
        return redirect("campaigns:segment-edit", pk=pk)  # which says what is wrong
    more = rows is not None and len(rows) > PER_PAGE
    shown = (rows or [])[:PER_PAGE]
    context = {
        "segment": segment,
        "people": shown,
        "slow": rows is None,
        "stored": stored,
        "trouble": definitions.trouble(segment) if stored else "",
        "next": f"?after={shown[-1].pk}" if more else "",
        "first": f"{request.path}" if after else "",
        "size": size,
        "currency": brand.now().currency,
    }
    return render(request, "campaigns/segments/people.html", context)


def _stored(segment: Segment, after: int) -> tuple[list[Customer], Size]:
    """A page of the members as they are stored, and how many they are."""
    rows = SegmentMember.objects.filter(segment=segment, customer__gt=after)
    found = rows.select_related("customer__traits").order_by("customer_id")[: PER_PAGE + 1]
    people = []
    for row in found:
        row.customer.since = row.since  # type: ignore[attr-defined]
        people.append(row.customer)
    return people, Size(segment.size, True, 0.0)


def _asked(segment: Segment, after: int) -> tuple[list[Customer] | None, Size]:
    """The same by the rule, as long as no members are stored; None when that took too long."""
    node = compiler.read(segment.rule)
    members = membership.members(node, within=(segment.pk,)).filter(pk__gt=after)
    size = membership.count(node, within=(segment.pk,))
    try:
        with patiently(membership.PATIENCE_MS):
            return list(members.select_related("traits").order_by("pk")[: PER_PAGE + 1]), size
    except OutOfTime:
        return None, size

"""Which events and properties there are, and what was agreed about them."""

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from ingestion.models import Drift, EventPlan, EventProperty, EventType, Policy, Refusal
from ingestion.quality import fields, uses
from ingestion.registry import judging, listing, plans, shapes, tally
from marketing.core.auth import page, person
from marketing.core.errors import Refused

PER_PAGE = 50
BREACHES = timedelta(days=30)


@page("view")
def schema_list(request: HttpRequest) -> HttpResponse:
    """Every event type with its volume and plan, and what changed lately."""
    now = timezone.now()
    text = request.GET.get("q", "").replace("\0", "").strip()[:100]
    shown = Paginator(listing.types(text=text), PER_PAGE).get_page(request.GET.get("page"))
    kinds = list(shown.object_list)
    agreed = {
        plan.name: plan for plan in EventPlan.objects.filter(name__in=[k.name for k in kinds])
    }
    lines = listing.sparks(ids=[kind.pk for kind in kinds], now=now)
    users = uses.all_uses()
    rows = [
        {
            "kind": kind,
            "plan": agreed.get(kind.name),
            "spark": lines.get(kind.pk, []),
            "used": len(uses.of(subject=fields.EVENTS + kind.name, field="", among=users)),
        }
        for kind in kinds
    ]
    rules = plans.rules()
    context = {
        "page": shown,
        "rows": rows,
        "q": text,
        "rules": rules,
        "policies": Policy.choices,
        "types_n": EventType.objects.count(),
        "properties_n": EventProperty.objects.count(),
        "planned_n": EventPlan.objects.count(),
        "broken_n": Refusal.objects.filter(
            Q(code__startswith="plan_"), state=Refusal.State.OPEN
        ).count(),
        "drifts": listing.drifts(limit=8),
        "drifts_n": Drift.objects.filter(at__gte=now - timedelta(days=7)).count(),
        "types_cap": tally.TYPES,
    }
    return render(request, "ingestion/schema/list.html", context)


@require_POST
@page("data")
def schema_unknown(request: HttpRequest) -> HttpResponse:
    """What becomes of events that the plan does not name."""
    try:
        plans.choose_unknown(
            policy=request.POST.get("policy", ""), user=person(request), now=timezone.now()
        )
        messages.success(request, _("Saved. It holds for events from now on."))
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("ingestion:schema-list")


@page("view")
def event_type(request: HttpRequest, type_id: int) -> HttpResponse:
    """One event: its properties, plan, volume, what broke it and who uses it."""
    kind = get_object_or_404(EventType.objects.prefetch_related("properties"), pk=type_id)
    return _detail(request, kind)


def _detail(request: HttpRequest, kind: EventType, refusal: Refused | None = None) -> HttpResponse:
    now = timezone.now()
    plan = EventPlan.objects.filter(name=kind.name).select_related("updated_by").first()
    subject = fields.EVENTS + kind.name
    users = [use for use in uses.all_uses() if any(s == subject for s, _f in use.places)]
    properties = listing.properties(kind=kind, plan=plan)
    words = listing.kind_words()
    rows: list[dict[str, Any]] = [
        {
            "property": item,
            "used": [use for use in users if (subject, item.row.name) in use.places],
            "values": "\n".join(item.rule.get("values", [])),
        }
        for item in properties
    ]
    broken = listing.breaches(name=kind.name, since=now - BREACHES)
    for entry in broken:
        entry["message"], entry["remedy"] = judging.wording(
            entry["code"], kind.name, entry["property"], "\0"
        )
        if entry["code"] == "plan_type":
            entry["message"] = _("“%(field)s” was of another kind than agreed.") % {
                "field": entry["property"]
            }
        entry["label"] = Policy(entry["action"]).label
    context = {
        "kind": kind,
        "plan": plan,
        "rows": rows,
        "users": users,
        "broken": broken,
        "drifts": listing.drifts(type_id=kind.pk, limit=10),
        "chart": listing.chart(now=now, span="month", by="source", type_name=kind.name),
        "policies": Policy.choices,
        "kinds": [(key, words[key]) for key in shapes.KINDS],
        "cap": tally.PROPERTIES,
        "refusal": refusal,
        "unused": sum(not row["used"] for row in rows),
        "empty": sum(row["property"].empty for row in rows),
        "mixed": sum(row["property"].mixed for row in rows),
    }
    return render(request, "ingestion/schema/detail.html", context, status=422 if refusal else 200)


@require_POST
@page("data")
def plan_save(request: HttpRequest, type_id: int) -> HttpResponse:
    """Save, adopt or remove the plan of one event."""
    kind = get_object_or_404(EventType.objects.prefetch_related("properties"), pk=type_id)
    user, now, post = person(request), timezone.now(), request.POST
    try:
        if post.get("do") == "adopt":
            plans.adopt(name=kind.name, user=user, now=now)
            messages.success(request, _("What was seen is the plan now. Adjust it as you like."))
        elif post.get("do") == "remove":
            plans.remove(name=kind.name, user=user, now=now)
            messages.success(request, _("The event has no plan any more."))
        else:
            plans.save(
                name=kind.name,
                policy=post.get("policy", ""),
                user=user,
                now=now,
                properties=read_rules(request),
                description=post.get("description", ""),
                owner=post.get("owner", ""),
                closed=post.get("closed") == "1",
            )
            messages.success(request, _("The plan is saved. It holds for events from now on."))
    except Refused as refusal:
        return _detail(request, kind, refusal)
    return redirect("ingestion:event-type", kind.pk)


def read_rules(request: HttpRequest) -> dict[str, dict[str, Any]]:
    """The properties of a plan as the form sends them: name-0, in-0, type-0, …"""
    post = request.POST
    out: dict[str, dict[str, Any]] = {}
    for place in range(plans.PROPERTIES_LIMIT + 1):
        name = post.get(f"name-{place}")
        if name is None or post.get(f"in-{place}") != "1":
            continue
        out[name] = {
            "type": post.get(f"type-{place}", ""),
            "required": post.get(f"required-{place}") == "1",
            "values": post.get(f"values-{place}", "").splitlines(),
            "min": post.get(f"min-{place}", "").strip(),
            "max": post.get(f"max-{place}", "").strip(),
            "description": post.get(f"about-{place}", ""),
        }
    return out

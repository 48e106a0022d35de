"""Offers under a budget: plans, one of them with its sums, who gets what, and who is left out."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from marketing.core.auth import page
from marketing.core.errors import Invalid, Refused
from marketing.core.models import Job
from models_ml.models import Prediction
from recommendations import groups
from recommendations.models import OfferChoice, OfferPlan
from recommendations.offers import keeping, suitability, terms
from recommendations.views.placements import mind_rights

ROWS, RULES, SHOWN = 2, 3, 20


@page("view")
def plan_list(request: HttpRequest) -> HttpResponse:
    """Every plan with what came of its last planning."""
    rows = OfferPlan.objects.order_by("-planned_at", "-pk")
    return render(request, "recommendations/offers.html", {"rows": list(rows)})


@page("view")
def plan_detail(request: HttpRequest, slug: str = "") -> HttpResponse:
    """One plan, or a new one: offers and budget, the sums, who gets what and who is left out."""
    found = get_object_or_404(OfferPlan, slug=slug) if slug else None
    if found is None or request.method == "POST":
        mind_rights(request)
    error: Refused | None = None
    if request.method == "POST":
        try:
            row, _made = keeping.save(
                slug=slug,
                values=_values(request.POST),
                actor=request.user,  # type: ignore[arg-type]
                now=timezone.now(),
            )
            messages.success(request, _("Saved. Plan it to decide who gets what."))
            return redirect("recommendations:offer-plan", row.slug)
        except Refused as fault:
            error = fault
    context: dict[str, Any] = {
        "plan": found,
        "error": error,
        "values": request.POST if error else _shown(found),
        "rows": _form_rows(request.POST) if error else _stored_rows(found),
        "kinds": OfferPlan.Kind.choices,
        "groups": groups.titles(),
        "ops": _ops(),
        "chances": _predictions(Prediction.Kind.CHANCE),
        "effects": _predictions(Prediction.Kind.EFFECT),
    }
    if found is not None:
        context |= _outcome(found)
    return render(request, "recommendations/offer_plan.html", context, status=422 if error else 200)


def _predictions(kind: str) -> list[tuple[str, str]]:
    rows = Prediction.objects.filter(kind=kind, state=Prediction.State.ACTIVE)
    return list(rows.values_list("key", "title"))


def _ops() -> dict[str, str]:
    return {
        suitability.AT_LEAST: _("at least"), suitability.AT_MOST: _("at most"),
        suitability.ONE_OF: _("one of"), suitability.NONE_OF: _("none of"),
        suitability.HOLDS: _("holds one of"), suitability.HOLDS_NOT: _("holds none of"),
    }  # fmt: skip


def _outcome(row: OfferPlan) -> dict[str, Any]:
    running = Job.objects.filter(kind=keeping.PLAN, state__in=Job.OPEN, params__plan=row.pk)
    told = row.result.get("offers", [])
    best = (
        OfferChoice.objects.filter(plan=row).select_related("customer", "product")
        .order_by("-worth", "pk")[:SHOWN]
    )  # fmt: skip
    lines = []
    for one in told:
        rules = [
            (_worded(rule), out) for rule, out in zip(one.get("rules", []), one["out"]["rules"],
                                                      strict=True)
        ]  # fmt: skip
        lines.append((one, rules))
    return {
        "running": list(running.defer("log", "result")),
        "result": row.result,
        "lines": lines,
        "best": [(choice, told[choice.offer]["name"]) for choice in best] if told else [],
        "stale": bool(row.planned_at and row.updated_at > row.planned_at),
    }


def _worded(rule: Mapping[str, Any]) -> str:
    value = rule["value"]
    said = ", ".join(value) if isinstance(value, list) else f"{value:g}"
    return " ".join(part for part in (rule.get("field", ""), _ops()[rule["op"]], said) if part)


@require_POST
@page("edit")
def plan_start(request: HttpRequest, slug: str) -> HttpResponse:
    """Decide anew who gets what."""
    get_object_or_404(OfferPlan, slug=slug)
    try:
        keeping.start(slug=slug, actor=request.user)  # type: ignore[arg-type]
        messages.success(request, _("Started. The page shows how far it is."))
    except Refused as fault:
        messages.info(request, fault.message)
    return redirect("recommendations:offer-plan", slug)


@require_POST
@page("edit")
def plan_remove(request: HttpRequest, slug: str) -> HttpResponse:
    """Take a plan away with who gets what."""
    get_object_or_404(OfferPlan, slug=slug)
    keeping.remove(slug=slug, actor=request.user)  # type: ignore[arg-type]
    messages.success(request, _("The plan is gone."))
    return redirect("recommendations:offers")


def _values(form: Mapping[str, str]) -> dict[str, Any]:
    """The form as `keeping.save` takes it: percent as parts, empty offers left out."""
    values: dict[str, Any] = {
        name: form.get(name, "") for name in ("name", "kind", "group", "currency", "buys", "effect")
    }
    values["budget"] = _number(form, "budget", _("Budget"))
    values["contact_cost"] = _number(form, "contact_cost", _("Cost of telling one person")) or 0
    margin = _number(form, "margin", _("Margin"))
    if margin is not None:
        values["margin"] = margin / 100
    values["offers"] = [_offer(one) for one in _form_rows(form) if one["name"]]
    return values


def _offer(one: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"name": one["name"], "source": one["source"]}
    for name in ("prediction", "sku"):
        if one[name] and one["source"] == terms.SCORE:
            found[name] = one[name]
    for name in ("value", "discount", "discount_percent"):
        number = _number(one, name, one["name"])
        if number is not None:
            found[name] = number
    found["rules"] = [_rule(rule, one["name"]) for rule in one["rules"] if rule["value"]]
    return found


def _rule(rule: Mapping[str, str], offer: str) -> dict[str, Any]:
    if rule["op"] in suitability.NUMBERS:
        return {
            "field": rule["field"], "op": rule["op"], "value": _number(rule, "value", offer)
        }  # fmt: skip
    texts = [text for part in rule["value"].split(",") if (text := part.strip())]
    if rule["op"] in suitability.HOLDINGS:
        return {"op": rule["op"], "value": texts}
    return {"field": rule["field"], "op": rule["op"], "value": texts}


def _form_rows(form: Mapping[str, str]) -> list[dict[str, Any]]:
    names = ("name", "source", "prediction", "sku", "value", "discount", "discount_percent")
    return [
        {name: form.get(f"offer_{name}_{n}", "").strip() for name in names}
        | {
            "rules": [
                {part: form.get(f"rule_{part}_{n}_{r}", "").strip()
                 for part in ("field", "op", "value")}
                for r in range(terms.RULES_MOST)
                if r < RULES or f"rule_op_{n}_{r}" in form
            ]
        }
        for n in range(max(ROWS, _highest(form)))
    ]  # fmt: skip


def _highest(form: Mapping[str, str]) -> int:
    return sum(1 for n in range(terms.MOST) if f"offer_name_{n}" in form)


def _stored_rows(row: OfferPlan | None) -> list[dict[str, Any]]:
    found = []
    for one in row.offers if row else []:
        rules = [
            {"field": rule.get("field", ""), "op": rule["op"],
             "value": ", ".join(rule["value"]) if isinstance(rule["value"], list)
             else f"{rule['value']:g}"}
            for rule in one.get("rules", [])
        ]  # fmt: skip
        rules += [{"field": "", "op": "", "value": ""}] * max(0, RULES - len(rules))
        numbers = {
            name: f"{one[name]:g}"
            for name in ("value", "discount", "discount_percent")
            if name in one
        }
        found.append({**one, **numbers, "rules": rules})
    blank = [{"rules": [{"field": "", "op": "", "value": ""}] * RULES}]
    return found + blank * max(1, ROWS - len(found))


def _number(form: Mapping[str, Any], name: str, label: str) -> float | None:
    text = str(form.get(name, "")).strip().replace(",", ".")
    if not text:
        return None
    try:
        found = float(text)
    except ValueError:
        found = float("nan")
    if found != found or abs(found) > 1e12:
        raise Invalid(
            _("%(label)s: “%(text)s” is no number.") % {"label": label, "text": text[:40]},
            code="not_a_number",
            field=name,
        )
    return found


def _shown(row: OfferPlan | None) -> dict[str, Any]:
    if row is None:
        return {"kind": OfferPlan.Kind.RETAIL, "margin": "100", "contact_cost": "0"}
    names = ("name", "kind", "group", "currency", "buys", "effect", "budget")
    return {name: getattr(row, name) for name in names} | {
        "margin": f"{100 * row.margin:g}",
        "contact_cost": f"{row.contact_cost:f}".rstrip("0").rstrip("."),
    }

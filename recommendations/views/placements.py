"""Placements: the list, one of them with its rules, what those change, and what came of it."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from marketing.core import audit, auth, jobs
from marketing.core.auth import page
from marketing.core.errors import Invalid, Refused
from marketing.core.models import Job
from recommendations import defining, groups, outcomes, placements, preview
from recommendations.models import LinkSet, Placement
from recommendations.placements import DEFAULT
from recommendations.rules import Rules, terms

LINKS = "recommendations.links"
_NUMBERS = (*terms.WHOLE, *terms.NUMBER)


@page("view")
def placement_list(request: HttpRequest) -> HttpResponse:
    """Every placement, and the links between products that they are answered from."""
    running = Job.objects.filter(kind=LINKS, state__in=Job.OPEN).defer("log", "result", "params")
    return render(
        request,
        "recommendations/placements.html",
        {
            "rows": [(row, _engines(row)) for row in Placement.objects.order_by("pk")],
            "links": LinkSet.objects.filter(complete=True).defer("popular").first(),
            "running": list(running),
        },
    )


def _engines(row: Placement) -> str:
    first = placements.engines().get(row.engine, row.engine)
    if not row.rival_percent:
        return first
    rival = placements.engines().get(row.rival, row.rival)
    return f"{first} {100 - row.rival_percent}% · {rival} {row.rival_percent}%"


@page("view")
def placement_detail(request: HttpRequest, slug: str = "") -> HttpResponse:
    """One placement, or a new one: what it shows, under which rules, and what came of it."""
    found = get_object_or_404(Placement, slug=slug) if slug else None
    if found is None:
        mind_rights(request)
    error: Refused | None = None
    status = 200
    row = found or Placement(kind=Placement.Kind.HOME, size=8)
    rules = Rules.of(row.rules, row.size)
    if request.method == "POST":
        return_to, error = _save(request, slug)
        if return_to is not None:
            return return_to
        status = 422
    context: dict[str, Any] = {
        "place": found,
        "row": row,
        "values": request.POST if error else _shown(row, rules),
        "ticked": _ticked(request.POST) if error else _ticked_of(row, rules),
        "allows": _allow_rows(request.POST) if error else _allows(rules),
        "groups": groups.titles(),
        "engines": placements.engines(),
        "kinds": Placement.Kind.choices,
        "holdouts": Placement.Holdout.choices,
        "error": error,
        "needed": slug == DEFAULT,
        "script": request.build_absolute_uri(reverse("doors:picks-script")),
        "address": request.build_absolute_uri(reverse("api:recommendations-live")),
    }
    if found is not None:
        try:
            context["sides"] = outcomes.sides(placement=found, now=timezone.now())
        except OperationalError:
            context["slow"] = True
    return render(request, "recommendations/placement.html", context, status=status)


def mind_rights(request: HttpRequest) -> None:
    """Only those who may change things may go on."""
    if not auth.may(request.user, "edit"):
        raise PermissionDenied(
            _("Your role may look at this but not change it. Ask an admin for more rights.")
        )


def _save(request: HttpRequest, slug: str) -> tuple[HttpResponse | None, Refused | None]:
    mind_rights(request)
    try:
        row, _made = defining.save(
            slug=slug,
            values=_values(request.POST),
            actor=request.user,  # type: ignore[arg-type]
            now=timezone.now(),
            percent=True,
        )
    except Refused as fault:
        return None, fault
    messages.success(request, _("Saved. Pages show it within two seconds."))
    return redirect("recommendations:placement", row.slug), None


@require_POST
@page("edit")
def placement_remove(request: HttpRequest, slug: str) -> HttpResponse:
    """Take a placement away with what was counted of it."""
    try:
        defining.remove(slug=slug, actor=request.user)  # type: ignore[arg-type]
        messages.success(request, _("The placement is gone."))
    except Refused as fault:
        messages.error(request, f"{fault.message} {fault.remedy or ''}")
        return redirect("recommendations:placement", slug)
    return redirect("recommendations:placements")


@require_POST
@page("view")
def placement_preview(request: HttpRequest, slug: str) -> HttpResponse:
    """What the rules in the form would change, before they are saved."""
    row = get_object_or_404(Placement, slug=slug)
    place = preview.placed(row)
    context: dict[str, Any] = {"place": row, "off": place is None}
    if place is not None:
        try:
            values = _values(request.POST)
            rules = defining.read_rules(values["rules"], values.get("size", row.size), percent=True)
            context["effect"] = preview.effect(place=place, rules=rules, now=timezone.now())
        except Refused as fault:
            context["error"] = fault
    return render(request, "recommendations/_effect.html", context)


@require_POST
@page("edit")
def links_start(request: HttpRequest) -> HttpResponse:
    """Count anew which products go together."""
    if Job.objects.filter(kind=LINKS, state__in=Job.OPEN).exists():
        messages.info(request, _("This is already running; its progress is below."))
    else:
        job = jobs.start(kind=LINKS, title=_("Link products"), user=request.user, steps=1)  # type: ignore[arg-type]
        audit.record(actor=request.user, action=f"{LINKS}.started", obj=job)  # type: ignore[arg-type]
        messages.success(request, _("Started. The page shows how far it is."))
    return redirect("recommendations:placements")


def _values(form: Mapping[str, str]) -> dict[str, Any]:
    """The form as `defining.save` takes it. Invalid for what is no number."""
    values: dict[str, Any] = {
        name: form.get(name, "") for name in ("name", "kind", "engine", "rival", "holdout_shows")
    }
    values["enabled"] = "enabled" in form
    for name in ("size", "rival_percent", "holdout_percent"):
        values[name] = int(_number(form, name) or 0)
    rules: dict[str, Any] = {name: name in form for name in terms.YES_NO}
    for name in _NUMBERS:
        number = _number(form, name)
        if number is not None:
            rules[name] = number / 100 if name in defining.PERCENT else number
    for name in terms.TEXTS:
        rules[name] = [text for part in form.get(name, "").split(",") if (text := part.strip())]
    rules["allow"] = [
        {"group": group, "categories": names}
        for group, text in _allow_rows(form)
        if group and (names := [t for part in text.split(",") if (t := part.strip())])
    ]
    return {**values, "rules": rules}


def _number(form: Mapping[str, str], name: str) -> float | None:
    text = form.get(name, "").strip().replace(",", ".")
    if not text:
        return None
    try:
        found = float(text)
    except ValueError:
        found = float("nan")
    if found != found or abs(found) > 1e12:
        raise Invalid(
            _("“%(text)s” is no number.") % {"text": text[:40]}, code="not_a_number", field=name
        )
    return found


def _allow_rows(form: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(form.get(f"allow_group_{n}", ""), form.get(f"allow_names_{n}", "")) for n in range(3)]


def _allows(rules: Rules) -> list[tuple[str, str]]:
    rows = [(one.group, ", ".join(one.categories)) for one in rules.allow]
    return (rows + [("", "")] * 3)[: max(3, len(rows))]


def _shown(row: Placement, rules: Rules) -> dict[str, Any]:
    """A placement as its form shows it."""
    values: dict[str, Any] = {
        name: getattr(row, name)
        for name in (
            "name", "kind", "size", "engine", "rival", "rival_percent", "holdout_percent",
            "holdout_shows",
        )
    }  # fmt: skip
    for name in _NUMBERS:
        value = getattr(rules, name)
        if value is not None:
            value = round(100 * value, 2) if name in defining.PERCENT else value
            values[name] = f"{value:g}"
    return values | {name: ", ".join(getattr(rules, name)) for name in terms.TEXTS}


def _ticked(form: Mapping[str, str]) -> set[str]:
    return {name for name in ("enabled", *terms.YES_NO) if name in form}


def _ticked_of(row: Placement, rules: Rules) -> set[str]:
    found = {name for name in terms.YES_NO if getattr(rules, name)}
    return found | ({"enabled"} if row.enabled else set())

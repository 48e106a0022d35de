"""The recipe of a source: its rules with what they do to real rows, versions, running again."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from ingestion import schemas
from ingestion.imports.wording import field as field_name
from ingestion.models import ImportJob, RecipeRun, RecipeVersion, Source
from ingestion.preprocess.recipe import nodes
from ingestion.recipes import asking, rates, samples, versions, wording
from ingestion.views import recipe_forms as forms
from marketing.core.auth import page, person
from marketing.core.errors import Refused
from marketing.core.forms import whole_number

SHOWN_VERSIONS = 12
SHOWN_FILES = 8


def _source(source_id: int, kind: str) -> Source:
    if kind not in schemas.KINDS:
        raise Http404
    return get_object_or_404(Source.objects.select_related("webhook"), pk=source_id)


@page("view")
def recipe_edit(request: HttpRequest, source_id: int, kind: str) -> HttpResponse:
    """The recipe as it is now."""
    source = _source(source_id, kind)
    version = versions.current(source=source, kind=kind)
    rules = list(version.body.get("rules", [])) if version else []
    context = _editor(source, kind, rules, base=version.number if version else 0)
    return render(request, "ingestion/recipe/edit.html", context | _aside(source, kind))


@require_POST
@page("data")
def recipe_try(request: HttpRequest, source_id: int, kind: str) -> HttpResponse:
    """The form as it stands, with what its rules do to the sample. Saves nothing."""
    source = _source(source_id, kind)
    rules = forms.read(request.POST)
    do = request.POST.get("do", "")
    known = samples.known_columns(kind=kind, sample=samples.take(source=source, kind=kind))
    opened = forms.change(rules, do, known) if do else request.POST.get("open", "")
    if do.startswith(("up:", "down:", "toggle:", "remove:")):
        opened = request.POST.get("open", "")
    fresh = opened if do.startswith("add:") else ""
    context = _editor(
        source, kind, rules, base=_base(request), opened=opened, dirty=True, fresh=fresh
    )
    if request.headers.get("HX-Request"):
        return render(request, "ingestion/recipe/_body.html", context)
    return render(request, "ingestion/recipe/edit.html", context | _aside(source, kind))


@require_POST
@page("data")
def recipe_save(request: HttpRequest, source_id: int, kind: str) -> HttpResponse:
    """Save what the form says as a new version."""
    source = _source(source_id, kind)
    rules = forms.read(request.POST)
    try:
        before = versions.current(source=source, kind=kind)
        saved = versions.save(
            source=source,
            kind=kind,
            body={"rules": rules},
            based_on=_base(request),
            user=person(request),
            now=timezone.now(),
        )
    except Refused as refusal:
        context = _editor(source, kind, rules, base=_base(request), dirty=True, refused=refusal)
        context |= _aside(source, kind)
        return render(request, "ingestion/recipe/edit.html", context, status=422)
    if before is not None and before.pk == saved.pk:
        messages.info(request, _("Nothing was changed, so there is no new version."))
    else:
        messages.success(
            request,
            _("Version %(n)d is saved. New imports use it.") % {"n": saved.number},
        )
    return redirect("ingestion:recipe-edit", source.pk, kind)


@require_POST
@page("data")
def recipe_rates(request: HttpRequest, source_id: int, kind: str) -> HttpResponse:
    """Take the rates that a person wrote."""
    source = _source(source_id, kind)
    try:
        count = rates.replace(
            source=source, rows=rates.parse(request.POST.get("rates", "")), user=person(request)
        )
        messages.success(request, _("%(n)d rates are saved.") % {"n": count})
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("ingestion:recipe-edit", source.pk, kind)


@require_POST
@page("data")
def recipe_repeat(request: HttpRequest, source_id: int, kind: str) -> HttpResponse:
    """Run a stored file again with a version."""
    source = _source(source_id, kind)
    record = get_object_or_404(
        ImportJob.objects.select_related("recipe_version"),
        source=source,
        kind=kind,
        public_id=request.POST.get("import") or None,
    )
    number = whole_number(request.POST.get("version"))
    version = None
    if number != 0:
        version = get_object_or_404(
            RecipeVersion,
            recipe__source=source,
            recipe__kind=kind,
            number=-1 if number is None else number,
        )
    try:
        run = asking.repeat(record=record, version=version, user=person(request))
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("ingestion:recipe-edit", source.pk, kind)
    if run.job is not None:
        return redirect("core:job-detail", run.job.public_id)
    return redirect("ingestion:recipe-edit", source.pk, kind)


def _base(request: HttpRequest) -> int:
    number = whole_number(request.POST.get("base"))
    return -1 if number is None else number


def _editor(
    source: Source,
    kind: str,
    rules: list[dict[str, Any]],
    *,
    base: int,
    opened: str = "",
    dirty: bool = False,
    refused: Refused | None = None,
    fresh: str = "",
) -> dict[str, Any]:
    """Everything about the rules: each with its settings, counts and examples."""
    sample = samples.take(source=source, kind=kind)
    recipe, wrong = forms.parsed(rules)
    tried = samples.run(recipe=recipe, source=source, sample=sample)
    known = samples.known_columns(kind=kind, sample=sample)
    by_id = {rule.id: rule for rule in recipe.rules}
    shown = []
    for place, rule in enumerate(rules):
        fault = wrong.get(str(rule["id"]), {})
        node = by_id.get(str(rule["id"]))
        report = tried.reports.get(str(rule["id"]))
        title, _text, icon, group = wording.RULES[str(rule["rule"])]
        touched = report and report.rows + report.left_out + report.quarantined + report.duplicate
        shown.append(
            {
                "id": rule["id"],
                "kind": rule["rule"],
                "title": title,
                "icon": icon,
                "hue": {"text": "k1", "known": "k2", "numbers": "k3", "rows": "k4"}[group],
                "sentence": wording.sentence(node) if node else "",
                "on": rule.get("on", True),
                "open": rule["id"] == opened or bool(fault),
                "first": place == 0,
                "last": place == len(rules) - 1,
                "fault": fault,
                "bad": bool(fault) and rule["id"] != fresh,
                "inputs": list(forms.inputs(rule, known, {} if rule["id"] == fresh else fault)),
                "report": report,
                "touched": touched or 0,
                "share": round(100 * (touched or 0) / sample.rows) if sample.rows else 0,
                "examples": _examples(report),
            }
        )
        if node is not None:
            known = [*known, *(name for name in nodes.makes(node) if name not in known)]
    return {
        "source": source,
        "kind": kind,
        "kind_name": ImportJob.Kind(kind).label,
        "rules": shown,
        "opened": opened,
        "sample": sample,
        "left": tried.left,
        "base": base,
        "dirty": dirty,
        "refused": refused,
        "wrong": bool(wrong),
        "palette": forms.palette(),
        "functions": forms.functions(),
        "others": sample.others,
        "fixed": samples.fixed(kind=kind, record=sample.record),
        "uses_rates": any(isinstance(rule, nodes.Currency) for rule in recipe.rules),
    }


def _examples(report: Any) -> list[dict[str, Any]]:
    if report is None:
        return []
    return [
        {
            "line": example["line"],
            "before": [(field_name(name), text) for name, text in example["before"].items()],
            "after": [(field_name(name), text) for name, text in example["after"].items()],
        }
        for example in report.examples[:3]
    ]


def _aside(source: Source, kind: str) -> dict[str, Any]:
    """Versions with what changed, and the files that can be run again."""
    history = versions.history(source=source, kind=kind)
    told = []
    for place, version in enumerate(history[:SHOWN_VERSIONS]):
        older = history[place + 1] if place + 1 < len(history) else None
        told.append(
            {
                "version": version,
                "changes": versions.differences(
                    versions.recipe_of(older), versions.recipe_of(version)
                ),
                "rules": samples.counts(version),
            }
        )
    files = list(
        ImportJob.objects.select_related("recipe_version")
        .filter(source=source, kind=kind, state=ImportJob.State.DONE)
        .exclude(path="")
        .defer("report", "trial")[:SHOWN_FILES]
    )
    runs = list(
        RecipeRun.objects.select_related("import_job", "after", "before", "job").filter(
            import_job__source=source, import_job__kind=kind
        )[:5]
    )
    kinds = set(
        ImportJob.objects.filter(source=source).values_list("kind", flat=True).distinct()
    ) | set(source.recipes.values_list("kind", flat=True))
    return {
        "versions": told,
        "files": [record for record in files if asking.may_repeat(record)],
        "runs": runs,
        "rates": rates.as_text(source=source),
        "kinds": [
            (
                name,
                ImportJob.Kind(name).label,
                reverse("ingestion:recipe-edit", args=[source.pk, name]),
            )
            for name in schemas.KINDS
            if name in kinds or name == kind
        ],
    }

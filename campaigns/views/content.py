"""Pages of content: the list of templates and the editor."""

from collections.abc import Iterable
from typing import Any

import orjson
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from campaigns import content
from campaigns.content import blocks as forms
from campaigns.content import history, library, saving, seeing, testing, translations
from campaigns.content.kinds import PLAN
from campaigns.messaging import context
from campaigns.models import SavedBlock, Segment, Template
from campaigns.views.people import signed_in
from marketing.core.auth import page
from marketing.core.errors import Refused
from models_ml import catalog, registry
from recommendations import serve
from recommendations.offers import keeping

PER_PAGE = 25
MOST_SAVED = 200
WRITTEN = ("name", "subject", "preheader", "mjml", "written_in")


@page("view")
@require_GET
def template_list(request: HttpRequest) -> HttpResponse:
    shown = Paginator(content.listed(), PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "campaigns/content/list.html", {"page": shown})


def begin(written_in: str) -> dict[str, Any]:
    """What the editor shows of a new template."""
    values: dict[str, Any] = {**content.starter(), "written_in": written_in, "blocks": []}
    if written_in == Template.Writing.BLOCKS:
        return {**values, "mjml": "", "blocks": forms.starter()}
    if written_in == Template.Writing.HTML:
        made = saving.mail(subject=values["subject"], mjml=values["mjml"])
        return {**values, "preheader": "", "mjml": made["html"]}
    return {**values, "written_in": Template.Writing.MJML}


def _stored(template: Template, language: str) -> dict[str, Any]:
    """What the editor shows of a stored one; of a new language what is to be translated."""
    values = {name: getattr(template, name) for name in (*WRITTEN, "blocks")}
    if language in template.languages:
        values |= {k: v for k, v in template.languages[language].items() if k in values}
    return values


def blocks_of(request: HttpRequest) -> Any:
    """The blocks that a form sent; None, which is refused when it is read, for what is no JSON."""
    try:
        return orjson.loads(request.POST.get("blocks") or "[]")
    except orjson.JSONDecodeError:
        return None


def posted(request: HttpRequest) -> dict[str, Any]:
    """What the editor sent, to be shown again."""
    written_in = request.POST.get("written_in", Template.Writing.MJML)
    return {**content.written(request.POST), "written_in": written_in, "blocks": blocks_of(request)}


def to_save(values: dict[str, Any]) -> dict[str, Any]:
    """The same to be saved: blocks that cannot be read are refused, and not taken for none."""
    return {**values, "blocks": ["?"] if values["blocks"] is None else values["blocks"]}


@page("edit")
@require_http_methods(["GET", "POST"])
def template_edit(request: HttpRequest, template_id: int | None = None) -> HttpResponse:
    template = get_object_or_404(Template, pk=template_id) if template_id else None
    if template is not None and template.kind != "email":
        return redirect("campaigns:note-edit", template.pk)
    language, error = _language(request, template)
    values = (
        _stored(template, language)
        if template is not None
        else begin(request.GET.get("as", Template.Writing.BLOCKS))
    )
    if request.GET.get("as") == Template.Writing.MJML:
        values |= {"written_in": Template.Writing.MJML, "blocks": []}
    if request.method == "POST":
        values = posted(request)
        try:
            saved = _save(template, language, values, request)
        except Refused as refusal:
            error = refusal
            values["blocks"] = values["blocks"] or []
        else:
            messages.success(request, _("Saved as version %(n)d.") % {"n": saved.version})
            url = reverse("campaigns:template-edit", args=[saved.pk])
            return redirect(f"{url}?language={language}" if language else url)
    return render(
        request,
        "campaigns/content/edit.html",
        {
            "template": template,
            "values": values,
            "error": error,
            **paper(),
            "fields": context.FIELDS,
            "team": testing.team(),
            "language": language,
            "language_name": translations.name_of(language) if language else "",
            "languages": _languages(template, language),
            **palette(),
            "sample_size": seeing.SAMPLE,
            "used": history.used(template) if template else [],
        },
        status=422 if error else 200,
    )


def _save(
    template: Template | None, language: str, values: dict[str, Any], request: HttpRequest
) -> Template:
    said = to_save(values)
    who: dict[str, Any] = {"user": signed_in(request), "now": timezone.now()}
    if template is None or not language:
        return content.save(template_id=template.pk if template else None, **said, **who)
    said.pop("name")
    return translations.save(template_id=template.pk, language=language, **said, **who)


def _language(request: HttpRequest, template: Template | None) -> tuple[str, Refused | None]:
    asked = request.POST.get("language", request.GET.get("language", ""))
    if template is None or not asked:
        return "", None
    try:
        return translations.checked(asked), None
    except Refused as refusal:
        return "", refusal


def _languages(template: Template | None, shown: str) -> list[dict[str, Any]]:
    if template is None:
        return []
    codes = list(template.languages)
    codes += [shown] if shown and shown not in codes else []
    return [
        {"code": code, "name": translations.name_of(code), "current": code == shown}
        for code in codes
    ]


def _setting_data(setting: forms.Setting) -> dict[str, Any]:
    return {
        "name": setting.name,
        "label": str(setting.label),
        "kind": "choice" if setting.kind == PLAN else setting.kind,
        "default": setting.default if isinstance(setting.default, int) else str(setting.default),
        "options": [[value, str(label)] for value, label in _options(setting)],
        "low": setting.low,
        "high": setting.high,
    }


def _options(setting: forms.Setting) -> Iterable[tuple[str, Any]]:
    if setting.kind != PLAN:
        return setting.options
    return [("", _("The newest that has something for them")), *keeping.titles().items()]


def _kind_data(kind: forms.Kind) -> dict[str, Any]:
    """A kind of block for the script that draws its form."""
    return {
        "name": kind.name,
        "label": str(kind.label),
        "icon": kind.icon,
        "settings": [_setting_data(setting) for setting in kind.settings],
        "columns": [_setting_data(setting) for setting in forms.column_settings()]
        if kind.name == "columns"
        else [],
    }


def palette() -> dict[str, Any]:
    """What the editor's list of blocks needs: kinds of blocks, saved ones, and its words."""
    saved = list(library.listed()[:MOST_SAVED])
    return {
        "kinds": [kind for kind in forms.KINDS if kind.name != forms.SAVED],
        "kinds_data": [_kind_data(kind) for kind in forms.KINDS],
        "saved": saved,
        "saved_data": [saved_data(row) for row in saved],
        "words": _words(),
        "no_picks": _no_picks(),
    }


def _no_picks() -> str:
    """What products lack: "train" an engine, "choose" by it, or nothing."""
    if serve.current_set() is not None:
        return ""
    return "choose" if registry.live(catalog.BASELINE) else "train"


def saved_data(row: SavedBlock) -> dict[str, Any]:
    """A saved block for the script."""
    url = reverse("campaigns:block-edit", args=[row.pk])
    return {"id": row.pk, "name": row.name, "url": url, "blocks": row.blocks}


def paper() -> dict[str, Any]:
    """What the editor's paper needs: people to look at a mail as."""
    return {
        "people": content.people(),
        "segments": Segment.objects.only("id", "name").order_by("name")[:200],
    }


def _words() -> dict[str, str]:
    return {
        "place": _("Block {n} of {all}"),
        "moved": _("{name} is now block {n} of {all}"),
        "added": _("{name} added"),
        "removed": _("{name} removed"),
        "column": _("Column {n}"),
        "more": _("Add a column"),
        "less": _("Remove the last column"),
        "leave": _("What you wrote is not saved."),
        "nobody": _("nobody is in it"),
        "saved": _("{name} is saved for other mails"),
        "gone": _("{name}, which is gone"),
        "lost": _("Not saved: the server did not answer"),
    }


@page("edit")
@require_POST
def template_delete(request: HttpRequest, template_id: int) -> HttpResponse:
    try:
        content.delete(template_id=template_id, user=signed_in(request))
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("campaigns:template-edit", template_id)
    messages.success(request, _("The template was deleted."))
    return redirect("campaigns:template-list")


@page("edit")
@require_POST
def template_unlanguage(request: HttpRequest, template_id: int, language: str) -> HttpResponse:
    """Take a language away."""
    try:
        translations.remove(
            template_id=template_id, language=language, user=signed_in(request), now=timezone.now()
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(
            request,
            _("%(name)s was taken away. Its readers get the first language.")
            % {"name": translations.name_of(language)},
        )
    return redirect("campaigns:template-edit", template_id)

"""Pages of saved blocks: the list, the editor, and what they become."""

from typing import Any

from csp.decorators import csp
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from campaigns import content
from campaigns.content import blocks as forms
from campaigns.content import library, references, translations
from campaigns.messaging import context
from campaigns.models import SavedBlock
from campaigns.views.content import blocks_of, palette, paper, saved_data
from campaigns.views.people import signed_in
from campaigns.views.previews import WRITING_POLICY, written
from marketing.core.auth import page
from marketing.core.errors import Refused
from marketing.core.forms import whole_number

MOST_SHOWN = 300


@page("view")
@require_GET
def block_list(request: HttpRequest) -> HttpResponse:
    found = list(library.listed()[:MOST_SHOWN])
    mails = references.counts()
    rows = [
        {"row": row, "languages": len(row.languages), "mails": mails.get(row.pk, 0)}
        for row in found
    ]
    return render(request, "campaigns/content/blocks.html", {"rows": rows})


def _begin(row: SavedBlock | None, language: str) -> dict[str, Any]:
    if row is None:
        return {"name": "", "blocks": forms.read([{"kind": "text"}])}
    return {"name": row.name, "blocks": row.languages.get(language) or row.blocks}


@page("edit")
@require_http_methods(["GET", "POST"])
def block_edit(request: HttpRequest, block_id: int | None = None) -> HttpResponse:
    """Make a saved block or change it, in one of its languages."""
    row = get_object_or_404(SavedBlock, pk=block_id) if block_id else None
    asked = request.POST.get("language", request.GET.get("language", "")) if row else ""
    error: Refused | None = None
    language = ""
    try:
        language = translations.checked(asked) if asked else ""
    except Refused as refusal:
        error = refusal
    values = _begin(row, language)
    if request.method == "POST" and error is None:
        sent = blocks_of(request)
        values = {"name": request.POST.get("name", ""), "blocks": sent if sent is not None else []}
        try:
            saved = library.save(
                block_id=block_id,
                name=values["name"],
                blocks=sent,
                language=language,
                user=signed_in(request),
                now=timezone.now(),
            )
        except Refused as refusal:
            error = refusal
        else:
            messages.success(request, _("Saved as version %(n)d.") % {"n": saved.version})
            url = reverse("campaigns:block-edit", args=[saved.pk])
            return redirect(f"{url}?language={language}" if language else url)
    codes = sorted({*(row.languages if row else ()), *([language] if language else ())})
    return render(
        request,
        "campaigns/content/block.html",
        {
            "row": row,
            "values": values,
            "error": error,
            "language": language,
            "language_name": translations.name_of(language) if language else "",
            "languages": [
                {"code": code, "name": translations.name_of(code), "current": code == language}
                for code in codes
            ],
            "mails": references.mails_with(row.pk).order_by("name")[:50] if row else [],
            "fields": context.FIELDS,
            **palette(),
            **paper(),
            "saved": [],
        },
        status=422 if error else 200,
    )


@page("edit")
@require_POST
def block_keep(request: HttpRequest) -> JsonResponse:
    """Save the block that is chosen in a mail; the editor puts the reference in its place."""
    try:
        row = library.save(
            name=request.POST.get("name", ""),
            blocks=blocks_of(request),
            user=signed_in(request),
            now=timezone.now(),
        )
    except Refused as refusal:
        return JsonResponse({"error": str(refusal)})
    return JsonResponse(saved_data(row))


def _made(request: HttpRequest) -> dict[str, Any]:
    return library.made(blocks_of(request))


@page("view")
@xframe_options_sameorigin
@csp(WRITING_POLICY)
@require_POST
def block_preview(request: HttpRequest) -> HttpResponse:
    """What is being written, as one person would see it."""
    return written(request, _made)


@page("view")
@require_POST
def block_look(request: HttpRequest) -> HttpResponse:
    """Around the paper: what is wrong with the block, or with it for the chosen person."""
    found: dict[str, Any] = {}
    try:
        made = _made(request)
        found["seen"] = content.preview(
            parts=made, customer_id=whole_number(request.POST.get("person"))
        )
    except Refused as refusal:
        found["refusal"] = refusal
    return render(request, "campaigns/content/_block_look.html", found)


@page("edit")
@require_POST
def block_delete(request: HttpRequest, block_id: int) -> HttpResponse:
    try:
        library.delete(block_id=block_id, user=signed_in(request))
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("campaigns:block-edit", block_id)
    messages.success(request, _("The block was deleted."))
    return redirect("campaigns:block-list")


@page("edit")
@require_POST
def block_unlanguage(request: HttpRequest, block_id: int, language: str) -> HttpResponse:
    try:
        library.unlanguage(
            block_id=block_id, language=language, user=signed_in(request), now=timezone.now()
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("campaigns:block-edit", block_id)

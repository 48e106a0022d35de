"""Pages of versions: what a message or a saved block said before, and bringing it back."""

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from campaigns.content import history, library, references, versions
from campaigns.models import SavedBlock, Template
from campaigns.views.people import signed_in
from marketing.core.auth import page
from marketing.core.errors import Refused
from marketing.core.forms import whole_number


def _page(
    request: HttpRequest,
    row: Template | SavedBlock,
    readable: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    **more: Any,
) -> HttpResponse:
    """One version beside another; `readable` makes what it said comparable."""
    rows = history.of(row)
    by_number = {one.number: one for one in rows}
    shown = by_number.get(whole_number(request.GET.get("version")) or row.version)
    if shown is None and rows:
        shown = rows[0]
    before = None
    if shown is not None:
        against = whole_number(request.GET.get("against"))
        before = by_number.get(shown.number - 1 if against is None else against)
    changes = (
        versions.changes(readable(before.said), readable(shown.said)) if shown and before else []
    )
    context = {"of": row, "rows": rows, "shown": shown, "before": before, "changes": changes}
    return render(request, "campaigns/content/versions.html", {**context, **more})


def _restore(
    request: HttpRequest, restore: Callable[..., Template | SavedBlock], number: int, **which: int
) -> None:
    """Bring a version back, and say so."""
    try:
        made = restore(number=number, user=signed_in(request), now=timezone.now(), **which)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return
    messages.success(
        request,
        _("Version %(old)d is back, as version %(new)d.") % {"old": number, "new": made.version},
    )


@page("view")
@require_GET
def template_versions(request: HttpRequest, template_id: int) -> HttpResponse:
    """What a template said before, what changed, and where it is used."""
    row = get_object_or_404(Template, pk=template_id)
    editor = "template-edit" if row.kind == "email" else "note-edit"
    return _page(
        request,
        row,
        lambda said: said,
        used=history.used(row),
        edit_url=reverse(f"campaigns:{editor}", args=[row.pk]),
        restore_name="campaigns:template-restore",
    )


@page("edit")
@require_POST
def template_restore(request: HttpRequest, template_id: int, number: int) -> HttpResponse:
    _restore(request, versions.restore, number, template_id=template_id)
    return redirect("campaigns:template-versions", template_id)


@page("view")
@require_GET
def block_versions(request: HttpRequest, block_id: int) -> HttpResponse:
    """What a saved block said before, what changed, and the mails with it."""
    row = get_object_or_404(SavedBlock, pk=block_id)
    return _page(
        request,
        row,
        library.readable,
        mails=references.mails_with(row.pk).order_by("name")[:50],
        block=True,
        edit_url=reverse("campaigns:block-edit", args=[row.pk]),
        restore_name="campaigns:block-restore",
    )


@page("edit")
@require_POST
def block_restore(request: HttpRequest, block_id: int, number: int) -> HttpResponse:
    _restore(request, library.restore, number, block_id=block_id)
    return redirect("campaigns:block-versions", block_id)

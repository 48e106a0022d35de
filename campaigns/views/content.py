"""Pages of content: the list of templates, the editor, and the mail it makes."""

from typing import Any

from csp.constants import NONE, SELF
from csp.decorators import csp
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from campaigns import content
from campaigns.messaging import context
from campaigns.models import Template
from campaigns.views.people import signed_in
from marketing.core.auth import page
from marketing.core.errors import Refused

PER_PAGE = 25
# A mail on screen: its own inline styles, pictures only from its own bytes, no script, no request.
MAIL_POLICY = {
    "default-src": [NONE],
    "img-src": ["data:"],
    "style-src": ["'unsafe-inline'"],
    "frame-ancestors": [SELF],
    "base-uri": [NONE],
    "form-action": [NONE],
    "sandbox": ["allow-same-origin"],
}


@page("view")
@require_GET
def template_list(request: HttpRequest) -> HttpResponse:
    shown = Paginator(content.listed(), PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "campaigns/content/list.html", {"page": shown})


@page("edit")
@require_http_methods(["GET", "POST"])
def template_edit(request: HttpRequest, template_id: int | None = None) -> HttpResponse:
    template = get_object_or_404(Template, pk=template_id) if template_id else None
    if template is not None and template.kind != "email":
        return redirect("campaigns:note-edit", template.pk)
    values: dict[str, Any] = content.starter()
    if template is not None:
        values = {name: getattr(template, name) for name in values}
    error: Refused | None = None
    if request.method == "POST":
        values = content.written(request.POST)
        try:
            saved = content.save(
                template_id=template_id, **values, user=signed_in(request), now=timezone.now()
            )
        except Refused as refusal:
            error = refusal
        else:
            messages.success(request, _("Saved as version %(n)d.") % {"n": saved.version})
            return redirect("campaigns:template-edit", saved.pk)
    return render(
        request,
        "campaigns/content/edit.html",
        {
            "template": template,
            "values": values,
            "error": error,
            "people": content.people(),
            "fields": context.FIELDS,
        },
        status=422 if error else 200,
    )


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


def _person(raw: str) -> int | None:
    return int(raw) if raw.isascii() and raw.isdigit() and len(raw) < 19 else None


def mail_page(html: str) -> HttpResponse:
    """A mail as a page of its own, to stand in a frame."""
    return HttpResponse(html, headers={"Cache-Control": "no-store"})


# The editor posts what is in the form; the answer lands in the preview's frame.
@page("view")
@xframe_options_sameorigin
@csp(MAIL_POLICY)
@require_POST
def template_preview(request: HttpRequest) -> HttpResponse:
    """What is being written, as one person would get it; a fault is shown in the mail's place."""
    parts = content.written(request.POST)
    parts.pop("name")
    try:
        html, text = content.build(**parts)
    except Refused as refusal:
        return mail_page(content.fault_page(str(refusal)))
    return _shown(
        {"subject": parts["subject"].strip(), "html": html, "text": text},
        request.POST.get("person", ""),
    )


@page("view")
@xframe_options_sameorigin
@csp(MAIL_POLICY)  # type: ignore[arg-type]
@require_GET
def template_mail(request: HttpRequest, template_id: int) -> HttpResponse:
    """A saved template as one person would get it."""
    template = get_object_or_404(Template, pk=template_id)
    return _shown(vars(template), request.GET.get("person", ""))


def _shown(parts: dict[str, Any], person: str) -> HttpResponse:
    seen = content.preview(parts=parts, customer_id=_person(person))
    if seen.fault:
        name = seen.customer.first_name or seen.customer.email if seen.customer else ""
        why = _("This mail would not be sent to %(name)s: %(why)s.") % {
            "name": name,
            "why": seen.fault,
        }
        return mail_page(content.fault_page(why if seen.customer else seen.fault))
    return mail_page(seen.html)

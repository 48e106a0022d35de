"""Content that is not a mail: SMS, notifications, inbox messages and webhooks, in plain forms."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from campaigns import drafts
from campaigns.channels import testing, writing
from campaigns.content import testing as mail_testing
from campaigns.messaging import context, parts
from campaigns.models import Campaign, Channel, Template
from campaigns.views.people import signed_in
from marketing.core.auth import page
from marketing.core.errors import Refused
from marketing.core.forms import whole_number

# part → (label, hint, whether it takes several lines)
FIELDS: dict[str, tuple[Any, Any, bool]] = {
    "text": (gettext_lazy("Text"), "", True),
    "title": (gettext_lazy("Title"), "", False),
    "body": (gettext_lazy("Text"), "", True),
    "url": (
        gettext_lazy("Where it leads"),
        gettext_lazy("A web address. Who opens it is counted."),
        False,
    ),
    "icon": (gettext_lazy("Picture"), gettext_lazy("The web address of a small picture."), False),
}
CALL = {
    "url": (
        gettext_lazy("Address"),
        gettext_lazy("Left empty: the address of the channel."),
        False,
    ),
    "body": (
        gettext_lazy("Body, in JSON"),
        gettext_lazy(
            "Put values in quotes. A value alone keeps its type, so numbers stay numbers."
        ),
        True,
    ),
}


def _fields(kind: str, values: dict[str, str], error: Refused | None) -> list[dict[str, Any]]:
    known = FIELDS | (CALL if kind == "webhook" else {})
    return [
        {
            "name": name,
            "label": known[name][0],
            "hint": known[name][1],
            "long": known[name][2],
            "value": values.get(name, ""),
            "error": str(error) if error and error.field == name else "",
        }
        for name in parts.PARTS[kind]
    ]


@page("edit")
@require_http_methods(["GET", "POST"])
def note_new(request: HttpRequest, kind: str) -> HttpResponse:
    """A new message of this kind."""
    if kind not in writing.KINDS:
        raise Http404
    return _edit(request, kind, None)


@page("edit")
@require_http_methods(["GET", "POST"])
def note_edit(request: HttpRequest, template_id: int) -> HttpResponse:
    """Change a message; campaigns that have begun keep the version they began with."""
    template = get_object_or_404(Template.objects.exclude(kind="email"), pk=template_id)
    return _edit(request, template.kind, template)


def _edit(request: HttpRequest, kind: str, template: Template | None) -> HttpResponse:
    values = writing.starter(kind)
    if template is not None:
        values = {"name": template.name, **template.parts}
    error: Refused | None = None
    person = whole_number(request.POST.get("person", ""))
    if request.method == "POST":
        values = writing.written(kind, request.POST)
        if request.POST.get("do") == "preview":
            seen = writing.preview(kind=kind, values=values, customer_id=person)
            return render(
                request, "campaigns/content/_note_seen.html", {"seen": seen, "kind": kind}
            )
        try:
            saved = writing.save(
                kind=kind,
                template_id=template.pk if template else None,
                values=values,
                user=signed_in(request),
                now=timezone.now(),
            )
        except Refused as refusal:
            error = refusal
        else:
            messages.success(request, _("Saved as version %(n)d.") % {"n": saved.version})
            return redirect("campaigns:note-edit", saved.pk)
    return render(
        request,
        "campaigns/content/note.html",
        {
            "template": template,
            "kind": kind,
            "kind_name": Channel.Kind(kind).label,
            "name": values.get("name", ""),
            "name_error": str(error) if error and error.field == "name" else "",
            "error": error,
            "note_fields": _fields(kind, values, error),
            "people": writing.people(),
            "fields": context.FIELDS,
            "team": mail_testing.team(),
            "seen": writing.preview(kind=kind, values=values, customer_id=person),
            "drafts": Campaign.objects.filter(template=template, state="draft")[:3]
            if template
            else (),
        },
        status=422 if error else 200,
    )


@page("edit")
@require_POST
def note_test(request: HttpRequest, kind: str) -> HttpResponse:
    """Send what is in the form to somebody of the team, or to the system that it calls."""
    if kind not in writing.KINDS:
        raise Http404
    found: dict[str, Any] = {}
    try:
        found["sent"] = testing.send(
            kind=kind,
            values=writing.written(kind, request.POST),
            customer_id=whole_number(request.POST.get("person")),
            to_user_id=whole_number(request.POST.get("to")),
            user=signed_in(request),
            now=timezone.now(),
        )
    except Refused as refusal:
        found["refusal"] = refusal
    return render(request, "campaigns/content/_test.html", found)


@page("edit")
@require_POST
def note_use(request: HttpRequest, template_id: int) -> HttpResponse:
    """Begin a campaign with this message."""
    template = get_object_or_404(Template.objects.exclude(kind="email"), pk=template_id)
    try:
        made = drafts.save(
            values={"name": template.name, "template_id": template.pk},
            user=signed_in(request),
            now=timezone.now(),
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("campaigns:note-edit", template_id)
    return redirect("campaigns:campaign-audience", made.pk)

"""What is written, as somebody would get it: the mail in its frame, what is said of it, tests."""

from collections.abc import Callable
from typing import Any

from csp.constants import NONE, SELF
from csp.decorators import csp
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_GET, require_POST

from campaigns import content
from campaigns.content import saving, seeing, testing
from campaigns.models import Template
from campaigns.views import content as editor
from campaigns.views.people import signed_in
from marketing.core.auth import page
from marketing.core.errors import Refused
from marketing.core.forms import whole_number

# A mail on screen: its own inline styles, pictures of its own bytes and the logo, no script, no
# other request: the sign that it was opened must not be asked for.
_LOGO = f"{settings.PUBLIC_URL.rstrip('/')}/brand/"
MAIL_POLICY = {
    "default-src": [NONE],
    "img-src": ["data:", _LOGO],
    "style-src": ["'unsafe-inline'"],
    "frame-ancestors": [SELF],
    "base-uri": [NONE],
    "form-action": [NONE],
    "sandbox": ["allow-same-origin"],
}
# What is being written here has pictures of its author, who wants to see them.
WRITING_POLICY = {**MAIL_POLICY, "img-src": ["data:", "https:", _LOGO]}


def mail_page(html: str) -> HttpResponse:
    """A mail as a page of its own, to stand in a frame."""
    return HttpResponse(html, headers={"Cache-Control": "no-store"})


def _made(request: HttpRequest) -> dict[str, Any]:
    """What stands in the form, compiled; Refused with the field at fault."""
    values = editor.posted(request)
    values.pop("name")
    return saving.mail(**editor.to_save(values), language=request.POST.get("language", ""))


# The editor posts what is in the form; the answer lands in the preview's frame.
@page("view")
@xframe_options_sameorigin
@csp(WRITING_POLICY)
@require_POST
def template_preview(request: HttpRequest) -> HttpResponse:
    """What is being written, as one person would get it; a fault is shown in the mail's place."""
    return written(request, _made)


@page("view")
@require_POST
def template_look(request: HttpRequest) -> HttpResponse:
    """Around the mail: its line in a mailbox, its size, what to put right, and its source."""
    try:
        made = _made(request)
    except Refused as refusal:
        return render(request, "campaigns/content/_look.html", {"refusal": refusal})
    seen = content.preview(parts=made, customer_id=whole_number(request.POST.get("person")))
    return render(
        request,
        "campaigns/content/_look.html",
        {
            "seen": seen,
            "made": made,
            "checks": seeing.checks(made),
            "clips": content.CLIPPED_BYTES // 1000,
            "too_big": seen.bytes > content.CLIPPED_BYTES,
            "phone": seeing.PHONE_SUBJECT,
        },
    )


@page("view")
@require_POST
def template_sample(request: HttpRequest) -> HttpResponse:
    """Who of a segment would get nothing, by the value they lack. Also in other languages."""
    segment = whole_number(request.POST.get("segment"))
    found: dict[str, Any] = {"segment": segment}
    try:
        made = _made(request)
        stored = Template.objects.filter(pk=whole_number(request.POST.get("template")) or 0).first()
        if stored is not None and not request.POST.get("language"):
            made["languages"] = stored.languages
        people = seeing.sample(segment_id=segment) if segment else seeing.anybody()
        found["trial"] = content.trial(parts=made, people=people)
    except Refused as refusal:
        found["refusal"] = refusal
    return render(request, "campaigns/content/_sample.html", found)


@page("view")
@require_GET
def template_people(request: HttpRequest) -> HttpResponse:
    """People to look at a mail as: of a segment, or found by what is typed."""
    segment = whole_number(request.GET.get("segment"))
    found = seeing.sample(segment_id=segment) if segment else seeing.named(request.GET.get("q", ""))
    rows = [{"id": person.pk, "name": str(person)} for person in found]
    return JsonResponse({"people": rows}, headers={"Cache-Control": "no-store"})


@page("edit")
@require_POST
def template_test(request: HttpRequest) -> HttpResponse:
    """Send what is in the form to somebody of the team."""
    found: dict[str, Any] = {}
    user = signed_in(request)
    try:
        found["sent"] = testing.send(
            parts=_made(request),
            customer_id=whole_number(request.POST.get("person")),
            to_user_id=whole_number(request.POST.get("to")),
            user=user,
            now=timezone.now(),
        )
    except Refused as refusal:
        found["refusal"] = refusal
    return render(request, "campaigns/content/_test.html", found)


@page("view")
@xframe_options_sameorigin
@csp(WRITING_POLICY)  # type: ignore[arg-type]
@require_GET
def template_mail(request: HttpRequest, template_id: int) -> HttpResponse:
    """A saved template as one person would get it, in their language."""
    template = get_object_or_404(Template, pk=template_id, kind="email")
    return shown(vars(template), request.GET.get("person", ""))


def written(request: HttpRequest, make: Callable[[HttpRequest], dict[str, Any]]) -> HttpResponse:
    """What a form's content comes to for the person it names, or why it cannot be shown."""
    try:
        made = make(request)
    except Refused as refusal:
        return mail_page(content.fault_page(str(refusal)))
    return shown(made, request.POST.get("person", ""))


def shown(parts: dict[str, Any], person: str) -> HttpResponse:
    seen = content.preview(parts=parts, customer_id=whole_number(person))
    if seen.fault:
        why = _("This mail would not be sent to %(name)s: %(why)s.") % {
            "name": seen.customer,
            "why": seen.fault,
        }
        return mail_page(content.fault_page(why if seen.customer else seen.fault))
    return mail_page(seen.html)

"""Pages of single mails: who got a campaign and who did not, and each mail as it was sent."""

import json
import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from csp.decorators import csp
from django.core.paginator import Page, Paginator
from django.db import OperationalError
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_GET

from campaigns.manners import rules, unsent
from campaigns.messaging import keeping
from campaigns.models import Campaign, Message
from campaigns.recipients import audience
from campaigns.reporting import behind, responses
from campaigns.views.previews import MAIL_POLICY, mail_page
from marketing.core.auth import page
from marketing.core.db import statement_timeout

PER_PAGE = 50
COUNT_MS = 8_000
_PIXEL = re.compile(r'src="[^"]*/o/[\w-]+\.gif"')
_STILL = 'src="data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"'
HEADERS = (
    "From", "To", "Subject", "Date", "Message-ID", "Reply-To", "List-Unsubscribe",
    "List-Unsubscribe-Post",
)  # fmt: skip


@page("view")
@require_GET
def message_list(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Everybody the campaign meant, or those behind one number of its pages."""
    campaign = get_object_or_404(Campaign, pk=campaign_id)
    run = campaign.runs.order_by("-id").first()
    asked = behind.read(request.GET.dict())
    found = Message.objects.none()
    if run is not None:
        found = behind.of_run(run=run, asked=asked, now=timezone.now())
    counts = dict(
        Message.objects.filter(run=run).values_list("state").annotate(n=Count("id")).order_by()
    )
    answers = responses.responses(run_id=run.pk) if run else responses.Responses()
    tabs = [
        {
            "label": label,
            "url": f"?state={value}",
            "current": value == asked.state,
            "count": counts.get(value, 0),
        }
        for value, label in Message.State.choices
        if counts.get(value) or value in ("sent", "failed", "skipped")
    ]
    variants = dict(campaign.variants.values_list("key", "name"))
    return render(
        request,
        "campaigns/campaigns/people.html",
        {
            "campaign": campaign,
            "run": run,
            "tabs": tabs,
            "total": sum(counts.values()),
            "asked": asked,
            "said": behind.said(asked, channels=rules.CHANNELS, variants=variants),
            "outcomes": [
                {"key": key, "label": label, "count": getattr(answers, key)}
                for key, (label, _which) in responses.OUTCOMES.items()
            ],
            **listed(request, found),
        },
    )


def listed(request: HttpRequest, found: QuerySet[Message]) -> dict[str, Any]:
    """A page of messages for the table of them; `page` is None where they take too long to find."""
    pages = Paginator(found.select_related("customer").order_by("id"), PER_PAGE)
    shown: Page[Message] | None = None
    try:
        with statement_timeout(COUNT_MS):
            shown = pages.get_page(request.GET.get("page"))
            shown.object_list = list(shown.object_list)
    except OperationalError:
        shown = None
    return {
        "page": shown,
        "reasons": audience.REASONS,
        "channels": rules.CHANNELS,
        "why": {
            m.pk: why for m in (shown.object_list if shown else ()) if (why := unsent.by_channel(m))
        },
    }


def _bytes(message: Message) -> bytes:
    """The mail as it was handed to the server; empty when none was written."""
    body = getattr(message, "body", None)
    if body is None:
        return b""
    return keeping.read(body)


def _mail(message: Message) -> EmailMessage | None:
    data = _bytes(message) if message.channel == "email" else b""
    if not data:
        return None
    mail = message_from_bytes(data, policy=policy.default)
    return mail if isinstance(mail, EmailMessage) else None


@page("view")
@require_GET
def message_detail(request: HttpRequest, message_id: int) -> HttpResponse:
    """One mail: its headers, and what the person saw."""
    found = Message.objects.select_related("customer", "run__campaign", "body")
    message = get_object_or_404(found, pk=message_id)
    mail = _mail(message)
    headers = [(name, str(mail[name])) for name in HEADERS if mail and mail[name]] if mail else []
    text = mail.get_body(("plain",)) if mail else None
    parts = {} if message.channel == "email" else json.loads(_bytes(message) or b"{}")
    return render(
        request,
        "campaigns/campaigns/mail.html",
        {
            "message": message,
            "campaign": message.run.campaign,
            "headers": headers,
            "text": text.get_content() if text else "",
            "parts": parts,
            "reason": unsent.by_channel(message)
            or audience.REASONS.get(message.reason, message.reason),
            "channel": rules.CHANNELS.get(message.channel, message.channel),
        },
    )


@page("view")
@xframe_options_sameorigin
@csp(MAIL_POLICY)  # type: ignore[arg-type]
@require_GET
def message_mail(request: HttpRequest, message_id: int) -> HttpResponse:
    """The HTML of a mail as it was sent, its open pixel stilled so that looking is not counted."""
    message = get_object_or_404(Message.objects.select_related("body", "run"), pk=message_id)
    mail = _mail(message)
    part = mail.get_body(("html",)) if mail else None
    return mail_page(_PIXEL.sub(_STILL, part.get_content()) if part else "")


@page("view")
@require_GET
def message_source(request: HttpRequest, message_id: int) -> HttpResponse:
    """The raw mail, as a file."""
    message = get_object_or_404(Message.objects.select_related("body", "run"), pk=message_id)
    return HttpResponse(
        _bytes(message),
        content_type="message/rfc822",
        headers={
            "Content-Disposition": f'attachment; filename="mail-{message.pk}.eml"',
            "X-Content-Type-Options": "nosniff",
        },
    )

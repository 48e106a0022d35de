"""Step 2 of making a campaign: what it says, written in the editor of mails or chosen.

Several mails may be tried beside each other; each is written here, and shared out in step 4.
"""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from campaigns import content, drafts
from campaigns.content import link_check, testing
from campaigns.manners import rules
from campaigns.messaging import contents, context, tags
from campaigns.models import Campaign, Template
from campaigns.views.content import WRITTEN, begin, palette, paper, posted, to_save
from campaigns.views.people import signed_in
from campaigns.views.wizard import editable
from marketing.core.auth import page
from marketing.core.errors import Refused
from marketing.core.forms import whole_number

_SENDER = ("from_name", "from_email", "reply_to")


def _chosen(request: HttpRequest, campaign: Campaign, key: str) -> Template | None:
    """The template of this step: the one just chosen, or that of the variant."""
    asked = request.POST.get("template_id") or request.GET.get("template", "")
    if (number := whole_number(asked)) is not None:
        return get_object_or_404(Template, pk=number)
    if request.GET.get("as"):
        return None
    rows = {row.key: row.template for row in campaign.variants.all()}
    return rows.get(key) or campaign.template


def _values(template: Template | None, written_in: str) -> dict[str, Any]:
    if template is None:
        return begin(written_in or Template.Writing.BLOCKS)
    return {name: getattr(template, name) for name in (*WRITTEN, "blocks")}


@page("edit")
@require_http_methods(["GET", "POST"])
def campaign_message(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """The mail, written here or chosen, or a message of another channel."""
    campaign = editable(campaign_id)
    if campaign is None:
        return redirect("campaigns:campaign-detail", campaign_id)
    keys = [row.key for row in campaign.variants.all()]
    asked = request.POST.get("variant", request.GET.get("variant", ""))
    key = asked if asked in keys else (keys[0] if keys else "")
    template = _chosen(request, campaign, key)
    other = template is not None and template.kind != "email"
    values = {} if other else _values(template, request.GET.get("as", ""))
    sender = {name: getattr(campaign, name) for name in _SENDER}
    utm: dict[str, Any] = campaign.utm
    error: Refused | None = None
    if request.method == "POST":
        sender = {name: request.POST.get(name, "") for name in sender}
        utm = utm_written(request) if "utm_source" in request.POST else utm
        if not other:
            values = posted(request)
        try:
            with transaction.atomic():
                saved = _save(request, campaign, template, key, values, sender, utm)
            return _onward(request, campaign, saved, key)
        except Refused as refusal:
            error = refusal
            values = {**values, "blocks": values.get("blocks") or []}
    return render(
        request,
        "campaigns/campaigns/message.html" if other else "campaigns/campaigns/message_mail.html",
        {
            "campaign": campaign,
            "template": template,
            "other": template if other else None,
            "values": values,
            "sender": sender,
            "error": error,
            "templates": Template.objects.order_by("kind", "-updated_at")[:100],
            "channels": rules.CHANNELS,
            "variants": _variants(campaign, key),
            "variant": key,
            "more": len(keys) < drafts.MOST_VARIANTS,
            **utm_shown(campaign, template.kind if template else "email", utm),
            **({} if other else _editor()),
        },
        status=422 if error else 200,
    )


def _editor() -> dict[str, Any]:
    return {"fields": context.FIELDS, "team": testing.team(), **palette(), **paper()}


def _save(
    request: HttpRequest,
    campaign: Campaign,
    template: Template | None,
    key: str,
    values: dict[str, Any],
    sender: dict[str, str],
    utm: dict[str, Any],
) -> Template:
    user, now = signed_in(request), timezone.now()
    other = template is not None and template.kind != "email"
    if not other:
        template = content.keep(
            template_id=template.pk if template else None,
            campaign_id=campaign.pk,
            values=to_save(values),
            user=user,
            now=now,
        )
    assert template is not None
    drafts.save(
        campaign_id=campaign.pk,
        values={"utm": utm, **({} if other else sender)},
        user=user,
        now=now,
    )
    drafts.say(campaign_id=campaign.pk, template_id=template.pk, variant=key, user=user, now=now)
    return template


def _onward(request: HttpRequest, campaign: Campaign, saved: Template, key: str) -> HttpResponse:
    """Where saving leads: to the next step, another variant, or one more of them."""
    user, now = signed_in(request), timezone.now()
    here = reverse("campaigns:campaign-message", args=[campaign.pk])
    if request.POST.get("do") == "another":
        with transaction.atomic():
            twin = content.twin(template=saved, user=user, now=now)
            added = drafts.another(campaign_id=campaign.pk, template_id=twin.pk, user=user, now=now)
        messages.success(request, _("Write what is different in version %(key)s.")
                         % {"key": added.upper()})  # fmt: skip
        return redirect(f"{here}?variant={added}")
    if request.POST.get("do", "").startswith("to:"):
        return redirect(f"{here}?variant={request.POST['do'][3:4]}")
    link_check.begin(campaign_id=campaign.pk, user=user)
    return redirect("campaigns:campaign-timing", campaign.pk)


def _variants(campaign: Campaign, key: str) -> list[dict[str, Any]]:
    """Each variant with its mail, to stand beside the one that is written."""
    return [
        {
            "key": row.key,
            "name": row.name,
            "mail": row.template or campaign.template,
            "current": row.key == key,
        }
        for row in campaign.variants.all()
    ]


def utm_written(request: HttpRequest) -> dict[str, Any]:
    """What the form says that links carry."""
    said: dict[str, Any] = {name: request.POST.get(f"utm_{name}", "") for name in tags.NAMES}
    return said if request.POST.get("utm_on") else {**said, tags.OFF: True}


def utm_shown(campaign: Campaign, channel: str, own: dict[str, Any]) -> dict[str, Any]:
    """The form of what links carry: one's own words, and the usual ones where there are none."""
    usual = contents.utm_of(own={}, channel=channel, name=campaign.name) or {}
    rows = [
        {"name": name, "value": own.get(name, ""), "usual": usual.get(name, "")}
        for name in tags.NAMES
    ]
    return {"utm_rows": rows if usual else [], "utm_on": not own.get(tags.OFF)}

"""Whether a campaign can be sent as it stands, and what would be sent of it."""

from typing import Any

from django.utils.translation import gettext as _

from campaigns.messaging import (
    contents,
    context,
    mime,
    occasions,
    parts,
    providers,
    rendering,
    wording,
)
from campaigns.models import Campaign, Channel, Segment, Template, Trial
from campaigns.recipients import audience, prices, routes
from marketing.core import brand
from marketing.core.errors import Invalid

# The mail of each variant, by its key.
Mails = list[tuple[str, Template]]


def compiled(template: Template) -> rendering.Compiled | parts.Compiled:
    """The template, ready to render; Invalid with the reason when it cannot be used."""
    try:
        made: rendering.Compiled | parts.Compiled
        if template.kind != Channel.Kind.EMAIL:
            made = parts.Compiled(template.kind, template.parts)
        else:
            made = rendering.Compiled(template.subject, template.html, template.text)
    except rendering.TemplateRefused as refusal:
        raise Invalid(
            _("The template cannot be used: %(why)s.") % {"why": wording.said(refusal)},
            code="bad_template",
            field="template",
            remedy=_("Open the template and correct it; nothing was sent."),
        ) from None
    if told := occasions.wanted(made.wants):
        raise Invalid(
            _("This message speaks of %(value)s, an event, which only journeys have.")
            % {"value": told[0]},
            code="bad_template",
            field="template",
            remedy=_("Use it in a journey, or take these values out; nothing was sent."),
        )
    if gone := context.gone(made.wants):
        raise Invalid(
            _("This message shows the plan of offers “%(key)s”, which is gone.") % {"key": gone[0]},
            code="bad_template",
            field="template",
            remedy=_("Open the message and choose another plan; nothing was sent."),
        )
    return made


def sender(campaign: Campaign) -> dict[str, Any]:
    """Who the campaign's mails come from: its own values, its channel's, or the house's."""
    usual = providers.find(kind="email")
    name, address = (usual.from_name, usual.from_address) if usual else ("", "")
    return {
        "from_name": campaign.from_name or name or brand.now().sender_name,
        "from_email": campaign.from_email or address or brand.now().sender_email,
        "reply_to": campaign.reply_to,
    }


def mails(campaign: Campaign, template: Template) -> Mails:
    """The mail of each variant; a variant without one of its own has the campaign's."""
    # A page that asks often has the variants with it already.
    rows = campaign.variants.all()
    if "variants" not in getattr(campaign, "_prefetched_objects_cache", {}):
        rows = rows.select_related("template")
    found = [(row.key, row.template or template) for row in rows]
    return found if len(found) > 1 else [("a", template)]


def utm(campaign: Campaign, template: Template) -> dict[str, dict[str, str] | None]:
    """What the links of each variant carry; variants are told apart where there are several."""
    rows = list(campaign.variants.all())
    names = {row.key: row.name or row.key for row in rows} if len(rows) > 1 else {"a": ""}
    return {
        key: contents.utm_of(
            own=campaign.utm, channel=mail.kind, name=campaign.name, variant=names[key]
        )
        for key, mail in mails(campaign, template)
    }


def _refuse_unpriced(campaign: Campaign, trial: Trial | None, said: Mails) -> None:
    """Raise Invalid where a limit of money has no price for a message that it could count."""
    limits = {row.key: row.limit for row in campaign.variants.all()}
    limited = [mail.kind for key, mail in said if limits.get(key) is not None]
    whole = trial is not None and trial.budget is not None
    if not limited and not whole:
        return
    each = prices.of_campaign(campaign.pk)
    if not all(each.of(kind) for kind in limited) or not any(each.of(m.kind) for _key, m in said):
        raise Invalid(
            _("There is a limit of money, and no price for each message that it could count."),
            code="no_price",
            field="variants",
            remedy=_("Write down what each message costs, or take the limit away."),
        )


def check(campaign: Campaign) -> tuple[Segment, Template]:
    """Its audience and mail; refuses with the first thing that keeps it from being sent."""
    if campaign.segment is None:
        raise Invalid(_("Choose who gets this campaign."), code="no_segment", field="segment")
    if campaign.template is None:
        raise Invalid(_("Choose the mail to send."), code="no_template", field="template")
    said = [mail for _key, mail in mails(campaign, campaign.template)]
    for mail in said:
        compiled(mail)
    for kind in dict.fromkeys(mail.kind for mail in said):
        if kind != Channel.Kind.EMAIL and providers.find(kind=kind) is None:
            raise Invalid(
                _("There is no channel yet that this message could go by."),
                code="no_channel",
                field="template",
                remedy=_("Add one in Settings, Channels."),
            )
    trial: Trial | None = getattr(campaign, "trial", None)
    if trial is not None and trial.mode != Trial.Mode.FIXED:
        routes.refuse_unfit(
            routes=audience.routes_of(campaign),
            follows=True,
            metric=trial.metric,
            hours=trial.hours,
        )
    _refuse_unpriced(campaign, trial, mails(campaign, campaign.template))
    if campaign.timing != Campaign.Timing.ONCE and audience.draw_of(campaign).rounds:
        raise Invalid(
            _("A test that sends the better mail to the rest cannot wait for people's own hours."),
            code="timing_and_rounds",
            field="timing",
            remedy=_("Send to everybody at the same moment, or give each variant a fixed share."),
        )
    audience.members(rule=campaign.segment.rule)
    if campaign.exclude is not None:
        audience.members(rule=campaign.exclude.rule)
    try:
        mime.Writer(**sender(campaign))
    except mime.HeaderRefused as refusal:
        raise Invalid(
            _("The sender cannot be written in a mail: %(why)s.") % {"why": wording.said(refusal)},
            code="bad_sender",
            field="from_email",
        ) from None
    return campaign.segment, campaign.template

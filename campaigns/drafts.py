"""Campaigns before they are sent: make, change, copy. Nothing here sends."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns import locks
from campaigns.manners import timing
from campaigns.messaging import mime, tags
from campaigns.models import Campaign, Segment, Spend, Template, Trial, Variant
from campaigns.sending import runs
from marketing.core import audit
from marketing.core.errors import Conflict, Invalid
from marketing.core.models import ApiKey, User

OVER = (Campaign.State.FINISHED, Campaign.State.CANCELLED)
MOST_VARIANTS = 5
Actor = User | ApiKey | None
FIELDS = (
    "name", "segment_id", "exclude_id", "template_id", "holdout_percent", "from_name", "from_email",
    "reply_to", "goal", "utm",
    *timing.FIELDS,
)  # fmt: skip


def save(
    *,
    campaign_id: int | None = None,
    values: dict[str, Any],
    user: User | ApiKey | None,
    now: datetime,
) -> Campaign:
    """Make a draft, or change the given FIELDS of one that has not begun. Checks each value."""
    with transaction.atomic():
        if campaign_id is None:
            campaign = Campaign(created_at=now, created_by=user if isinstance(user, User) else None)
            if not str(values.get("name", "")).strip():
                raise Invalid(_("Give the campaign a name."), code="name_missing", field="name")
        else:
            campaign = locks.draft(campaign_id)
        for field in FIELDS:
            if field in values:
                setattr(campaign, field, _checked(field, values[field]))
        if campaign.exclude_id is not None and campaign.exclude_id == campaign.segment_id:
            raise Invalid(
                _("Nobody is left when the same segment is chosen and left out."),
                code="same_segment",
                field="exclude_id",
            )
        campaign.updated_at = now
        campaign.save()
        audit.record(actor=user, action="campaign.saved", obj=campaign)
    return campaign


def _checked(field: str, value: Any) -> Any:
    if field in timing.FIELDS:
        return timing.checked(field, value)
    if field == "utm":
        return _words_of_links(value)
    if field in ("segment_id", "exclude_id", "template_id"):
        if value in (None, ""):
            return None
        model = Template if field == "template_id" else Segment
        text = "" if isinstance(value, bool) else str(value)
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            raise Invalid(_("This is not an id."), code="bad_id", field=field)
        if not model.objects.filter(pk=int(text)).exists():
            raise Invalid(_("That no longer exists; choose another."), code="unknown", field=field)
        return int(text)
    if field == "holdout_percent":
        try:
            percent = int(value)
        except (TypeError, ValueError):
            percent = -1
        if isinstance(value, bool) or not 0 <= percent <= 50:
            raise Invalid(_("Hold out between 0 and 50 percent."), code="bad_holdout", field=field)
        return percent
    text = str(value or "").strip()
    try:
        mime.check_line(field, text)
        if field in ("from_email", "reply_to") and text:
            mime.address(field, text)
    except mime.HeaderRefused:
        what = (
            _("This is not a mail address.")
            if field in ("from_email", "reply_to")
            else _("This must be one line of text.")
        )
        raise Invalid(what, code="bad_line", field=field) from None
    if field == "name" and not text:
        raise Invalid(_("Give the campaign a name."), code="name_missing", field="name")
    limit = 254 if field in ("from_email", "reply_to") else 120
    if len(text) > limit:
        raise Invalid(_("At most %(n)d characters.") % {"n": limit}, code="too_long", field=field)
    return text


def _words_of_links(value: Any) -> dict[str, Any]:
    """What links carry instead of the usual words; nothing is kept of what is empty."""
    if not isinstance(value, dict) or set(value) - {*tags.NAMES, tags.OFF}:
        raise Invalid(
            _("Name source, medium, campaign, content or term, or say “off”."),
            code="bad_utm",
            field="utm",
        )
    kept: dict[str, Any] = {tags.OFF: True} if value.get(tags.OFF) is True else {}
    for name in tags.NAMES:
        said = value.get(name) or ""
        if not isinstance(said, str) or not said.isprintable() or len(said) > tags.LONGEST:
            raise Invalid(
                _("utm_%(name)s: one line of at most %(n)d characters.")
                % {"name": name, "n": tags.LONGEST},
                code="bad_utm",
                field="utm",
            )
        if said.strip():
            kept[name] = said.strip()
    return kept


def copy(*, campaign_id: int, user: User | ApiKey | None, now: datetime) -> Campaign:
    """A new draft with the same audience, mail and sender, tried alike, at the same prices."""
    original = locks.known(campaign_id)
    values = {field: getattr(original, field) for field in FIELDS}
    values["name"] = (_("Copy of %(name)s") % {"name": original.name})[:120]
    with transaction.atomic():
        made = save(values=values, user=user, now=now)
        for row in original.variants.all():
            row.pk, row.campaign = None, made
            row.save(force_insert=True)
        if trial := Trial.objects.filter(campaign=original).first():
            trial.campaign = made
            trial.save(force_insert=True)
        for price in original.spends.filter(kind=Spend.Kind.EACH):
            price.pk, price.campaign, price.created_at = None, made, now
            price.save(force_insert=True)
    return made


def say(
    *, campaign_id: int, template_id: int, variant: str = "", user: Actor, now: datetime
) -> Campaign:
    """Let a campaign say this; of several variants, the one named."""
    with transaction.atomic():
        rows = Variant.objects.filter(campaign=campaign_id)
        first = variant in ("", "a") or not rows.filter(key=variant).exists()
        values = {"template_id": template_id} if first else {}
        campaign = save(campaign_id=campaign_id, values=values, user=user, now=now)
        # The first may have a mail of its own, which then goes before the campaign's.
        rows.filter(key="a" if first else variant).update(template_id=template_id)
    return campaign


def another(*, campaign_id: int, template_id: int, user: Actor, now: datetime) -> str:
    """One more variant with this mail, on as many people as the others; its key."""
    with transaction.atomic():
        campaign = save(campaign_id=campaign_id, values={}, user=user, now=now)
        rows = list(campaign.variants.all())
        if len(rows) >= MOST_VARIANTS:
            raise Invalid(
                _("At most %(n)d variants.") % {"n": MOST_VARIANTS},
                code="too_many",
                field="variants",
            )
        if not rows:
            rows = [Variant.objects.create(campaign=campaign, key="a")]
        key = next(key for key in "abcde" if key not in {row.key for row in rows})
        Variant.objects.create(campaign=campaign, key=key, template_id=template_id)
        audit.record(actor=user, action="campaign.variants", obj=campaign, detail={"added": key})
    return key


def plan(
    *, campaign_id: int, at: datetime | None, values: dict[str, Any], user: Actor, now: datetime
) -> bool:
    """When it is meant to go out: at a moment, or as soon as somebody sends it.

    Nothing is scheduled by this. One that was is a draft again when its moment changed: True then.
    """
    if at is not None and at <= now:
        raise Invalid(
            _("Choose a time that has not passed yet."), code="past", field="scheduled_at"
        )
    with transaction.atomic():
        campaign = save(campaign_id=campaign_id, values=values, user=user, now=now)
        moved = campaign.scheduled_at != at
        back = moved and campaign.state == Campaign.State.SCHEDULED
        if back:
            runs.schedule(campaign_id=campaign_id, at=None, user=user, now=now)
        if moved:
            Campaign.objects.filter(pk=campaign_id).update(scheduled_at=at, held_because="")
    return back


def archive(*, campaign_id: int, back: bool = False, user: Actor, now: datetime) -> Campaign:
    """Take a campaign that is over out of the list, or back into it. Nothing of it is lost."""
    with transaction.atomic():
        campaign = locks.locked(campaign_id)
        if campaign.state not in OVER:
            raise Conflict(
                _("Only a campaign that is over can be archived. Nothing was changed."),
                code="not_over",
            )
        if (campaign.archived_at is None) != back:
            campaign.archived_at = None if back else now
            campaign.save(update_fields=["archived_at"])
            action = "campaign.unarchived" if back else "campaign.archived"
            audit.record(actor=user, action=action, obj=campaign)
    return campaign


def delete(*, campaign_id: int, user: User | ApiKey | None) -> None:
    """Remove a draft. What was sent is never removed."""
    with transaction.atomic():
        why = _("Only drafts can be deleted; this one keeps its report.")
        campaign = locks.draft(campaign_id, why=why)
        audit.record(actor=user, action="campaign.deleted", obj=campaign)
        campaign.delete()

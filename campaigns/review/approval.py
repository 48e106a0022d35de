"""A second person looks at a campaign before it goes out, where the shop asks for it.

Whoever asks cannot answer. A yes holds for what was looked at: another audience, mail or setting
asks again, and so does a mail that was changed after it.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

import orjson
from django.db import transaction
from django.utils.translation import gettext as _

from campaigns import locks
from campaigns.models import Approval, Campaign, SendingRules
from campaigns.segments import compile as compiler
from marketing.core import audit
from marketing.core.errors import Conflict, Forbidden, Invalid
from marketing.core.models import ApiKey, User

COMMENT_LIMIT = 500
_LOOKED_AT = (
    "segment_id", "exclude_id", "template_id", "holdout_percent", "goal", "from_name",
    "from_email", "reply_to", "timing", "local_time", "if_passed", "useful_hours", "urgent",
)  # fmt: skip
_OF_TRIAL = (
    "mode", "metric", "first_percent", "hours", "rounds", "win_percent", "floor_percent", "learner",
    "budget",
)  # fmt: skip


@dataclass(frozen=True)
class Standing:
    """Whether a second person is needed, and what they said. `changed`: about something else."""

    needed: bool
    latest: Approval | None = None
    changed: bool = False

    @property
    def given(self) -> bool:
        return (
            self.latest is not None and self.latest.said == Approval.Said.YES and not self.changed
        )

    @property
    def asked(self) -> bool:
        """Whether somebody waits for an answer about what stands now."""
        return (
            self.latest is not None and self.latest.said == Approval.Said.ASKED and not self.changed
        )

    @property
    def missing(self) -> bool:
        return self.needed and not self.given

    @property
    def word(self) -> str:
        """none, asked, yes, no or changed."""
        if self.latest is None:
            return "none"
        return "changed" if self.changed else str(self.latest.said)


def needed() -> bool:
    """Whether the shop asks for a second person."""
    return SendingRules.objects.filter(pk=1, approval=True).exists()


def require(*, on: bool, user: User, now: datetime) -> None:
    """Ask for a second person before every campaign from now on, or no longer."""
    with transaction.atomic():
        row, _made = SendingRules.objects.update_or_create(
            pk=1, defaults={"approval": on, "updated_at": now, "updated_by": user}
        )
        audit.record(actor=user, action="approval.required", obj=row, detail={"on": on})


def digest(campaign: Campaign) -> str:
    """Of everything that decides who gets what."""
    rows = list(campaign.variants.all())
    mails = {row.template_id: row.template for row in rows if row.template}
    if campaign.template is not None:
        mails[campaign.template_id] = campaign.template
    chosen = [segment for segment in (campaign.segment, campaign.exclude) if segment is not None]
    # A segment inside another decides as much as the one that was looked at.
    rules = compiler.nested(segment.rule for segment in chosen)
    rules |= {segment.pk: segment.rule for segment in chosen}
    trial = getattr(campaign, "trial", None) if rows else None
    told = {
        "campaign": [str(getattr(campaign, name)) for name in _LOOKED_AT],
        "utm": sorted(campaign.utm.items()),
        "variants": [
            (row.key, row.weight, row.template_id, row.hour, str(row.limit)) for row in rows
        ],
        "mails": sorted((pk, mail.version) for pk, mail in mails.items()),
        "rules": sorted(rules.items()),
        "trial": [str(getattr(trial, name)) for name in _OF_TRIAL] if trial else [],
    }
    return hashlib.sha256(orjson.dumps(told)).hexdigest()


def last(*, campaign: Campaign) -> Approval | None:
    """What the second person said last, whether or not it still holds."""
    return campaign.approvals.select_related("asked_by", "decided_by").order_by("-id").first()


def standing(*, campaign: Campaign) -> Standing:
    """How it stands with the second person."""
    latest = last(campaign=campaign)
    changed = latest is not None and latest.digest != digest(campaign)
    return Standing(needed(), latest, changed)


def refuse_unapproved(campaign: Campaign) -> None:
    """Raise Invalid when a second person is needed and has not said yes to this."""
    if not needed():
        return
    now = standing(campaign=campaign)
    if now.given:
        return
    raise Invalid(
        _("It was changed after it was approved, so it was not sent.")
        if now.changed
        else _("A second person has not approved this campaign yet, so it was not sent."),
        code="not_approved",
        field="approval",
        remedy=_("Ask a colleague to look at it; whoever asks cannot approve it."),
    )


def _who(actor: User | ApiKey) -> User:
    person = actor.created_by if isinstance(actor, ApiKey) else actor
    if person is None:
        raise Forbidden(
            _("Nobody stands behind this key any more. Nothing was changed."), code="forbidden"
        )
    return person


def _locked(campaign_id: int) -> Campaign:
    return locks.draft(campaign_id, why=_("This campaign has begun; nothing is left to approve."))


def ask(*, campaign_id: int, actor: User | ApiKey, now: datetime) -> Approval:
    """Ask for a second look at the campaign as it is now; the same question is asked once."""
    with transaction.atomic():
        campaign = _locked(campaign_id)
        if campaign.segment_id is None or campaign.template_id is None:
            raise Invalid(
                _("Choose the audience and the mail first; then somebody can look at them."),
                code="incomplete",
            )
        looked_at = digest(campaign)
        latest = campaign.approvals.order_by("-id").first()
        if latest and latest.digest == looked_at and latest.said != Approval.Said.NO:
            return latest
        made = Approval.objects.create(
            campaign=campaign, digest=looked_at, asked_by=_who(actor), asked_at=now
        )
        audit.record(actor=actor, action="campaign.approval_asked", obj=campaign)
    return made


def decide(
    *, campaign_id: int, yes: bool, comment: str = "", actor: User | ApiKey, now: datetime
) -> Approval:
    """Say yes or no to what was asked for. Never the person who asked."""
    comment = comment.strip() if isinstance(comment, str) else ""
    if len(comment) > COMMENT_LIMIT or "\x00" in comment:
        raise Invalid(
            _("At most %(n)d characters.") % {"n": COMMENT_LIMIT}, code="too_long", field="comment"
        )
    person = _who(actor)
    with transaction.atomic():
        campaign = _locked(campaign_id)
        latest = campaign.approvals.order_by("-id").first()
        if latest is None or latest.said != Approval.Said.ASKED:
            raise Conflict(
                _("Nobody asked for an approval that is still open. Nothing was changed."),
                code="nothing_asked",
            )
        if latest.digest != digest(campaign):
            raise Conflict(
                _("The campaign was changed since somebody asked. Nothing was approved."),
                code="changed_meanwhile",
                remedy=_("Look at it again and ask anew."),
            )
        if latest.asked_by_id == person.pk:
            raise Forbidden(
                _("You asked for it, so somebody else has to approve it."), code="same_person"
            )
        latest.said = Approval.Said.YES if yes else Approval.Said.NO
        latest.comment, latest.decided_by, latest.decided_at = comment, person, now
        latest.save()
        audit.record(
            actor=actor,
            action="campaign.approved" if yes else "campaign.declined",
            obj=campaign,
            detail={"asked_by": latest.asked_by_id, "comment": comment, "digest": latest.digest},
        )
    return latest

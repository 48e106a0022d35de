"""What campaigns cost: sums, and prices for each message that was sent."""

from datetime import datetime
from decimal import Decimal, InvalidOperation

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns.models import Campaign, Spend
from marketing.core import audit
from marketing.core.errors import Invalid, NotFound
from marketing.core.models import ApiKey, User

_MOST = Decimal(10) ** 9


def total(*, campaign_id: int | None, sent: int) -> Decimal:
    """Everything it cost, with so many messages sent."""
    rows = Spend.objects.filter(campaign_id=campaign_id).values_list("kind", "amount")
    return sum(
        (amount * sent if kind == Spend.Kind.EACH else amount for kind, amount in rows),
        Decimal(0),
    )


def note(
    *,
    campaign_id: int,
    kind: str,
    amount: object,
    text: str = "",
    user: User | ApiKey | None,
    now: datetime,
) -> Spend:
    """Write down a cost. Invalid when it is no sum of money."""
    try:
        value = Decimal(str(amount).strip().replace(",", "."))
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or not Decimal("0.0001") <= value <= _MOST:
        raise Invalid(
            _("Give an amount above zero, such as 250 or 0.05."), code="bad_amount", field="amount"
        )
    if kind not in Spend.Kind.values:
        raise Invalid(
            _("Say whether it is a sum or a price for each message."), code="bad_kind", field="kind"
        )
    with transaction.atomic():
        if not Campaign.objects.filter(pk=campaign_id).exists():
            raise NotFound(_("There is no such campaign."), code="campaign_unknown")
        made = Spend.objects.create(
            campaign_id=campaign_id,
            kind=kind,
            amount=value.quantize(Decimal("0.0001")),
            note=text.strip()[:120],
            created_by=user if isinstance(user, User) else None,
            created_at=now,
        )
        audit.record(
            actor=user, action="campaign.cost", obj=made.campaign, detail={"amount": str(value)}
        )
    return made


def remove(*, campaign_id: int, spend_id: int, user: User | ApiKey | None) -> None:
    """Strike a cost that was written down by mistake."""
    with transaction.atomic():
        found = Spend.objects.filter(pk=spend_id, campaign_id=campaign_id).first()
        if found is None:
            raise NotFound(_("There is no such cost."), code="cost_unknown")
        audit.record(
            actor=user,
            action="campaign.cost_removed",
            obj=found.campaign,
            detail={"amount": str(found.amount)},
        )
        found.delete()

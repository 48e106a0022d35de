"""What campaigns cost: sums, and prices for each message that was sent."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns.models import Campaign, Spend
from marketing.core import audit
from marketing.core.errors import Invalid, NotFound
from marketing.core.models import ApiKey, User

_MOST = Decimal(10) ** 9


@dataclass(frozen=True)
class Totals:
    """Sums and prices for each message, by campaign."""

    sums: Mapping[int, Decimal]
    prices: Mapping[int, Decimal]

    def of(self, campaign_id: int | None, *, sent: int) -> Decimal:
        key = campaign_id or 0
        return self.sums.get(key, Decimal(0)) + sent * self.prices.get(key, Decimal(0))


def totals(*, campaign_ids: Collection[int | None]) -> Totals:
    """What these campaigns cost, in one statement."""
    sums: dict[int, Decimal] = {}
    prices: dict[int, Decimal] = {}
    rows = Spend.objects.filter(campaign_id__in=[key for key in campaign_ids if key])
    for key, kind, amount in rows.values_list("campaign_id", "kind", "amount"):
        into = prices if kind == Spend.Kind.EACH else sums
        into[key] = into.get(key, Decimal(0)) + amount
    return Totals(sums, prices)


def total(*, campaign_id: int | None, sent: int) -> Decimal:
    """Everything it cost, with so many messages sent."""
    return totals(campaign_ids=[campaign_id]).of(campaign_id, sent=sent)


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

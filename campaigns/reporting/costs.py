"""What campaigns cost: sums, and prices for each message that was sent."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns import locks
from campaigns.models import Channel, Spend
from campaigns.recipients import prices as priced
from campaigns.recipients.prices import EVERY, Prices
from marketing.core import audit
from marketing.core.errors import Invalid, NotFound
from marketing.core.models import ApiKey, User

_MOST = Decimal(10) ** 9


@dataclass(frozen=True)
class Totals:
    """Sums and prices for each message, by campaign."""

    sums: Mapping[int, Decimal]
    prices: Mapping[int, Prices]

    def of(self, campaign_id: int | None, *, sent: Mapping[str, int]) -> Decimal:
        """What it cost with so many messages sent by each channel."""
        key = campaign_id or 0
        each = self.prices.get(key, Prices())
        used = sum((n * each.of(channel) for channel, n in sent.items()), Decimal(0))
        return self.sums.get(key, Decimal(0)) + used


def totals(*, campaign_ids: Collection[int | None]) -> Totals:
    """What these campaigns cost, in one statement."""
    return Totals(*priced.of_campaigns([key for key in campaign_ids if key]))


def total(*, campaign_id: int | None, sent: Mapping[str, int]) -> Decimal:
    """Everything it cost, with so many messages sent by each channel."""
    return totals(campaign_ids=[campaign_id]).of(campaign_id, sent=sent)


def note(
    *,
    campaign_id: int,
    kind: str,
    amount: object,
    text: str = "",
    channel: str = EVERY,
    user: User | ApiKey | None,
    now: datetime,
) -> Spend:
    """Write down a cost. Invalid when it is no sum of money.

    `channel`: the one whose messages cost so much each; a sum is of the whole campaign.
    """
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
    if channel and (kind != Spend.Kind.EACH or channel not in Channel.Kind.values):
        raise Invalid(
            _("Only the price for each message may be of one channel, and of one that there is."),
            code="bad_channel",
            field="channel",
        )
    with transaction.atomic():
        made = Spend.objects.create(
            campaign=locks.known(campaign_id),
            kind=kind,
            amount=value.quantize(Decimal("0.0001")),
            channel=channel,
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

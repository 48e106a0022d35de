"""What each message of a campaign costs, as it is written down."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from campaigns.models import Spend

EVERY = ""


@dataclass(frozen=True)
class Prices:
    """What each message costs, by channel; under EVERY what each costs in any case."""

    by_channel: Mapping[str, Decimal] = field(default_factory=dict)

    def of(self, channel: str) -> Decimal:
        """What one message of a channel costs."""
        base = self.by_channel.get(EVERY, Decimal(0))
        return base + (self.by_channel.get(channel, Decimal(0)) if channel else Decimal(0))


def of_campaigns(ids: Collection[int]) -> tuple[dict[int, Decimal], dict[int, Prices]]:
    """Sums, and prices for each message, by campaign, in one statement."""
    sums: dict[int, Decimal] = {}
    each: dict[int, dict[str, Decimal]] = {}
    rows = Spend.objects.filter(campaign_id__in=ids)
    for key, kind, amount, channel in rows.values_list("campaign_id", "kind", "amount", "channel"):
        if kind == Spend.Kind.EACH:
            by = each.setdefault(key, {})
            by[channel] = by.get(channel, Decimal(0)) + amount
        else:
            sums[key] = sums.get(key, Decimal(0)) + amount
    return sums, {key: Prices(by) for key, by in each.items()}


def of_campaign(campaign_id: int | None) -> Prices:
    """What its messages cost each."""
    key = campaign_id or 0
    return of_campaigns([key])[1].get(key, Prices())

"""Where people stand with the shop: one stage each, worked out from their numbers in Traits.

The stages are asked in order and the first that fits counts, so that everybody has exactly one.
"""

from dataclasses import dataclass

from django.db.models import Case, CharField, Q, Value, When
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

NEVER, NEW, LAPSED, AT_RISK, LOYAL, ACTIVE = (
    "never_ordered",
    "new",
    "lapsed",
    "at_risk",
    "loyal",
    "active",
)
STAGES: dict[str, str | Promise] = {
    NEW: _("New"),
    ACTIVE: _("Active"),
    LOYAL: _("Loyal"),
    AT_RISK: _("At risk"),
    LAPSED: _("Lapsed"),
    NEVER: _("Never ordered"),
}


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where one stage ends and the next begins."""

    new_days: int = 30
    risk_days: int = 90
    lapsed_days: int = 365
    loyal_orders: int = 4


def bounds() -> Bounds:
    """The bounds in use."""
    return Bounds()


def stage(*, row: str = "", of: Bounds | None = None) -> Case:
    """The stage as an expression over Traits; `row` is the look-up path that leads to them."""
    limits = of or bounds()

    def asked(**numbers: object) -> Q:
        return Q(**{f"{row}{name}": value for name, value in numbers.items()})

    return Case(
        When(asked(orders__isnull=True) | asked(orders__lt=1), then=Value(NEVER)),
        When(asked(tenure_days__lte=limits.new_days), then=Value(NEW)),
        When(asked(recency_days__gt=limits.lapsed_days), then=Value(LAPSED)),
        When(asked(recency_days__gt=limits.risk_days), then=Value(AT_RISK)),
        When(asked(orders__gte=limits.loyal_orders), then=Value(LOYAL)),
        default=Value(ACTIVE),
        output_field=CharField(),
    )

"""Rules worth starting from, useful in most shops, and offered only where they can work."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

REACHABLE = {"reach": "email", "purpose": "marketing"}


@dataclass(frozen=True, slots=True)
class Starter:
    key: str
    name: str
    text: str
    icon: str
    hue: str
    rule: dict[str, Any]


def starters(*, events: frozenset[str] = frozenset(), predictions: dict[str, str]) -> list[Starter]:
    """Starting points, given the kinds of events that come in and predictions by key and kind."""
    found = [*_of_orders(), *_of_messages()]
    if viewed := next((name for name in _VIEWS if name in events), ""):
        found.append(_lookers(viewed, events))
    if "churn" in predictions:
        found.append(
            Starter(
                "leaving",
                _("Likely to leave"),
                _("The tenth most likely to stop, who can still be reached."),
                "trending-down",
                "k4",
                {"all": [{"score": "churn", "op": "top", "value": 10}, REACHABLE]},
            )
        )
    return found


_VIEWS = ("view", "product_view", "Product Viewed", "page_view", "page")
_SALES = ("purchase", "order", "Order Completed", "order_completed")


def _of_orders() -> list[Starter]:
    return [
        Starter(
            "lapsed",
            _("Good customers gone quiet"),
            _("At least 3 orders, none for 60 days."),
            "hourglass",
            "k3",
            {"all": [
                {"field": "traits.orders", "op": ">=", "value": 3},
                {"field": "traits.recency_days", "op": ">", "value": 60},
                REACHABLE,
            ]},
        ),
        Starter(
            "second",
            _("Ready for a second order"),
            _("Ordered once, in the last 60 days."),
            "shopping-bag",
            "k2",
            {"all": [
                {"field": "traits.orders", "op": "=", "value": 1},
                {"field": "traits.recency_days", "op": "<=", "value": 60},
                REACHABLE,
            ]},
        ),
        Starter(
            "best",
            _("Best customers"),
            _("Among the fifth that orders most often and spends most."),
            "trophy",
            "k6",
            {"all": [{"rfm": {"f": [5], "m": [5]}}]},
        ),
        Starter(
            "new",
            _("New this month"),
            _("First order this month, in their own calendar."),
            "gift",
            "k5",
            {"all": [
                {"field": "rollup.first_order_at", "op": "during", "value": "this_month"},
            ]},
        ),
    ]  # fmt: skip


def _of_messages() -> list[Starter]:
    return [
        Starter(
            "readers",
            _("Readers who do not click"),
            _("Opened 3 messages in 90 days and clicked in none."),
            "mail-opened",
            "k1",
            {"all": [
                {"message": "opened", "at_least": 3, "days": 90},
                {"message": "clicked", "at_least": 0, "at_most": 0, "days": 90},
            ]},
        ),
    ]  # fmt: skip


def _lookers(viewed: str, events: frozenset[str]) -> Starter:
    sold = next((name for name in _SALES if name in events), "")
    bought: dict[str, Any] = {"bought": {"any": True}, "at_least": 1, "days": 7}
    if sold:
        bought = {"did": sold, "at_least": 1, "days": 7}
    return Starter(
        "lookers",
        _("Looked, did not buy"),
        _("Looked at least 3 times in a week and bought nothing."),
        "eye",
        "k7",
        {"all": [{"did": viewed, "at_least": 3, "days": 7}, {"not": bought}, REACHABLE]},
    )

"""Questions most shops ask, ready to be answered by one press."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketing.core.errors import NotFound
from marketing.core.models import ApiKey, User
from models_ml.models import Prediction
from models_ml.predictions import definitions


@dataclass(frozen=True)
class Ready:
    """A question with everything it needs. `asks` names what the marketer still has to choose.

    `settings["engine"]` says who answers (see `engines`); `needs` is what the data must hold:
    orders, mails, holdouts, events or attributes.
    """

    key: str
    title: str | Promise
    about: str | Promise
    target: dict[str, Any]
    horizon_days: int
    population: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    needs: str = "orders"
    asks: tuple[str, ...] = ()


READY: tuple[Ready, ...] = (
    Ready(
        "churn",
        _("Will stop buying"),
        _("The chance that somebody who bought within a year orders nothing for 90 days."),
        {"type": "no_order"},
        90,
        {"who": "buyers", "ordered_within_days": 365},
    ),
    Ready(
        "contract_churn",
        _("Will leave"),
        _(
            "For subscriptions and contracts: the chance that somebody leaves, by an event or a"
            " property that says so."
        ),
        {"type": "event", "event": ""},
        60,
        {"who": "everyone"},
        needs="events",
        asks=("target",),
    ),
    Ready(
        "purchase_30d",
        _("Will buy within 30 days"),
        _("The chance that somebody who bought before orders again within 30 days."),
        {"type": "order"},
        30,
    ),
    Ready(
        "purchase_90d",
        _("Will buy within 90 days"),
        _("The chance that somebody who bought before orders again within 90 days."),
        {"type": "order"},
        90,
    ),
    Ready(
        "big_spender",
        _("Will spend over an amount"),
        _("The chance that somebody spends more than an amount within 90 days."),
        {"type": "spend_over", "amount": 100},
        90,
        asks=("amount",),
    ),
    Ready(
        "answer",
        _("Will click on a mail"),
        _("The chance that somebody clicks on a mail within a week of its sending."),
        {"type": "answer", "by": "click"},
        7,
        {"who": "everyone"},
        needs="mails",
    ),
    Ready(
        "moved",
        _("Who does a mail move"),
        _(
            "How much likelier a mail makes an order within 14 days, learned from people who were"
            " held out of campaigns by chance: some order only because of it, some anyway."
        ),
        {"type": "moved"},
        14,
        {"who": "everyone"},
        settings={"engine": "uplift"},
        needs="holdouts",
    ),
    Ready(
        "order_value",
        _("Value of the next order"),
        _("How much the orders of the next 90 days are worth on average, of those who order."),
        {"type": "order_value"},
        90,
    ),
    Ready(
        "value_90d",
        _("Money spent within 90 days"),
        _("How much somebody spends within 90 days, returns taken off: gradient-boosted CLV."),
        {"type": "spend"},
        90,
    ),
    Ready(
        "value_365d",
        _("Money spent within a year"),
        _("How much somebody spends within a year. It needs more than two years of orders."),
        {"type": "spend"},
        365,
    ),
    Ready(
        "clv",
        _("Customer lifetime value"),
        _(
            "What somebody is worth over the next half year: orders expected from the rhythm of"
            " their own, times what their orders are worth, later money discounted."
        ),
        {"type": "spend"},
        182,
        settings={"engine": "lifetime", "discount": 0.1},
    ),
    Ready(
        "next_order",
        _("Day of the next order"),
        _(
            "The day by which half of the people with the same rhythm have ordered again, if they"
            " are still customers, and the days between which four of five do."
        ),
        {"type": "next_order"},
        120,
        settings={"engine": "lifetime"},
    ),
    Ready(
        "still_customer",
        _("Is still a customer"),
        _(
            "The chance that somebody has not left for good, told from how long they have been"
            " silent beside their own rhythm. The laws behind it are judged by who orders again."
        ),
        {"type": "order"},
        120,
        settings={"engine": "lifetime"},
    ),
    Ready(
        "send_hour",
        _("Best hour to write"),
        _(
            "The hour of their own day at which somebody answers mails, drawn to everybody's hour"
            " as far as they answered few. Others get everybody's."
        ),
        {"type": "send_hour"},
        30,
        {"who": "everyone"},
        settings={"engine": "hours"},
        needs="mails",
    ),
    Ready(
        "unusual",
        _("Unlike the rest"),
        _(
            "How unusual somebody is among all, by many facts together or by one alone, and which"
            " facts those are. It says nothing of whether that is bad."
        ),
        {"type": "unusual"},
        30,
        settings={"engine": "oddness"},
    ),
    Ready(
        "risk_event",
        _("Default, chargeback or fraud"),
        _("The chance that somebody defaults, charges back or cheats, by an event that says so."),
        {"type": "event", "event": ""},
        90,
        {"who": "everyone"},
        needs="events",
        asks=("target",),
    ),
)


def find(*, key: str) -> Ready:
    for one in READY:
        if one.key == key:
            return one
    raise NotFound(gettext("There is no such ready prediction."), code="ready_unknown")


def install(
    *,
    key: str,
    target: dict[str, Any] | None = None,
    horizon_days: int | None = None,
    actor: User | ApiKey | None = None,
    now: datetime | None = None,
) -> Prediction:
    """The ready prediction of this key, made if it is not there yet."""
    one = find(key=key)
    known = Prediction.objects.filter(key=one.key).first()
    if known is not None:
        return known
    return definitions.create(
        title=str(one.title),
        target=target or one.target,
        horizon_days=horizon_days or one.horizon_days,
        population=one.population,
        settings=one.settings,
        key=one.key,
        is_ready=True,
        actor=actor,
        now=now,
    )

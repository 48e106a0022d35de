"""A week after the demo's campaign: its mails become a week old, and people order meanwhile.

The demo's history ended years ago, and what is known is known as of its last day. So the campaign
is taken back to that day, and the week follows it: today's date would make leavers of everybody.
The orders are simulated and their source says so. Whoever got the mail orders more often than who
was held out, by a share that is known, so that what the report says can be held against the truth.
"""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns import demo as campaigns_demo
from ingestion import orders
from ingestion.identity.identify import Person
from ingestion.models import Customer, Product
from marketing.core.errors import Conflict, NotFound
from models_ml import queries

WEEK = timedelta(days=7)
SOURCE = "Simulated week"
HELD_OUT, MAILED = 0.06, 0.12
SEED = 7


@dataclass(frozen=True)
class Week:
    """What was made: the campaign, when it begins now, and how many of whom ordered."""

    campaign: int
    began: datetime
    mailed: int
    mailed_orders: int
    held_out: int
    held_out_orders: int


def go_by(*, now: datetime) -> Week:
    """Let a week go by. NotFound before the demo's campaign is over, Conflict the second time."""
    with transaction.atomic():
        sent = campaigns_demo.sent()
        if sent is None:
            raise NotFound(_("The demo's campaign has not been sent yet. Wait until it is over."))
        if now - sent.started_at >= WEEK:
            raise Conflict(_("The demo's campaign is a week old already."))
        began = min(queries.data_now(now=now), now - WEEK)
        campaigns_demo.grow_older(run=sent, by=sent.started_at - began)
        chance = random.Random(SEED)
        people = Customer.objects.filter(pk__in=[*sent.mailed, *sent.held_out])
        named = {pk: name for pk, name in people.values_list("pk", "external_id") if name}
        goods = Product.objects.filter(price__gt=0, is_goods=True).order_by("sku")
        shelf = [(sku, price) for sku, price in goods.values_list("sku", "price") if price]
        mailed = [one for one in sent.mailed if chance.random() < MAILED and one in named]
        held_out = [one for one in sent.held_out if chance.random() < HELD_OUT and one in named]
        batch = [
            _order(number, named[one], shelf, began, chance)
            for number, one in enumerate([*mailed, *held_out], start=1)
        ]
        orders.record(batch=batch, source=SOURCE, now=now)
    return Week(
        sent.campaign_id, began, len(sent.mailed), len(mailed), len(sent.held_out), len(held_out)
    )


def _order(
    number: int, name: str, shelf: list[tuple[str, Decimal]], began: datetime, chance: random.Random
) -> orders.Incoming:
    picked = chance.sample(shelf, k=min(len(shelf), chance.randint(1, 4)))
    return orders.Incoming(
        external_id=f"week-{number}",
        placed_at=began + chance.random() * WEEK,
        lines=tuple(orders.Line(sku, chance.randint(1, 6), price) for sku, price in picked),
        person=Person(external_id=name),
    )

"""Sends that hold people out by chance, and people of whom a mail moves some, planted at once."""

from datetime import datetime, timedelta

import numpy as np
from django.db import connection

from campaigns.models import Campaign, Message, Run
from ingestion.models import Customer, Order, OrderLine, Source
from tests import factories

NOW = factories.NOW
WINDOW = 14


def people(n: int, *, seed: int = 5) -> list[Customer]:
    """Buyers, every second of them with six orders in the last year, the others with one."""
    rng = np.random.default_rng(seed)
    made = Customer.objects.bulk_create(
        Customer(
            external_id=f"u{seed}-{k}",
            email=f"u{seed}-{k}@example.com",
            first_seen_at=NOW - timedelta(days=500),
        )
        for k in range(n)
    )
    bought = [
        (person, NOW - timedelta(days=float(day)))
        for k, person in enumerate(made)
        for day in rng.uniform(120, 400, 6 if k % 2 else 1)
    ]
    # The shop still sells today.
    buy([*bought, (factories.customer(f"visitor{seed}"), NOW - timedelta(hours=1))])
    return made


def send(
    made: list[Customer],
    *,
    days_ago: float,
    moved: float = 0.0,
    usual: float = 0.08,
    held_out: int = 50,
    name: str = "Spring letter",
    seed: int = 1,
    of: Campaign | None = None,
) -> Run:
    """A finished send: those of many orders buy more often by `moved` if mailed, others anyway."""
    rng = np.random.default_rng(seed)
    at = NOW - timedelta(days=days_ago)
    run = Run.objects.create(
        campaign=of or factories.campaign(name, state="finished"),
        state=Run.State.FINISHED,
        audience=len(made),
        started_at=at,
        finished_at=at,
        snapshot={"filled": True, "holdout_percent": held_out},
    )
    held = rng.random(len(made)) < held_out / 100
    Message.objects.bulk_create(
        Message(
            run=run,
            customer=person,
            state="skipped" if out else "sent",
            reason="holdout" if out else "",
            message_id=None if out else f"{run.pk}-{person.pk}",
            sent_at=None if out else at,
        )
        for person, out in zip(made, held, strict=True)
    )
    many = np.arange(len(made)) % 2
    # Whoever is not moved buys anyway, so that who buys does not tell who is moved.
    chance = usual + moved * (1 - many) + moved * many * ~held
    bought = np.flatnonzero(rng.random(len(made)) < chance)
    days = rng.uniform(0.1, WINDOW - 0.1, len(bought))
    buy([(made[k], at + timedelta(days=float(d))) for k, d in zip(bought, days, strict=True)])
    return run


def buy(bought: list[tuple[Customer, datetime]]) -> None:
    """An order of one thing each."""
    source = Source.objects.get_or_create(name="shop")[0]
    item = factories.product("TEAPOT")
    begin = Order.objects.count()
    orders = Order.objects.bulk_create(
        Order(
            source=source,
            external_id=f"u{begin + k}",
            customer=person,
            placed_at=at,
            currency="GBP",
            total=10,
        )
        for k, (person, at) in enumerate(bought)
    )
    OrderLine.objects.bulk_create(
        OrderLine(
            order=order,
            line_no=1,
            customer_id=order.customer_id,
            product=item,
            placed_at=order.placed_at,
            sku=item.sku,
            quantity=1,
            unit_price=10,
            total=10,
        )
        for order in orders
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE ingestion_customer, ingestion_order, ingestion_orderline")

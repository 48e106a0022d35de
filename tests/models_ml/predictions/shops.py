"""Shops whose people behave by known rates, planted in a few statements."""

from datetime import datetime, timedelta

import numpy as np
from django.db import connection

from ingestion.models import Customer, Order, OrderLine, Source
from tests import factories

NOW = factories.NOW
DAYS = 400


def plant(
    *, people: int = 500, seed: int = 7, random: bool = False, now: datetime = NOW
) -> list[Customer]:
    """Buyers over 400 days, each with a rate of their own: how often tells more than when last.

    `random`: all have the same, so that nothing tells who orders next.
    """
    rng = np.random.default_rng(seed)
    source = Source.objects.get_or_create(name="shop")[0]
    goods = [factories.product(f"G{n}") for n in range(5)]
    made = Customer.objects.bulk_create(
        Customer(
            external_id=f"s{seed}-{n}",
            email=f"s{seed}-{n}@example.com",
            country="GB",
            first_seen_at=now - timedelta(days=DAYS),
        )
        for n in range(people)
    )
    orders = []
    for person in made:
        rate = 1 / 45 if random else rng.gamma(0.6, 1 / 35)
        spread = rng.uniform(0, DAYS, max(1, rng.poisson(rate * DAYS)))
        orders += [
            Order(
                source=source,
                external_id=f"s{seed}-{person.pk}-{k}",
                customer=person,
                placed_at=now - timedelta(days=DAYS - float(day), seconds=1),
                currency="GBP",
                total=0,
            )
            for k, day in enumerate(np.sort(spread))
        ]
    orders = Order.objects.bulk_create(orders)
    lines = []
    for order in orders:
        quantity = int(rng.integers(1, 6))
        item = goods[int(rng.integers(0, len(goods)))]
        lines.append(
            OrderLine(
                order=order,
                line_no=1,
                customer_id=order.customer_id,
                product=item,
                placed_at=order.placed_at,
                sku=item.sku,
                quantity=quantity,
                unit_price=10,
                total=10 * quantity,
            )
        )
    OrderLine.objects.bulk_create(lines)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE ingestion_customer, ingestion_order, ingestion_orderline")
    return made

"""A small history with planted truth, for trees of any question.

Most people of Spain and Portugal order again and again, and few of the others. Whoever orders often
does so at intervals in which the last order alone says little. Plans and scores mean nothing.
"""

from datetime import timedelta

import numpy as np

from ingestion.events import partitions
from ingestion.models import Customer, Event, EventType, Order, OrderLine
from models_ml import features
from tests import factories

NOW = factories.NOW
PEOPLE = 600
COUNTRIES = ("GB", "ES", "PT", "DE", "")
FIRST = 2_000_000


def plant(people: int = PEOPLE, *, seed: int = 7) -> list[Customer]:
    rng = np.random.default_rng(seed)
    source, product = factories.source(), factories.product("P")
    since = NOW - timedelta(days=400)
    made = []
    for n in range(people):
        attributes: dict[str, object] = {"plan": str(rng.choice(["gold", "basic", "free"]))}
        if rng.random() < 0.8:
            attributes["score"] = float(np.round(rng.uniform(0, 100), 1))
        made.append(
            Customer(
                id=FIRST + n, external_id=f"x{n}", country=COUNTRIES[int(rng.integers(0, 5))],
                attributes=attributes, created_at=since, first_seen_at=since,
            )
        )  # fmt: skip
    Customer.objects.bulk_create(made)
    orders, events = [], []
    for person in made:
        eager = (person.country in ("ES", "PT")) == (rng.random() < 0.88)
        at = NOW - timedelta(days=float(rng.uniform(330, 390)))
        while at < NOW:
            orders.append(
                Order(
                    source=source, external_id=f"o{len(orders)}", customer=person, placed_at=at,
                    total=20, currency="GBP",
                )
            )  # fmt: skip
            at += timedelta(days=float(rng.uniform(35, 55) if eager else rng.uniform(90, 300)))
        for _ in range(int(rng.poisson(2))):
            day = float(rng.uniform(0, 100))
            events.append(
                Event(
                    id=len(events) + 1,
                    customer=person,
                    type="help asked",
                    at=NOW - timedelta(days=day),
                    source=source.name,
                )
            )
    OrderLine.objects.bulk_create(
        OrderLine(
            order=order, line_no=1, customer_id=order.customer_id, product=product,
            placed_at=order.placed_at, sku="P", quantity=1, unit_price=20, total=20 + order.pk % 7,
        )
        for order in Order.objects.bulk_create(orders)
    )  # fmt: skip
    partitions.ensure_months(event.at for event in events)
    Event.objects.bulk_create(events)
    EventType.objects.create(
        name="help asked", count=len(events), first_seen_at=since, last_seen_at=NOW
    )
    features.build(as_of=NOW)
    return made

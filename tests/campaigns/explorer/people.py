"""A small history with planted truth, for trees of any question.

Most people of Spain and Portugal order again and again, and few of the others. Whoever orders often
does so at intervals in which the last order alone says little. Plans and scores mean nothing.
"""

from datetime import timedelta
from typing import Any

import numpy as np
from django.db import connection

from campaigns.jobs import trees as tree_jobs
from ingestion import rollups
from ingestion.events import partitions
from ingestion.models import Customer, Event, EventType, Order, OrderLine
from models_ml import features
from models_ml.explorer import questions, training
from models_ml.models import Exploration, ModelVersion
from tests import factories

NOW = factories.NOW
PEOPLE = 600
COUNTRIES = ("GB", "ES", "PT", "DE", "")
FIRST = 2_000_000
SMALL = {"depth": 3, "leaves": 6, "min_leaf": 30}
ALLOWED = {"allow": ["country", "language", "attribute:plan", "attribute:score"]}


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
            placed_at=order.placed_at, sku="P", quantity=1, unit_price=20,
            total=20 + int(rng.integers(0, 7)),
        )
        for order in Order.objects.bulk_create(orders)
    )  # fmt: skip
    partitions.ensure_months(event.at for event in events)
    Event.objects.bulk_create(events)
    EventType.objects.create(
        name="help asked", count=len(events), first_seen_at=since, last_seen_at=NOW
    )
    rollups.refresh(customer_ids=[person.pk for person in made])
    # As of any table that was filled a minute ago, the database knows how many rows these have.
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE ingestion_customer, ingestion_order, ingestion_orderline")
    features.build(as_of=NOW)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE models_ml_traits")
    return made


def ask(target: dict[str, Any], *, days: int = 60, **more: Any) -> Exploration:
    return questions.create(
        title=more.pop("title", "Question"), target=target, horizon_days=days,
        settings={**SMALL, **ALLOWED, **more.pop("settings", {})}, now=NOW, **more,
    )  # fmt: skip


def train(exploration: Exploration, defining: tuple[str, ...] = ()) -> ModelVersion:
    return training.train(
        exploration=exploration, as_of=NOW, now=NOW, members=tree_jobs.members, defining=defining
    )


def explored(*, state: str = "live", **values: Any) -> tuple[Exploration, ModelVersion]:
    """A question with a tree of three groups, as a training would have stored them."""
    exploration = Exploration.objects.create(
        key="gold", title="Who turns gold", target={"type": "order"}, horizon_days=30,
        settings={"depth": 3, "min_leaf": 30}, **values,
    )  # fmt: skip
    version = factories.tree_version(state="retired")
    version.name, version.state = "tree:gold", state
    version.reason = "It ranks hardly better than a coin." if state == "refused" else ""
    nodes, leaves = version.details["nodes"], version.details["leaves"]
    nodes[2] |= {"feature": "country", "levels": ["ES", "PT", "FR", "IT"], "named_left": False}
    for leaf in leaves:
        leaf["worth"] = {"value": 40.0, "low": 30.0, "high": 50.0}
        for condition in leaf["conditions"]:
            if condition["feature"] == "orders":
                among = "in" if condition["op"] == ">" else "not_in"
                condition |= {
                    "feature": "country", "op": among, "missing": among == "not_in",
                    "levels": ["ES", "PT", "FR", "IT"],
                }  # fmt: skip
    move = {"leaf": 1, "was": 1, "kind": "changed", "common": 0.7, "before": 0.4, "after": 0.6}
    gap = {"value": 0.2, "low": 0.1, "high": 0.3}
    fresh = {"leaf": 3, "was": None, "kind": "new", "common": 0.1, "before": None, "after": 0.12}
    same = {"leaf": 4, "was": 4, "kind": "same", "common": 1.0, "before": 0.35, "after": 0.35}
    version.details |= {
        "columns": [
            {"name": "recency_days", "of": "traits"},
            {"name": "country", "of": "person", "levels": ["ES", "PT", "FR", "IT", "GB"]},
        ],
        "population": {},
        "worth": {"value": 20.0, "low": 15.0, "high": 25.0},
        "worth_of": "next",
        "left_out": [{"column": "attribute:plan", "why": "learned_later"}],
        "moved": {
            "version": 1, "version_id": version.pk + 1000, "people": 10, "changed": 0.12,
            "gone": [9],
            "moves": [
                {**move, "difference": gap, "moved": True},
                {**fresh, "difference": None, "moved": False},
                {**same, "difference": {"value": 0, "low": -0.1, "high": 0.1}, "moved": False},
            ],
        },
    }  # fmt: skip
    version.save()
    exploration.sizes = {
        "version": version.pk, "as_of": NOW.isoformat(), "people": 1000,
        "leaves": {"1": 300, "3": 500, "4": 200},
    }  # fmt: skip
    exploration.save()
    return exploration, version

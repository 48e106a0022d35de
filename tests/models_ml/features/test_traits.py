"""Numbers about people: right by hand, and blind to everything after their moment."""

from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from ingestion.models import Customer, Order, OrderLine
from models_ml import features
from models_ml.models import Traits
from tests import factories

NOW = factories.NOW
pytestmark = pytest.mark.django_db


def give_back(order: Order, *, at: datetime, quantity: int) -> None:
    """A credit note for part of an order's first line."""
    line = order.lines.first()
    note = Order.objects.create(
        source=order.source, external_id=f"C{order.external_id}", customer=order.customer,
        placed_at=at, currency="GBP", total=-line.unit_price * quantity,
    )  # fmt: skip
    OrderLine.objects.create(
        order=note, line_no=1, customer=order.customer, product=line.product, placed_at=at,
        sku=line.sku, quantity=-quantity, unit_price=line.unit_price,
        total=-line.unit_price * quantity, kind=OrderLine.Kind.RETURN, cancels=line,
    )  # fmt: skip


def buyer() -> Customer:
    """Three orders 100, 40 and 10.5 days ago; two of the eight teapots go back 5 days ago."""
    person = factories.customer("ada")
    pot = factories.product("POT", price=Decimal("10.00"))
    cup = factories.product("CUP", price=Decimal("2.50"))
    factories.order(person, days_ago=100, lines=[(pot, 2), (cup, 4)])
    factories.order(person, days_ago=40, lines=[(pot, 1)])
    last = factories.order(person, days_ago=10.5, lines=[(pot, 5)])
    give_back(last, at=NOW - timedelta(days=5), quantity=2)
    return person


def test_a_persons_numbers_are_what_a_hand_would_count() -> None:
    person = buyer()
    assert features.build(as_of=NOW) == 1
    found = Traits.objects.get(pk=person.pk)
    assert found.as_of == NOW
    assert {c.name: getattr(found, c.name) for c in features.COLUMNS} == {
        "recency_days": 10.0,
        "orders": 3,
        "units": 12,
        "revenue": 70.0,
        "avg_order_value": 30.0,
        "tenure_days": 100.0,
        "interval_days_mean": 44.8,
        "interval_days_std": 21.6,
        "products": 2,
        "return_rate": 0.167,
        "trend": 1.0,
    }


def test_somebody_who_never_ordered_has_zero_orders_and_unknown_days() -> None:
    cleo = factories.customer("cleo")
    features.build(as_of=NOW)
    found = Traits.objects.get(pk=cleo.pk)
    assert (found.orders, found.revenue, found.recency_days) == (0, 0.0, None)
    assert (found.r_score, found.repeat_90d) == (None, None)


def test_one_order_makes_no_interval() -> None:
    person = factories.customer()
    factories.order(person, days_ago=3)
    features.build(as_of=NOW)
    found = Traits.objects.get(pk=person.pk)
    assert (found.orders, found.interval_days_mean, found.interval_days_std) == (1, None, None)


def test_fees_and_guests_do_not_count() -> None:
    person = factories.customer()
    order = factories.order(person, days_ago=3)
    OrderLine.objects.create(
        order=order, line_no=9, customer=person, placed_at=order.placed_at, sku="POST", quantity=1,
        unit_price=18, total=18, kind=OrderLine.Kind.FEE,
    )  # fmt: skip
    factories.order(None, days_ago=2)
    seen = features.snapshot(as_of=NOW)
    assert seen.person.tolist() == [person.pk]
    assert seen.column("revenue").tolist() == [4.5]


def test_nothing_that_happens_later_changes_what_was_known_then() -> None:
    person = buyer()
    other = factories.customer("ben")
    factories.order(other, days_ago=60)
    cut = NOW - timedelta(days=30)
    before = features.snapshot(as_of=cut)
    labels = features.ordered_within(since=cut, until=NOW)

    first = Order.objects.filter(customer=person).order_by("placed_at").first()
    assert first is not None
    give_back(first, at=cut + timedelta(seconds=1), quantity=1)
    first.status = Order.Status.CANCELLED
    first.save()
    factories.order(other, placed_at=cut)
    factories.order(other, days_ago=1)
    newcomer = factories.customer("new")
    factories.order(newcomer, days_ago=29)
    Customer.objects.filter(pk=other.pk).update(country="XX")

    after = features.snapshot(as_of=cut)
    assert after.person.tolist() == before.person.tolist()
    assert np.array_equal(after.x, before.x, equal_nan=True)
    assert labels.tolist() == [person.pk]
    assert features.ordered_within(since=cut, until=NOW).tolist() == sorted(
        [person.pk, other.pk, newcomer.pk]
    )


def test_building_twice_changes_nothing_and_later_numbers_replace_earlier() -> None:
    person = buyer()
    features.build(as_of=NOW)
    once = Traits.objects.filter(pk=person.pk).values().get()
    features.build(as_of=NOW)
    assert Traits.objects.filter(pk=person.pk).values().get() == once
    features.build(as_of=NOW + timedelta(days=7))
    assert Traits.objects.get(pk=person.pk).recency_days == 17.0
    assert Traits.objects.count() == 1


def test_scores_put_people_into_fifths_and_five_is_best() -> None:
    people = [factories.customer() for _ in range(10)]
    for n, person in enumerate(people):
        factories.order(person, days_ago=1 + n)
    features.build(as_of=NOW)
    scores = dict(Traits.objects.values_list("customer_id", "r_score"))
    assert [scores[p.pk] for p in people] == [5, 5, 4, 4, 3, 3, 2, 2, 1, 1]


def test_stored_numbers_and_a_snapshot_of_the_same_moment_are_the_same() -> None:
    buyer()
    factories.customer("cleo")
    factories.order(factories.customer("ben"), days_ago=200)
    features.build(as_of=NOW)
    stored, seen = features.stored(), features.snapshot(as_of=NOW)
    assert stored is not None
    assert stored.person.tolist() == seen.person.tolist()
    assert np.array_equal(stored.x, seen.x, equal_nan=True)

"""Groups of the lab: people as the product's own yardsticks saw them when the judged days began."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from ingestion.models import Customer, Order, OrderLine
from models_ml import features, interactions, lab
from models_ml.insights import bands
from models_ml.insights.bands import Bands
from models_ml.models import Traits
from tests import factories

SINCE = datetime(2026, 6, 1, tzinfo=UTC)
TIERS, EACH = 5, 20


def bought(person: Customer, at: datetime, price: int) -> None:
    order = Order.objects.create(
        source=factories.source(), external_id=f"{person.pk}-{at}", customer=person, placed_at=at,
        currency="GBP",
    )  # fmt: skip
    OrderLine.objects.create(
        order=order, line_no=1, customer=person, product=factories.product("CUP"), placed_at=at,
        sku="CUP", quantity=1, unit_price=price, total=price,
    )  # fmt: skip


@pytest.fixture
def tiers(db: None) -> list[list[Customer]]:
    """Five tiers of twenty: 10, 20 … 50 days since the last of five, four … one orders of 9.50."""
    made = Customer.objects.bulk_create(
        Customer(external_id=f"p{n}", country="GB") for n in range(TIERS * EACH)
    )
    shop, cup = factories.source(), factories.product("CUP")
    orders, lines = [], []
    for place, person in enumerate(made):
        tier = place // EACH
        for n in range(TIERS - tier):
            at = SINCE - timedelta(days=10 + 10 * tier + n)
            orders.append(
                Order(
                    source=shop, external_id=f"{place}-{n}", customer=person,
                    placed_at=at, currency="GBP",
                )
            )  # fmt: skip
            lines.append(
                OrderLine(
                    order=orders[-1], line_no=1, customer=person, product=cup,
                    placed_at=at, sku="CUP", quantity=1, unit_price="9.5", total="9.5",
                )
            )  # fmt: skip
    Order.objects.bulk_create(orders)
    OrderLine.objects.bulk_create(lines)
    return [made[tier * EACH : (tier + 1) * EACH] for tier in range(TIERS)]


def told(*kinds: str) -> dict[tuple[str, str], list[int]]:
    """Who is in which group of these kinds when the days from SINCE on are judged."""
    since = np.datetime64(SINCE.replace(tzinfo=None), "s")
    history = interactions.read(as_of=SINCE)
    people = np.unique(history.user)
    return {
        (by, key): people[mask].tolist()
        for by, key, mask in lab.groups_of(people, history, since)
        if by in kinds
    }


def ids(*tiers: list[Customer]) -> list[int]:
    return [person.pk for tier in tiers for person in tier]


def test_people_are_in_the_cells_and_bands_of_what_was_known_when_the_days_began(tiers):
    first, second, third, fourth, fifth = tiers
    features.build(as_of=SINCE)
    seen = list(Traits.objects.order_by("customer_id").values_list("r_score", "f_score", "m_score"))
    for person in fifth:  # what they do from that moment on is what is to be foreseen
        for days in range(8):
            bought(person, SINCE + timedelta(days=days), 500)
    assert told("cells") == {
        ("cells", "champions"): ids(first),
        ("cells", "loyal"): ids(second),
        ("cells", "attention"): ids(third),
        ("cells", "hibernating"): ids(fourth),
        ("cells", "lost"): ids(fifth),
    }
    assert told("bands") == {
        ("bands", f"{axis}{TIERS - place}"): ids(tier)
        for axis in "rfm"
        for place, tier in enumerate(tiers)
    }
    who, scores = features.scored(as_of=SINCE)
    assert who.tolist() == ids(*tiers)
    assert [tuple(row) for row in scores.tolist()] == seen


def test_bands_that_somebody_chose_are_those_of_the_groups(tiers):
    first, second, third, fourth, fifth = tiers
    # 19.00 are two orders.
    chosen = Bands(r=(35, 60, 90, 120), f=(2, 3, 4, 5), m=(10, 19, 100, 200))
    bands.save(bands=chosen, actor=None, now=SINCE)
    assert told("cells") == {
        ("cells", "champions"): ids(first, second),
        ("cells", "potential"): ids(third, fourth),
        ("cells", "promising"): ids(fifth),
    }
    assert told("bands") == {
        ("bands", "r5"): ids(first, second, third),
        ("bands", "r4"): ids(fourth, fifth),
        ("bands", "f5"): ids(first),
        ("bands", "f4"): ids(second),
        ("bands", "f3"): ids(third),
        ("bands", "f2"): ids(fourth),
        ("bands", "f1"): ids(fifth),
        ("bands", "m3"): ids(first, second, third, fourth),
        ("bands", "m1"): ids(fifth),
    }


def test_a_group_that_is_too_small_to_tell_anything_is_left_out(tiers):
    Customer.objects.filter(pk=tiers[4][0].pk).delete()
    assert ("cells", "lost") not in told("cells")
    assert len(told("cells")[("cells", "hibernating")]) == EACH

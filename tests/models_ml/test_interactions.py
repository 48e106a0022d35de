from datetime import timedelta

import numpy as np
import pytest

from ingestion.models import Order, OrderLine
from models_ml import interactions
from tests import factories

pytestmark = pytest.mark.django_db
NOW = factories.NOW


def give_back(line: OrderLine, quantity: int, days_ago: float) -> None:
    note = Order.objects.create(
        source=factories.source(), external_id=f"C{line.pk}{quantity}", customer=line.customer,
        placed_at=NOW - timedelta(days=days_ago), currency="GBP",
    )  # fmt: skip
    OrderLine.objects.create(
        order=note, line_no=1, customer=line.customer, product=line.product, sku=line.sku,
        placed_at=note.placed_at, quantity=-quantity, unit_price=1, total=-quantity,
        kind=OrderLine.Kind.RETURN, cancels=line,
    )  # fmt: skip


def pairs(as_of=NOW) -> list[tuple[int, int]]:
    data = interactions.read(as_of=as_of)
    return sorted(zip(data.user.tolist(), data.item.tolist(), strict=True))


def test_goods_of_known_people_are_read_with_their_moment():
    ada, cup = factories.customer("ada"), factories.product("CUP")
    factories.order(ada, days_ago=2, lines=[(cup, 3)])
    data = interactions.read(as_of=NOW)
    assert data.user.tolist() == [ada.pk]
    assert data.item.tolist() == [cup.pk]
    assert data.at.tolist() == [(NOW - timedelta(days=2)).replace(tzinfo=None)]
    assert data.weight.dtype == np.float32


def test_fees_unknown_buyers_and_the_future_are_left_out():
    ada, cup = factories.customer("ada"), factories.product("CUP")
    postage = factories.product("POST", is_goods=False)
    factories.order(ada, days_ago=2, lines=[(postage, 1)])
    factories.order(None, days_ago=2, lines=[(cup, 1)])
    factories.order(ada, days_ago=-1, lines=[(cup, 1)])
    assert pairs() == []
    assert pairs(NOW + timedelta(days=2)) == [(ada.pk, cup.pk)]


def test_what_was_sent_back_in_full_by_then_was_not_bought():
    ada, cup = factories.customer("ada"), factories.product("CUP")
    factories.order(ada, days_ago=9, lines=[(cup, 3)])
    line = OrderLine.objects.get()
    give_back(line, 2, days_ago=5)
    assert pairs() == [(ada.pk, cup.pk)]
    give_back(line, 1, days_ago=3)
    assert pairs() == []
    assert pairs(NOW - timedelta(days=4)) == [(ada.pk, cup.pk)]


def test_of_equal_lines_no_more_than_were_sent_back_are_left_out():
    ada, bob = factories.customer("ada"), factories.customer("bob")
    cup, rug = factories.product("CUP"), factories.product("RUG")
    factories.order(ada, days_ago=9, lines=[(cup, 1), (cup, 1), (rug, 2), (cup, 1)])
    factories.order(bob, days_ago=9, lines=[(cup, 1), (rug, 1)])
    for line in OrderLine.objects.filter(customer=ada, product=cup)[:2]:
        give_back(line, 1, days_ago=1)
    give_back(OrderLine.objects.get(customer=bob, product=rug), 1, days_ago=1)
    assert pairs() == [(ada.pk, cup.pk), (ada.pk, rug.pk), (bob.pk, cup.pk)]


def test_an_empty_shop_has_no_interactions():
    assert len(interactions.read(as_of=NOW)) == 0

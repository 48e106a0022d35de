"""Links between products, recomputed from the orders and visits they claim."""

from datetime import timedelta

import pytest

from ingestion import events
from ingestion.events import draining
from ingestion.models import OrderLine
from recommendations import links
from recommendations.models import LinkSet, ProductLink
from tests import factories


@pytest.fixture
def tea_shop(db):
    """Pots are bought with cups, and filters some weeks after pots; lamps are for themselves."""
    goods = {sku: factories.product(sku) for sku in ("POT", "CUP", "FILTER", "LAMP")}
    for n in range(24):
        buyer = factories.customer()
        if n % 2:
            pot = [(goods["POT"], 1), (goods["CUP"], 2)]
            factories.order(buyer, days_ago=60 + n, lines=pot)
            factories.order(buyer, days_ago=20 + n, lines=[(goods["FILTER"], 1)])
        else:
            factories.order(buyer, days_ago=50 + n, lines=[(goods["LAMP"], 1)])
            factories.order(buyer, days_ago=10 + n, lines=[(goods["LAMP"], 1)])
    return goods


def of(goods, kind, sku):
    rows = ProductLink.objects.filter(product=goods[sku], kind=kind).order_by("rank")
    return [(row.other.sku, row.count) for row in rows]


def test_counts_are_those_of_the_orders(tea_shop):
    made = links.make(now=factories.NOW)
    assert of(tea_shop, "together", "POT") == [("CUP", 12)]
    both = set(OrderLine.objects.filter(sku="POT").values_list("order_id", flat=True))
    both &= set(OrderLine.objects.filter(sku="CUP").values_list("order_id", flat=True))
    assert len(both) == 12
    assert of(tea_shop, "next", "POT") == [("FILTER", 12)]
    assert of(tea_shop, "next", "FILTER") == []
    assert sorted(of(tea_shop, "bought", "POT")) == [("CUP", 12), ("FILTER", 12)]
    assert of(tea_shop, "together", "LAMP") == []
    assert made.complete
    assert made.metrics["products"] == 3


def test_what_is_popular_counts_people(tea_shop):
    made = links.make(now=factories.NOW)
    keys = {row.pk: sku for sku, row in tea_shop.items()}
    assert {keys[key] for key in made.popular["all"]} == set(tea_shop)


def test_products_looked_at_in_the_same_visits_are_linked(tea_shop):
    batch = [
        events.Incoming(
            type="view", at=factories.NOW - timedelta(hours=n), message_id=f"v{n}{sku}",
            anonymous_id=f"visitor{n}", properties={"sku": sku},
        )
        for n in range(16)
        for sku in (("POT", "LAMP") if n % 2 else ("CUP", "FILTER"))
    ]  # fmt: skip
    events.accept(batch=batch, source="shop", now=factories.NOW)
    draining.drain(now=factories.NOW)
    links.make(now=factories.NOW)
    assert of(tea_shop, "seen", "POT") == [("LAMP", 8)]


def test_a_second_run_replaces_the_first(tea_shop):
    first = links.make(now=factories.NOW)
    count = ProductLink.objects.count()
    second = links.make(now=factories.NOW + timedelta(hours=1))
    assert list(LinkSet.objects.values_list("pk", flat=True)) == [second.pk]
    assert first.pk != second.pk
    assert ProductLink.objects.count() == count


def test_a_stopped_run_leaves_the_links_as_they_are(tea_shop):
    first = links.make(now=factories.NOW)

    def stop(what, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        links.make(now=factories.NOW, say=stop)
    assert LinkSet.objects.get().pk == first.pk


def test_a_shop_without_orders_and_visits_has_no_links(db):
    made = links.make(now=factories.NOW)
    assert made.popular["all"] == []
    assert not ProductLink.objects.exists()


def test_one_order_of_everything_links_nothing(db):
    goods = [factories.product(f"S{n}") for n in range(links.LARGEST + 1)]
    for _n in range(4):
        factories.order(factories.customer(), lines=[(one, 1) for one in goods])
    made = links.make(now=factories.NOW)
    assert made.metrics["links"]["together"] == 0
    assert made.metrics["large_orders"] == 4

"""New products get a bounded share of the places, and reach those who like what they are like."""

from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest

from ingestion import events
from ingestion.events import draining
from ingestion.models import Consent, CustomerRollup, Identity, OrderLine, Product
from recommendations import build, links, live, placements, preview, reasons, serve
from recommendations.models import LinkSet, ProductLink
from recommendations.rules import Owned, Rules, Shelf, give_places
from recommendations.rules.novelties import places
from recommendations.visits import Names
from tests import factories
from tests.models_ml.algorithms.shops import two_tastes
from tests.recommendations.conftest import NOW, fill

DAYS = timedelta(days=1)


@pytest.fixture
def shop(db):
    return fill(two_tastes(people=80, items=40))


@pytest.fixture
def place(db):
    return build.default_placement()


@pytest.fixture
def gardens(shop, train):
    """Even people buy garden hoses, odd ones music boxes; a new one of each came two days ago."""
    for number, product in enumerate(shop.products):
        what, category = ("Garden hose", "Garden") if number % 2 == 0 else ("Music box", "Music")
        product.name, product.category = f"{what} {number}", category
    Product.objects.bulk_update(shop.products, ["name", "category"])
    Product.objects.update(created_at=NOW - 400 * DAYS)
    train()
    return {
        0: goods("Garden hose", category="Garden"),
        1: goods("Music box", category="Music"),
    }


def goods(name, *, days=2, **values):
    made = factories.product(name.upper(), name=name, price=Decimal("2.50"), **values)
    Product.objects.filter(pk=made.pk).update(created_at=NOW - days * DAYS)
    return made


def refresh(place, **rules):
    place.rules = rules
    place.save()
    placements.forget()
    return build.refresh(placement=place, now=NOW)[0]


def news(made):
    return [row for row in factories.picked(set=made) if row.why == reasons.NEW]


def test_everybody_gets_the_new_product_like_what_they_buy_in_the_last_place(shop, gardens, place):
    made = refresh(place)
    found = news(made)
    names = dict(Product.objects.values_list("pk", "name"))
    owned = set(OrderLine.objects.values_list("customer_id", "product_id"))
    taste = {person.pk: int(person.external_id[1:]) % 2 for person in shop.people}
    assert {(row.customer_id, row.rank, row.product_id) for row in found} == {
        (key, 10, gardens[side].pk) for key, side in taste.items()
    }
    for row in found:
        assert (row.customer_id, row.anchor) in owned
        assert names[row.anchor].startswith(names[row.product_id])
    assert {key: made.metrics[key] for key in ("people", "picks", "new", "new_products")} == {
        "people": 80, "picks": 800, "new": 80, "new_products": 2,
    }  # fmt: skip
    # Ten places of which the last is worth a tenth of the first.
    gains = np.arange(10, 0, -1) / np.log2(np.arange(2, 12))
    assert made.metrics["new_cost"] == pytest.approx(gains[9] / gains.sum(), abs=1e-6)
    pick = serve.for_customers([shop.people[0].pk])[shop.people[0].pk][9]
    assert (pick.code, pick.reason) == ("new", f"New, like {names[found[0].anchor]}")


def test_a_look_of_yesterday_counts_more_than_a_purchase(shop, gardens, place):
    ann = factories.customer("ann", external_id="ann")
    factories.order(
        ann, external_id="ann-1", placed_at=NOW - 40 * DAYS, lines=[(shop.products[0], 1)]
    )
    seen = events.Incoming(
        type="view", at=NOW - DAYS, message_id="m", properties={"sku": shop.products[1].sku},
        external_id="ann",
    )  # fmt: skip
    events.accept(batch=[seen], source="shop", now=NOW)
    draining.drain(now=NOW)
    (row,) = [one for one in news(refresh(place)) if one[0] == ann.pk]
    assert row[1:3] == (10, gardens[1].pk)
    assert row.anchor == shop.products[1].pk


def test_rules_of_the_shop_and_of_the_person_come_first(shop, gardens, place):
    assert news(refresh(place, new_share=0)) == []
    Consent.objects.create(
        customer=shop.people[0], purpose="profiling", granted=False, current=True, source="api",
        at=NOW,
    )  # fmt: skip
    gardens[1].stock = 0
    gardens[1].save()
    found = news(refresh(place))
    assert {row.product_id for row in found} == {gardens[0].pk}
    assert shop.people[0].pk not in {row.customer_id for row in found}
    assert news(refresh(place, without_categories=["Garden"])) == []
    Product.objects.filter(pk=gardens[0].pk).update(created_at=NOW - 31 * DAYS)
    assert news(refresh(place)) == []
    assert {row[2] for row in news(refresh(place, fresh_days=40))} == {gardens[0].pk}


def test_what_five_people_bought_is_left_to_the_other_engines(shop, gardens, place):
    for number, person in enumerate(shop.people[:5]):
        factories.order(
            person, external_id=f"few-{number}", placed_at=NOW - DAYS, lines=[(gardens[0], 1)]
        )
    assert {row[2] for row in news(refresh(place))} == {gardens[1].pk}


def test_a_page_shows_the_new_product_like_the_one_looked_at(shop, gardens, place):
    made = links.make(now=NOW)
    hose = shop.products[0]
    assert made.metrics["links"]["new"] == 40
    assert made.metrics["products"] == len(
        set(ProductLink.objects.exclude(kind="new").values_list("product_id", flat=True))
    )
    (link,) = ProductLink.objects.filter(set=made, product=hose, kind="new")
    assert (link.rank, link.other_id, link.count) == (1, gardens[0].pk, 0)
    place.rules = {"new_share": 0.2}
    place.save()
    placements.forget()
    answer = live.pick(placement=place.slug, items=[hose.sku], now=NOW)
    new = [(one.rank, one.sku, one.engine, one.reason) for one in answer.picks if one.code == "new"]
    assert new == [(5, "GARDEN HOSE", "content", "New, like Garden hose 0")]
    assert "Like in words: 1" in answer.why
    # A month later it is new no longer, whatever was counted then.
    later = live.pick(placement=place.slug, items=[hose.sku], now=NOW + 30 * DAYS)
    assert "new" not in {one.code for one in later.picks}
    place.rules = {"new_share": 0}
    place.save()
    placements.forget()
    answer = live.pick(placement=place.slug, items=[hose.sku], now=NOW)
    assert "new" not in {one.code for one in answer.picks}


def test_programs_and_live_picks_name_the_engine_of_the_new_product_and_the_preview_its_cost(
    shop, gardens, place
):
    refresh(place)
    person = shop.people[0]
    told = factories.signed_in("marketer").get(
        f"/api/v1/customers/{person.external_id}/recommendations/"
    )
    given = [(row["engine"], row["reason"]["code"]) for row in told.json()["data"]]
    assert given == [("popular", "popular")] * 9 + [("content", "new")]
    Identity.objects.create(customer=person, kind="external", value=person.external_id)
    CustomerRollup.objects.create(customer=person, orders=8)
    popular = {"all": [one.pk for one in shop.products], "by_category": {}}
    LinkSet.objects.create(made_at=NOW, complete=True, popular=popular)
    placements.forget()
    answer = live.pick(placement=place.slug, names=Names(external_id="p1000"), now=NOW)
    assert [(one.sku, one.engine) for one in answer.picks[9:]] == [("GARDEN HOSE", "content")]
    found = preview.placed(place)
    assert found is not None
    without = preview.effect(place=found, rules=Rules(new_share=0.0), now=NOW)
    assert without.picks == 10 * len(without.cases)
    assert without.changed == len(without.cases) == 1
    assert without.cost < 0


SHELF = Shelf(
    ids=np.arange(1, 31), category=np.array([0] * 20 + [1] * 10), age=np.zeros(30, dtype=float)
)


def give(picks, new, *, owned=None, **rules):
    picks, new = np.array(picks), np.array(new)
    ids, _scores, whence = give_places(
        picks, np.ones(picks.shape), new, np.ones(new.shape), shelf=SHELF, owned=owned,
        rules=Rules(**rules),
    )  # fmt: skip
    return ids.tolist(), whence.tolist()


def test_places_are_spread_and_never_more_than_the_share():
    spread = {share: places(Rules(size=10, new_share=share)) for share in (0.0, 0.1, 0.2, 0.3)}
    assert spread == {0.0: [], 0.1: [9], 0.2: [4, 9], 0.3: [3, 6, 9]}
    assert places(Rules(size=4, new_share=0.1)) == []
    assert places(Rules(size=4, new_share=0.5)) == [1, 3]


def test_new_products_push_out_the_last_picks_and_whoever_has_none_keeps_all():
    ids, whence = give([[1, 2, 3, 4], [1, 2, 3, 4]], [[21, 22], [-1, -1]], size=4, new_share=0.5)
    assert ids == [[1, 21, 2, 22], [1, 2, 3, 4]]
    assert whence == [[-1, 0, -1, 1], [-1] * 4]


def test_new_products_are_held_to_caps_owners_and_what_is_picked_already():
    caps = {"size": 4, "new_share": 0.5, "per_category": 1}
    assert give([[1, 21, -1, -1]], [[22, 2]], **caps)[0] == [[1, 21, -1, -1]]
    owned = Owned(row=np.array([0]), item=np.array([22]))
    assert give([[1, 2, 3, 4]], [[22, 2]], owned=owned, size=4, new_share=0.5)[0] == [[1, 2, 3, 4]]
    assert give([[1, -1, -1, -1]], [[22, 23]], size=4, new_share=0.5)[0] == [[1, 22, 23, -1]]

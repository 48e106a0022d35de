"""Whatever data and files are like, the state is clear and the last good set goes on serving."""

from datetime import datetime

import numpy as np
import pytest
from django.db import DatabaseError, connection, transaction

from ingestion.models import Customer, Identity, OrderLine, Product
from marketing.core.errors import Conflict, Invalid
from models_ml import registry, training
from models_ml.algorithms.data import Interactions
from recommendations import build, links, live, placements, stored
from recommendations.models import LinkSet, Placement, RecommendationSet
from recommendations.visits import Names
from tests import factories
from tests.recommendations.conftest import NOW, fill

START = int(datetime.fromisoformat("2026-03-01T00:00:00+00:00").timestamp())
DAY = 86_400


def shown(number: str) -> list[str]:
    return [pick.sku for pick in stored.of(external_id=number, limit=10).picks]


def known(person: Customer) -> Names:
    """How a page names somebody whom it knows."""
    number = str(person.external_id)
    Identity.objects.create(customer=person, kind="external", value=number)
    return Names(external_id=number)


STOP = """
CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''died''; END';
CREATE TRIGGER die AFTER {what} ON {table} FOR EACH STATEMENT EXECUTE FUNCTION die()
"""


def test_a_refresh_that_dies_at_any_statement_leaves_the_last_good_set(shop, train):
    train()
    place = build.default_placement()
    build.refresh(placement=place, now=NOW)
    before, number = RecommendationSet.objects.get().pk, shop.people[0].external_id
    picks = shown(number)
    assert picks
    for what, table in (
        ("INSERT", "recommendations_recommendationset"),
        ("INSERT", "recommendations_picklist"),
        ("DELETE", "recommendations_picklist"),
        ("DELETE", "recommendations_recommendationset"),
        ("UPDATE", "recommendations_recommendationset"),
    ):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(STOP.format(what=what, table=table))
        with pytest.raises(DatabaseError, match="died"), transaction.atomic():
            build.refresh(placement=place, now=NOW)
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TRIGGER die ON {table}; DROP FUNCTION die()")
        row = RecommendationSet.objects.get()
        assert (row.pk, row.state, row.serving) == (before, "complete", True), (what, table)
        assert shown(number) == picks


def test_a_damaged_engine_is_named_and_the_last_good_set_serves(shop, train):
    version = train("next_product_als")["next_product_als"]
    place = build.default_placement()
    build.refresh(placement=place, now=NOW)
    picks = shown(shop.people[0].external_id)
    path = next(registry.folder(version).glob("*.np*"))
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(bytes(raw))
    registry._read.cache_clear()  # another process has not read it yet
    with pytest.raises(Conflict) as refused:
        build.refresh(placement=place, now=NOW)
    assert (refused.value.code, refused.value.remedy) == (
        "model_damaged", "Train the recommenders again. What was chosen before still serves.",
    )  # fmt: skip
    assert path.name in refused.value.message
    assert shown(shop.people[0].external_id) == picks


def test_products_that_vanished_or_came_since_the_training_do_no_harm(shop, train):
    train("next_product_als")
    gone = shop.products[:30]
    ids = {one.pk for one in gone}
    OrderLine.objects.filter(product__in=ids).update(product=None)
    Product.objects.filter(pk__in=ids).delete()
    factories.product("NEW", category="New")
    build.refresh(placement=build.default_placement(), now=NOW)
    person = shop.people[0].external_id
    first = stored.of(external_id=person, limit=10).picks
    assert len(first) == 10
    assert not ids & {pick.product_id for pick in first}
    vanishes = first[0]
    Product.objects.filter(pk=vanishes.product_id).delete()
    assert shown(person) == [pick.sku for pick in first[1:]]
    placements.forget()
    links.make(now=NOW)
    Product.objects.filter(pk=first[1].product_id).delete()
    names = known(shop.people[0])
    found = live.pick(placement="email", names=names, items=["GONE"], now=NOW)
    assert found.picks
    assert not {vanishes.product_id, first[1].product_id} & {p.product_id for p in found.picks}


def one_person() -> Interactions:
    items = np.arange(40)
    return Interactions.of(np.zeros(40, int) + 1, items, START + items * DAY)


def one_product() -> Interactions:
    people = np.repeat(np.arange(40), 2)
    return Interactions.of(people, np.zeros(80, int) + 7, START + np.tile([0, 100], 40) * DAY)


def one_second() -> Interactions:
    people = np.repeat(np.arange(40), 5)
    return Interactions.of(people, np.tile(np.arange(5), 40), np.full(200, START))


@pytest.mark.parametrize("shape", [one_person, one_product, one_second])
def test_a_shop_that_cannot_teach_is_refused_with_a_remedy_and_still_shows_something(db, shape):
    made = fill(shape())
    with pytest.raises(Invalid, match="too few orders") as refused:
        training.prepare(as_of=NOW)
    assert "Nothing was changed." in refused.value.remedy
    build.default_placement()
    links.make(now=NOW)
    assert LinkSet.objects.get().complete
    placements.forget()
    names = known(made.people[0])
    found = live.pick(placement="email", names=names, now=NOW)
    owned = set(OrderLine.objects.filter(customer=made.people[0]).values_list("sku", flat=True))
    assert not owned & {pick.sku for pick in found.picks}
    Placement.objects.update(rules={"drop_owned": False})
    placements.forget()
    assert live.pick(placement="email", names=names, now=NOW).picks


def test_people_who_share_no_product_get_what_is_popular(db, train):
    people = np.repeat(np.arange(40), 3)
    days = np.tile([10, 75, 110], 40)
    fill(Interactions.of(people, np.arange(120), START + days * DAY))
    train("next_product_als")
    build.refresh(placement=build.default_placement(), now=NOW)
    assert {s.engine for s in RecommendationSet.objects.filter(serving=True)} <= {"popular", "als"}
    found = stored.of(external_id="p0", limit=10)
    assert len(found.picks) == 10

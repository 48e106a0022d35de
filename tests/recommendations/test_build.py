from datetime import timedelta

import pytest

from ingestion.models import Consent, Customer, OrderLine, Product
from marketing.core import jobs
from marketing.core.errors import Conflict
from marketing.core.models import Job
from models_ml import registry
from recommendations import build, evaluate, live, placements, reasons, serve
from recommendations.models import LinkSet, PickList, Placement, RecommendationSet
from tests.factories import picked
from tests.recommendations.conftest import NOW


@pytest.fixture
def place(db) -> Placement:
    return build.default_placement()


def refresh(place: Placement) -> dict[str, RecommendationSet]:
    return {row.engine: row for row in build.refresh(placement=place, now=NOW)}


def test_without_a_trained_engine_nothing_is_chosen(place):
    with pytest.raises(Conflict, match="No recommender is live yet"):
        build.refresh(placement=place, now=NOW)
    assert not RecommendationSet.objects.exists()


def test_everyone_gets_new_products_with_a_reason_and_the_better_engine_serves(shop, train, place):
    train("next_product_als")
    sets = refresh(place)
    assert sorted(sets) == ["als", "popular"]
    assert sets["als"].serving
    assert not sets["popular"].serving
    assert sets["als"].metrics["people"] == len(shop.people)
    owned = set(OrderLine.objects.values_list("customer_id", "product_id"))
    rows = picked(set=sets["als"])
    assert len(rows) == len(shop.people) * place.size
    assert not owned & {(row.customer_id, row.product_id) for row in rows}
    because = [row for row in rows if row.why == reasons.BECAUSE]
    assert because
    for row in because:
        assert (row.customer_id, row.anchor) in owned
    by_sku = {product.pk: int(product.sku[1:]) % 2 for product in shop.products}
    taste = {person.pk: int(person.external_id[1:]) % 2 for person in shop.people}
    right = sum(by_sku[row.product_id] == taste[row.customer_id] for row in rows)
    assert right / len(rows) > 0.75


def test_choosing_links_products_too_so_that_a_stranger_is_shown_something(shop, train, place):
    train()
    job = jobs.start(
        kind="recommendations.refresh", title="", user=None, steps=placements.REFRESH_STEPS
    )
    jobs.run(job_id=job.pk)
    job.refresh_from_db()
    assert (job.state, job.step) == (Job.State.DONE, placements.REFRESH_STEPS)
    assert LinkSet.objects.get().complete
    placements.forget()
    shown = live.pick(placement=place.slug, now=NOW).picks
    assert [one.code for one in shown] == ["popular"] * place.size


def test_a_second_refresh_replaces_the_first_and_leaves_nothing_over(shop, train, place):
    train()
    first = refresh(place)["popular"]
    before = PickList.objects.count()
    second = refresh(place)["popular"]
    assert not RecommendationSet.objects.filter(pk=first.pk).exists()
    assert PickList.objects.count() == before
    assert set(PickList.objects.values_list("set_id", flat=True)) == {second.pk}


def test_a_stopped_refresh_changes_nothing(shop, train, place):
    train()
    first = refresh(place)["popular"]

    def stop(engine, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build.refresh(placement=place, now=NOW, say=stop)
    assert RecommendationSet.objects.get().pk == first.pk
    assert set(PickList.objects.values_list("set_id", flat=True)) == {first.pk}


def test_who_chooses_while_somebody_else_did_is_told_and_theirs_serve(shop, train, place):
    train()
    theirs = []

    def meanwhile(engine, done, total):
        if not theirs:
            theirs.append(None)
            theirs.append(refresh(place)["popular"])

    with pytest.raises(Conflict, match="Somebody else chose products"):
        build.refresh(placement=place, now=NOW, say=meanwhile)
    assert RecommendationSet.objects.get(serving=True).pk == theirs[1].pk
    assert set(PickList.objects.values_list("set_id", flat=True)) == {theirs[1].pk}


def test_picks_are_the_same_however_many_people_are_worked_through_at_a_time(
    shop, train, place, monkeypatch
):
    train("next_product_als")
    whole = {name: (row.metrics, picked(set=row)) for name, row in refresh(place).items()}
    monkeypatch.setattr(build, "AT_ONCE", 7)
    done = []
    parts = build.refresh(placement=place, now=NOW, say=lambda *said: done.append(said))
    assert {row.engine: (row.metrics, picked(set=row)) for row in parts} == whole
    assert done[-2:] == [("als", 196, 200), ("als", 200, 200)]


def test_products_off_the_shelf_or_sold_out_are_not_chosen(shop, train, place):
    train()
    gone, sold_out, fee = shop.products[:3]
    Product.objects.filter(pk=gone.pk).update(active=False)
    Product.objects.filter(pk=sold_out.pk).update(stock=0)
    Product.objects.filter(pk=fee.pk).update(is_goods=False)
    refresh(place)
    shown = {row.product_id for row in picked()}
    assert not shown & {gone.pk, sold_out.pk, fee.pk}


def test_a_purchase_after_training_counts_as_owned(shop, train, place):
    train()
    refresh(place)
    pick = picked()[0]
    line = OrderLine.objects.filter(customer_id=pick.customer_id).first()
    line.pk, line.line_no, line.product_id = None, 9_000, pick.product_id
    line.save()
    refresh(place)
    mine = picked(customer=pick.customer_id)
    assert pick.product_id not in {row.product_id for row in mine}


def test_who_declined_profiling_gets_only_what_is_popular(shop, train, place):
    train("next_product_als")
    person = shop.people[0]
    Consent.objects.create(
        customer=person, purpose="profiling", granted=False, source="form", at=NOW
    )
    sets = refresh(place)
    whys = [row.why for row in picked(set=sets["als"], customer=person)]
    assert whys == [reasons.POPULAR] * place.size


def test_a_newcomer_gets_what_is_popular(shop, train, place):
    train("next_product_als")
    before = Customer.objects.create(external_id="new1")
    refresh(place)
    after = Customer.objects.create(external_id="new2")
    picks = serve.for_customers([before.pk, after.pk, shop.people[0].pk])
    assert [pick.code for pick in picks[before.pk]] == ["popular"] * place.size
    assert [pick.code for pick in picks[after.pk]] == ["popular"] * place.size
    assert {pick.product_id for pick in picks[after.pk]} == set(
        RecommendationSet.objects.get(serving=True).metrics["newcomers"]
    )


def test_a_category_cap_of_the_placement_is_kept(shop, train, place):
    Product.objects.filter(pk__in=[row.pk for row in shop.products[:50]]).update(category="cups")
    Product.objects.filter(pk__in=[row.pk for row in shop.products[50:]]).update(category="plates")
    place.rules = {"per_category": 2}
    place.save()
    train()
    refresh(place)
    ids = [row.product_id for row in picked(customer=shop.people[0])]
    rows = Product.objects.filter(pk__in=ids).values_list("category", flat=True)
    assert sorted(rows) == ["cups", "cups", "plates", "plates"]


def test_popularity_serves_when_nothing_beats_it(shop, train, place):
    versions = train("next_product_als")
    registry.refuse(version=versions["next_product_als"], why=lambda: "not better")
    sets = refresh(place)
    assert list(sets) == ["popular"]
    assert sets["popular"].serving
    assert evaluate.verdict(evaluate.engines()) == (
        "No engine was reliably better than popularity on the last 30 days, so popularity serves."
    )


def test_picks_of_an_older_moment_look_at_no_later_order(shop, train, place):
    train()
    late = OrderLine.objects.order_by("-placed_at").first()
    OrderLine.objects.filter(pk=late.pk).update(placed_at=NOW + timedelta(days=2))
    refresh(place)
    assert picked(customer=late.customer_id)


def test_whoever_is_deleted_takes_their_picks_along_and_products_are_shown_no_more(
    shop, train, place
):
    train()
    refresh(place)
    gone, other = picked()[0], shop.people[1]
    vanishes = picked(customer=other)[1].product_id
    Customer.objects.get(pk=gone.customer_id).delete()
    OrderLine.objects.filter(product=vanishes).delete()
    Product.objects.get(pk=vanishes).delete()
    assert not picked(customer=gone.customer_id)
    shown = serve.for_customers([other.pk])[other.pk]
    assert [pick.rank for pick in shown] == [1, *range(3, place.size + 1)]
    assert vanishes not in {pick.product_id for pick in shown}


def test_whoever_is_deleted_while_products_are_chosen_gets_no_row(shop, train, place, monkeypatch):
    train()
    gone = Customer.objects.order_by("pk").last().pk
    monkeypatch.setattr(build, "AT_ONCE", 10)
    build.refresh(
        placement=place, now=NOW, say=lambda *_said: Customer.objects.filter(pk=gone).delete()
    )
    assert len({row.customer_id for row in picked()}) == len(shop.people) - 1
    assert not picked(customer=gone)

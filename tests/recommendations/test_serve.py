import pytest

from ingestion import consent
from ingestion.models import Product
from marketing.core.errors import Invalid
from models_ml import catalog
from recommendations import reasons, serve
from recommendations.models import Placement, RecommendationSet
from tests import factories


@pytest.fixture
def ada(db):
    person = factories.customer("ada")
    place = Placement.objects.create(slug="email", name="Mail")
    cup, pot = factories.product("CUP"), factories.product("POT")
    for engine, goods, serving in (("als", [cup, pot], True), ("popular", [pot], False)):
        made = RecommendationSet.objects.create(
            placement=place, engine=engine, state="complete", serving=serving,
            metrics={"newcomers": [pot.pk, cup.pk]},
        )  # fmt: skip
        factories.pick_list(made, person, goods, why=reasons.BECAUSE, names=pot)
    return person


def test_picks_come_in_order_with_their_reason(ada):
    picks = serve.for_customers([ada.pk], "email")[ada.pk]
    assert [(pick.rank, pick.sku) for pick in picks] == [(1, "CUP"), (2, "POT")]
    assert picks[0].reason == "Because you bought Product POT"
    assert picks[0].price == factories.product("CUP").price


def test_a_reason_names_a_product_as_it_is_called_now_and_none_that_is_gone(ada):
    Product.objects.filter(sku="POT").update(name="Teapot", active=False)
    assert [p.reason for p in serve.for_customers([ada.pk])[ada.pk]] == [
        "Because you bought Teapot"
    ]
    Product.objects.filter(sku="POT").delete()
    (left,) = serve.for_customers([ada.pk])[ada.pk]
    assert (left.sku, left.code) == ("CUP", "taste")


def test_another_engine_can_be_asked_for(ada):
    picks = serve.for_customers([ada.pk], engine="popular")[ada.pk]
    assert [pick.sku for pick in picks] == ["POT"]


def test_an_engine_nobody_has_heard_of_is_refused(ada):
    with pytest.raises(Invalid, match="no engine named oracle") as refusal:
        serve.for_customers([ada.pk], engine="oracle")
    assert refusal.value.remedy == f"Choose one of: {', '.join(catalog.BY_ENGINE)}."


def test_an_engine_without_picks_yet_shows_nothing(ada):
    assert serve.for_customers([ada.pk], engine="bert4rec") == {ada.pk: []}


def test_what_went_off_the_shelf_is_not_shown(ada):
    Product.objects.filter(sku="CUP").update(active=False)
    assert [p.sku for p in serve.for_customers([ada.pk])[ada.pk]] == ["POT"]


def test_people_without_picks_get_what_is_popular(ada):
    ben = factories.customer("ben")
    picks = serve.for_customers([ben.pk])[ben.pk]
    assert [(pick.sku, pick.code) for pick in picks] == [("POT", "popular"), ("CUP", "popular")]


def test_who_says_no_to_profiling_gets_what_is_popular_at_once(ada):
    assert any(pick.code != "popular" for pick in serve.for_customers([ada.pk])[ada.pk])
    consent.revoke(customer_ids=[ada.pk], purpose="profiling", source="link", now=factories.now())
    picks = serve.for_customers([ada.pk])[ada.pk]
    assert [pick.code for pick in picks] == ["popular", "popular"]


def test_nothing_is_shown_before_anything_was_chosen(db):
    assert serve.for_customers([1, 2]) == {1: [], 2: []}


def test_a_batch_costs_a_fixed_number_of_queries(ada, django_assert_num_queries):
    others = [factories.customer().pk for _ in range(20)]
    with django_assert_num_queries(3):
        serve.for_customers([ada.pk, *others])


def test_who_read_the_set_just_before_another_took_its_place_shows_that_one(ada):
    old = serve.current_set()
    RecommendationSet.objects.filter(pk=old.pk).delete()
    new = RecommendationSet.objects.create(
        placement=old.placement, engine="als", state="complete", serving=True,
        metrics={"newcomers": [factories.product("CUP").pk]},
    )  # fmt: skip
    factories.pick_list(new, ada, [factories.product("POT")], why=reasons.TASTE)
    picks = serve.for_customers([ada.pk], current=old)[ada.pk]
    assert [(pick.sku, pick.code) for pick in picks] == [("POT", "taste")]

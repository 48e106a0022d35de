"""Offers under a budget: who fits, what is expected of them, whom the money goes to."""

import pytest
from django.test import Client
from django.utils import translation

from campaigns.messaging import context
from ingestion import consent
from marketing.core.errors import Conflict, Invalid
from models_ml.models import Prediction, Score
from recommendations import build
from recommendations.models import OfferChoice, OfferPlan, RecommendationSet
from recommendations.offers import keeping, making, planning
from tests import factories

NOW = factories.NOW
RULES = [
    {"field": "risk_class", "op": "at_least", "value": 3},
    {"field": "age", "op": "at_least", "value": 18},
    {"op": "holds_not", "value": ["FUND"]},
]


def predict(key, kind, chances, *, target=None, days=30, live=True, **levels):
    """A published prediction that says this of people."""
    row = Prediction.objects.create(
        key=key, title=key, kind=kind, horizon_days=days, target=target or {"type": "order"},
        scored_people=len(chances),
    )  # fmt: skip
    version = factories.model_version(
        key, state="live" if live else "candidate", details={"levels": levels, "judged_people": 400}
    )
    Score.objects.bulk_create(
        Score(prediction=row, customer=who, value=value, percentile=50, version=version)
        for who, value in chances.items()
    )
    return row


@pytest.fixture
def people(db):
    values = [
        {"risk_class": 4, "date_of_birth": "1980-05-01"}, {"risk_class": 2, "age": 40},
        {"age": 50}, {"risk_class": 5, "date_of_birth": "2015-05-01"},
        {"risk_class": "3", "age": "61", "holdings": ["FUND"]}, {"risk_class": 3, "age": 30},
    ]  # fmt: skip
    return [factories.customer(f"p{n}", attributes=one) for n, one in enumerate(values)]


def fund(**values):
    return {
        "name": "Fund", "source": "score", "prediction": "fund", "value": 100.0, "rules": RULES,
    } | values  # fmt: skip


def make(**values):
    settings = {"name": "Funds", "kind": "financial", "budget": 1, "currency": "GBP",
                "contact_cost": 0.5, "offers": [fund()]}  # fmt: skip
    row, _made = keeping.save(slug="funds", values=settings | values, actor=None, now=NOW)
    return row


def test_nobody_is_offered_a_fund_without_knowing_that_it_suits_them(people):
    predict("fund", "chance", dict.fromkeys(people, 0.1), seen=0.1, said=0.1)
    row = make()
    result = planning.plan(row=row, now=NOW)
    assert [c.customer for c in OfferChoice.objects.order_by("customer_id")] == [
        people[0], people[5],
    ]  # fmt: skip
    assert result["offers"][0]["out"]["rules"] == [
        {"people": 2, "unknown": 1}, {"people": 1, "unknown": 0}, {"people": 1, "unknown": 0},
    ]  # fmt: skip
    assert (result["chosen"], result["cost"], result["gap"]) == (2, 1.0, 0.0)
    assert result["worth"]["value"] == pytest.approx(2 * (0.1 * 100 - 0.5))
    assert result["worth"]["low"] < result["worth"]["value"] < result["worth"]["high"]


def test_the_budget_goes_to_whom_more_is_expected_of_and_no_is_no(people):
    predict("fund", "chance", {who: 0.01 * (n + 1) for n, who in enumerate(people)})
    row = make(budget=0.5)
    planning.plan(row=row, now=NOW)
    assert [c.customer for c in OfferChoice.objects.all()] == [people[5]]
    assert OfferPlan.objects.get().result["out"] == {"objects": 0, "budget": 1, "nothing": 4}
    assert [one.name for one in keeping.of_people([people[5].pk])[people[5].pk]] == ["Fund"]
    consent.revoke(customer_ids=[people[5].pk], purpose="profiling", source="link", now=NOW)
    assert keeping.of_people([people[5].pk]) == {}
    planning.plan(row=row, now=NOW)
    assert [c.customer for c in OfferChoice.objects.all()] == [people[0]]
    assert OfferPlan.objects.get().result["out"]["objects"] == 1


@pytest.mark.parametrize(
    ("offer", "field"),
    [
        (fund(rules=RULES[:1]), "offers[0].rules"),
        ({"name": "Anything", "source": "picks"}, "offers[0].source"),
        (fund(prediction="nothing"), "offers[0].prediction"),
        (fund(rules=[{"op": "above", "field": "age", "value": 3}]), "offers[0].rules[0].op"),
        (fund(value=-1), "offers[0].value"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_field(people, offer, field):
    predict("fund", "chance", dict.fromkeys(people, 0.1))
    with pytest.raises(Invalid) as refused:
        make(offers=[offer])
    assert refused.value.field == field


def test_what_is_not_published_is_not_asked(people):
    predict("fund", "chance", dict.fromkeys(people, 0.1), live=False)
    with pytest.raises(Conflict, match="nothing published"):
        make()


@pytest.fixture
def shop(people):
    """Picks for everybody: POT at 10 first, a LAMP at 40 second; half the orders take the first."""
    pot, lamp = factories.product("POT", price=10), factories.product("LAMP", price=40)
    version = factories.model_version(
        "next_product_als", state="live",
        details={"lab": {"hits": [40, 20]}, "with_repeats": {"people": 80}},
    )  # fmt: skip
    chosen = RecommendationSet.objects.create(
        placement=build.default_placement(), engine="als", state="complete", serving=True,
        model_version=version,
    )  # fmt: skip
    for who in people:
        factories.pick_list(chosen, who, [pot, lamp])
    predict("buys", "chance", dict(zip(people, (0.9, 0.5, 0.4, 0.3, 0.2, 0.1), strict=True)))
    return lamp


def retail(**values):
    return make(
        kind="retail", budget=100, contact_cost=0, buys="buys",
        offers=[{"name": "A tenth off", "source": "picks", "discount_percent": 10},
                {"name": "Look at this", "source": "picks"}], **values,
    )  # fmt: skip


def test_picks_that_are_chosen_anew_while_a_plan_is_made_are_read_as_one_set(
    people, shop, monkeypatch
):
    """A refresh ends after the serving set was looked up and before its picks are read."""
    looked_up, rug = making.chances.places, factories.product("RUG", price=25)

    def and_then_refreshed():
        found = looked_up()
        if (old := RecommendationSet.objects.get()).pk == found.number and not refreshed:
            version = factories.model_version(
                "next_product_item_item", state="live",
                details={"lab": {"hits": [8]}, "with_repeats": {"people": 80}},
            )  # fmt: skip
            build.clear(placement=old.placement)
            new = RecommendationSet.objects.create(
                placement=old.placement, engine="als", state="complete", serving=True,
                model_version=version,
            )  # fmt: skip
            for who in people:
                factories.pick_list(new, who, [rug])
            refreshed.append(new)
        return found

    refreshed: list[RecommendationSet] = []
    monkeypatch.setattr(making.chances, "places", and_then_refreshed)
    planning.plan(row=retail(), now=NOW)
    first = OfferChoice.objects.get(customer=people[0])
    # Product and rate are both the new set's: a tenth of those who order take what stands first.
    assert (first.product, first.chance) == (rug, pytest.approx(0.9 * 0.1))


def test_of_the_picks_the_one_is_offered_of_which_most_is_expected(people, shop):
    result = planning.plan(row=retail(), now=NOW)
    first = OfferChoice.objects.get(customer=people[0])
    # A quarter of those who order take what stands second, at four times the price.
    assert (first.product, first.chance) == (shop, pytest.approx(0.9 * 0.25))
    assert first.worth == pytest.approx(0.9 * 0.25 * 40)
    # Nothing proves that a discount sells more, so the plain offer is worth more.
    assert [one["people"] for one in result["offers"]] == [0, 6]
    assert (result["discounts"], result["proven"], result["added"]) == (True, False, None)


def test_a_measured_effect_gives_the_discount_to_whom_it_moves_and_not_to_who_buys_anyway(
    people, shop
):
    moved = dict(zip(people, (0.05, 0.3, 0.2, 0.1, 0.0, -0.1), strict=True))
    predict("moves", "effect", moved, target={"type": "moved", "by": "order"})
    result = planning.plan(row=retail(effect="moves"), now=NOW)
    got = dict(OfferChoice.objects.values_list("customer__external_id", "offer"))
    by = {who: got[who.external_id] for who in people}
    assert [by[who] for who in people] == [1, 0, 0, 0, 1, 1]
    assert result["offers"][0]["out"]["anyway"] == 1
    assert result["proven"]
    assert result["added"]["value"] == pytest.approx(
        sum(0.25 * (40 * moved[who] - 4 * chance)
            for who, chance in zip(people[1:4], (0.5, 0.4, 0.3), strict=True))
    )  # fmt: skip


def test_a_mail_names_the_offer_of_each_and_nothing_to_who_has_none(people, shop):
    planning.plan(row=retail(), now=NOW)
    OfferChoice.objects.filter(customer=people[1]).delete()
    found = context.build(
        customer_ids=[people[0].pk, people[1].pk], wants={"offer.name", "offer.price"}
    )
    assert found[people[0].pk]["offer"] == {
        "name": "Look at this", "product": "Product LAMP", "price": "£40.00",
    }  # fmt: skip
    assert found[people[1].pk]["offer"] == {}
    assert context.unknown({"offer.name", "offer.colour"}) == ["offer.colour"]


def test_a_product_that_left_the_shelf_is_no_longer_offered(people, shop):
    planning.plan(row=retail(), now=NOW)
    shop.active = False
    shop.save()
    assert keeping.of_people([people[0].pk]) == {}


def test_a_marketer_makes_a_plan_on_the_page_and_programs_read_it(people, client: Client):
    predict("fund", "chance", dict.fromkeys(people, 0.1))
    browser = factories.signed_in("marketer")
    form = {
        "name": "Funds", "kind": "financial", "budget": "1", "currency": "GBP", "margin": "100",
        "contact_cost": "0,5", "offer_name_0": "Fund", "offer_source_0": "score",
        "offer_prediction_0": "fund", "offer_value_0": "100", "rule_field_0_0": "risk_class",
        "rule_op_0_0": "at_least", "rule_value_0_0": "3",
    }  # fmt: skip
    refused = browser.post("/recommendations/offers/new/", form)
    assert refused.status_code == 422
    assert "needs a rule about age" in refused.content.decode()
    form |= {"rule_field_0_1": "age", "rule_op_0_1": "at_least", "rule_value_0_1": "18"}
    assert (
        browser.post("/recommendations/offers/new/", form).url == "/recommendations/offers/funds/"
    )
    assert browser.post("/recommendations/offers/funds/plan/").status_code == 302
    planning.plan(row=OfferPlan.objects.get(), now=NOW)
    page = browser.get("/recommendations/offers/funds/").content.decode()
    assert "Who gets nothing, and why" in page
    assert "risk_class at least 3" in page
    assert browser.get("/recommendations/offers/").status_code == 200
    told = browser.get(f"/api/v1/customers/{people[0].external_id}/offers/").json()
    assert [(one["name"], one["chance"]) for one in told["data"]] == [("Fund", 0.1)]
    rows = browser.get("/api/v1/offers/funds/choices/").json()["data"]
    assert len(rows) == 2
    with translation.override("en"):
        analyst = factories.signed_in("analyst", username="ann")
    assert analyst.post("/recommendations/offers/funds/plan/").status_code == 403
    assert analyst.get("/recommendations/offers/funds/").status_code == 200

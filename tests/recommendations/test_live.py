"""Picks within a request: what somebody just looked at changes what they are shown next."""

from datetime import timedelta

import pytest

from ingestion import consent, events
from ingestion.events import draining
from ingestion.models import Identity, Product
from marketing.core.errors import NotFound
from recommendations import build, live, placements, reasons
from recommendations.models import (
    LinkSet,
    Placement,
    ProductLink,
    RecommendationSet,
)
from recommendations.visits import Names
from tests import factories

NOW = factories.NOW


def goods(*skus, **values):
    return [factories.product(sku, **values) for sku in skus]


def look(sku, *, at=NOW, **names):
    """Somebody looks at a product, and the event is stored."""
    event = events.Incoming(
        type="view", at=at, message_id=f"{sku}{at}{names}", properties={"sku": sku}, **names
    )
    events.accept(batch=[event], source="shop", now=NOW)
    draining.drain(now=NOW)


@pytest.fixture
def shop(db):
    """POT goes with CUP and FILTER, LAMP with BULB; RUG and SOAP are popular; ada's set is HAT."""
    pot, cup, bag, lamp, bulb, rug, soap, hat = goods(
        "POT", "CUP", "FILTER", "LAMP", "BULB", "RUG", "SOAP", "HAT"
    )
    made = LinkSet.objects.create(
        made_at=NOW, complete=True, popular={"all": [rug.pk, soap.pk], "by_category": {}}
    )
    for one, kind, rank, other, score, count in (
        (pot, "together", 1, cup, 0.6, 23), (pot, "together", 2, bag, 0.2, 7),
        (pot, "seen", 1, lamp, 0.4, 41), (lamp, "seen", 1, bulb, 0.7, 12),
        (lamp, "together", 1, bulb, 0.5, 9), (pot, "next", 1, bag, 0.5, 5),
    ):  # fmt: skip
        ProductLink.objects.create(
            set=made, product=one, kind=kind, rank=rank, other=other, score=score, count=count
        )
    for kind in Placement.Kind.values:
        Placement.objects.create(slug=kind, name=kind, kind=kind, size=3)
    ada = factories.customer("ada", external_id="ada")
    chosen = RecommendationSet.objects.create(
        placement=Placement.objects.get(slug="home"), engine="als", state="complete", serving=True
    )
    factories.pick_list(chosen, ada, [hat], why=reasons.BECAUSE, names=pot)
    return ada


def ask(placement="home", *, arm=None, **values):
    names = Names(**{k: values.pop(k) for k in [*values] if k in Names.__dataclass_fields__})
    return live.pick(placement=placement, names=names, now=NOW, arm=arm, **values)


def skus(answer):
    return [pick.sku for pick in answer.picks]


def test_the_page_of_a_product_shows_what_goes_with_it_and_counts(shop):
    answer = ask("together", product="POT")
    assert skus(answer) == ["CUP", "FILTER", "RUG"]
    assert answer.picks[0].reason == "Bought together with Product POT in 23 orders"
    assert [pick.engine for pick in answer.picks] == ["links", "links", "popular"]
    similar = ask("similar", product="POT")
    assert skus(similar)[0] == "LAMP"
    assert similar.picks[0].reason == "Looked at with Product POT in 41 visits"


def test_a_look_changes_the_next_answer(shop):
    before = ask(anonymous_id="visitor-1")
    assert skus(before) == ["RUG", "SOAP"]
    assert before.seeds == 0
    look("LAMP", anonymous_id="visitor-1")
    after = ask(anonymous_id="visitor-1")
    assert skus(after) == ["BULB", "RUG", "SOAP"]
    assert (after.seeds, after.sources) == (1, {"links": 1, "popular": 2})
    assert skus(ask(anonymous_id="visitor-2")) == ["RUG", "SOAP"]


def test_the_last_look_counts_most(shop):
    look("LAMP", anonymous_id="v", at=NOW - timedelta(minutes=9))
    look("POT", anonymous_id="v", at=NOW - timedelta(minutes=1))
    # The lamp was looked at already, so it is not shown.
    assert skus(ask(anonymous_id="v"))[0] == "BULB"
    assert set(skus(ask(anonymous_id="v"))) == {"BULB", "FILTER", "CUP"}


def test_a_known_person_gets_links_of_the_visit_then_their_set_then_what_is_popular(shop):
    assert skus(ask(external_id="ada")) == ["HAT", "RUG", "SOAP"]
    look("LAMP", external_id="ada")
    answer = ask(external_id="ada")
    assert skus(answer) == ["BULB", "HAT", "RUG"]
    assert answer.sources == {"links": 1, "als": 1, "popular": 1}
    assert answer.why.startswith("By 1 product of this visit.")


def test_a_set_and_links_that_others_replaced_since_are_looked_up_again(shop):
    """A process keeps what it knows for two seconds; a refresh deletes the old in the meantime."""
    mug, pen = goods("MUG", "PEN")
    assert skus(ask(external_id="ada")) == ["HAT", "RUG", "SOAP"]
    build.clear(placement=Placement.objects.get(slug="home"))
    new = RecommendationSet.objects.create(
        placement=Placement.objects.get(slug="home"), engine="bpr", state="complete", serving=True
    )
    factories.pick_list(new, shop, [mug])
    first = ask(external_id="ada")
    assert (skus(first)[0], first.picks[0].engine) == ("MUG", "bpr")
    assert first.set.endswith(f".{new.pk}")
    assert skus(ask("together", product="POT"))[:2] == ["CUP", "FILTER"]
    ProductLink.objects.all().delete()
    LinkSet.objects.all().delete()
    newer = LinkSet.objects.create(made_at=NOW, complete=True, popular={"all": [pen.pk]})
    ProductLink.objects.create(
        set=newer, product=Product.objects.get(sku="POT"), kind="together", rank=1, other=mug,
        score=0.5, count=3,
    )  # fmt: skip
    assert skus(ask("together", product="POT")) == ["MUG", "PEN"]


def test_an_engine_asked_for_by_name_answers_alone(shop):
    look("LAMP", external_id="ada")
    assert skus(ask(external_id="ada", arm="als")) == ["HAT", "RUG", "SOAP"]
    assert skus(ask(external_id="ada", arm="links")) == ["BULB", "RUG", "SOAP"]


def test_what_sold_out_or_is_owned_or_in_the_basket_is_not_shown(shop):
    Product.objects.filter(sku="CUP").update(stock=0)
    assert skus(ask("together", product="POT")) == ["FILTER", "RUG", "SOAP"]
    factories.order(shop, lines=[(Product.objects.get(sku="FILTER"), 1)])
    assert skus(ask("together", product="POT", external_id="ada")) == ["RUG", "SOAP"]
    assert skus(ask("basket", items=["POT", "RUG"])) == ["FILTER", "SOAP"]


def test_whoever_said_no_to_personal_picks_gets_what_the_page_says_and_no_more(shop):
    look("LAMP", external_id="ada")
    consent.revoke(customer_ids=[shop.pk], purpose="profiling", source="link", now=NOW)
    assert skus(ask(external_id="ada")) == ["RUG", "SOAP"]
    assert skus(ask("together", product="POT", external_id="ada"))[:2] == ["CUP", "FILTER"]


def test_a_browser_learns_nothing_of_a_person_who_did_not_agree(shop):
    Identity.objects.create(customer=shop, kind="anonymous", value="phone")
    look("LAMP", external_id="ada")
    assert skus(ask(anonymous_id="phone", public=True)) == ["RUG", "SOAP"]
    look("POT", external_id="ada", anonymous_id="phone")
    assert "HAT" not in skus(ask(anonymous_id="phone", public=True))
    assert skus(ask(anonymous_id="phone", public=True)) == ["FILTER", "CUP", "LAMP"]
    consent.grant(
        customer_ids=[shop.pk],
        purpose="profiling",
        source="form",
        proof={"form": "cookies"},
        now=NOW,
    )
    answer = ask(anonymous_id="phone", public=True, size=3, arm="als")
    assert answer.picks[0].sku == "HAT"


def test_what_is_due_again_is_shown_with_its_usual_time(shop):
    soap = Product.objects.get(sku="SOAP")
    for days in (90, 60, 30):
        factories.order(shop, days_ago=days, lines=[(soap, 1)])
    answer = ask("replenish", external_id="ada")
    assert skus(answer) == ["SOAP"]
    assert answer.picks[0].reason == "You buy this about every 30 days"
    assert skus(ask("replenish")) == []


def test_two_engines_share_the_visitors_and_everybody_keeps_theirs(shop):
    place = Placement.objects.get(slug="home")
    place.engine, place.rival, place.rival_percent = "als", "links", 50
    place.holdout_percent = 20
    place.save()
    placements.forget()
    arms = [ask(anonymous_id=f"v{n}").arm for n in range(300)]
    assert arms == [ask(anonymous_id=f"v{n}").arm for n in range(300)]
    assert 30 < arms.count("holdout") < 95
    assert 80 < arms.count("als") < 165
    assert 80 < arms.count("links") < 165


def test_the_hold_out_gets_what_everybody_gets_or_nothing(shop):
    place = Placement.objects.get(slug="home")
    look("LAMP", external_id="ada")
    Placement.objects.filter(pk=place.pk).update(holdout_percent=100)
    placements.forget()
    answer = ask(external_id="ada")
    assert (answer.arm, skus(answer)) == ("holdout", ["RUG", "SOAP"])
    Placement.objects.filter(pk=place.pk).update(holdout_shows="nothing")
    placements.forget()
    assert skus(ask(external_id="ada")) == []


def test_a_placement_nobody_made_or_that_is_off_is_refused(shop):
    with pytest.raises(NotFound, match="no placement"):
        ask("attic")
    Placement.objects.filter(slug="home").update(enabled=False)
    placements.forget()
    with pytest.raises(NotFound):
        ask("home")


def test_rules_of_the_placement_are_kept(shop):
    Product.objects.filter(sku="CUP").update(price=50, attributes={"brand": "Acme"})
    for rules in ({"price_max": 10}, {"without_brands": ["Acme"]}, {"price_to": 2.0}):
        Placement.objects.filter(slug="together").update(rules=rules)
        placements.forget()
        assert skus(ask("together", product="POT")) == ["FILTER", "RUG", "SOAP"], rules


def test_an_answer_takes_four_questions_at_most(shop, django_assert_max_num_queries):
    look("LAMP", external_id="ada")
    placements.known()
    with django_assert_max_num_queries(3):
        ask(external_id="ada")


def test_without_links_and_sets_nothing_is_shown(db):
    Placement.objects.create(slug="home", name="Home", kind="home")
    factories.product("POT")
    assert skus(ask(product="POT", items=["NOBODY-KNOWS"])) == []

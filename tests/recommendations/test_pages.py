"""Pages of placements: made by a form, their rules tried, their results read."""

from dataclasses import fields
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from ingestion import events
from ingestion.events import draining
from ingestion.identity import merging
from ingestion.models import Merge, Product
from recommendations import defining, health, outcomes, placements, visits
from recommendations.models import Placement, Visitor
from recommendations.rules import terms
from recommendations.visits import Names
from tests import factories
from tests.recommendations.test_live import NOW, shop  # noqa: F401


@pytest.fixture
def client(db) -> Client:
    return factories.signed_in("marketer")


FORM = {
    "name": "Front page", "kind": "home", "size": "6", "engine": "", "rival": "links",
    "rival_percent": "30", "holdout_percent": "10", "holdout_shows": "popular", "enabled": "on",
    "drop_owned": "on", "price_to": "150", "diversity": "40", "without_brands": "Acme, Bolt",
    "allow_group_0": "segment:7", "allow_names_0": "Cups", "per_category": "2",
}  # fmt: skip


def test_a_placement_is_made_by_a_form_and_shown_again(client, django_assert_max_num_queries):
    answer = client.post(reverse("recommendations:placement-new"), FORM)
    row = Placement.objects.get()
    assert answer["Location"] == reverse("recommendations:placement", args=[row.slug])
    assert row.rules == {
        "per_category": 2, "price_to": 1.5, "diversity": 0.4, "without_brands": ["Acme", "Bolt"],
        "allow": [{"group": "segment:7", "categories": ["Cups"], "brands": []}],
    }  # fmt: skip
    assert (row.rival, row.rival_percent, row.holdout_percent) == ("links", 30, 10)
    with django_assert_max_num_queries(20):
        html = client.get(answer["Location"]).content.decode()
    assert 'value="150"' in html
    assert "Acme, Bolt" in html
    assert "Nothing was shown yet" in html
    lists = (*terms.WHOLE, *terms.NUMBER, *terms.YES_NO, *terms.TEXTS, "allow")
    rules = {field.name for field in fields(terms.Rules)} - {"size"}
    assert set(lists) == rules
    assert {rule for rule in lists if f'name="{rule}' not in html} == set()
    assert set(terms.YES_NO) | set(defining.LABELS) == rules


def test_a_form_that_makes_no_sense_keeps_what_was_typed(client):
    answer = client.post(reverse("recommendations:placement-new"), {**FORM, "diversity": "lots"})
    assert answer.status_code == 422
    assert "is no number" in answer.content.decode()
    assert 'value="lots"' in answer.content.decode()
    assert not Placement.objects.exists()


def test_an_analyst_may_look_but_not_change(db):
    analyst = factories.signed_in("analyst")
    assert analyst.get(reverse("recommendations:placement-new")).status_code == 403
    assert analyst.post(reverse("recommendations:placement-new"), FORM).status_code == 403
    assert not Placement.objects.exists()


def test_looking_at_the_list_makes_nothing(db):
    page = factories.signed_in("analyst").get(reverse("recommendations:placements"))
    assert "No placement yet" in page.content.decode()
    assert not Placement.objects.exists()


def test_the_preview_tells_what_would_change(shop, client, django_assert_max_num_queries):  # noqa: F811
    url = reverse("recommendations:placement-preview", args=["together"])
    form = {**FORM, "kind": "together", "rival_percent": "0", "price_max": "1"}
    with django_assert_max_num_queries(20):
        html = client.post(url, form).content.decode()
    assert "0 of 0 picks" not in client.post(url, FORM).content.decode()
    assert "Nothing is left to show" in html


def test_lists_and_try_it_and_the_catalogue_show(shop, client, django_assert_max_num_queries):  # noqa: F811
    for name, said in (("placements", "together"), ("catalogue", "No picture")):
        with django_assert_max_num_queries(20):
            assert said in client.get(reverse(f"recommendations:{name}")).content.decode()
    with django_assert_max_num_queries(20):
        html = client.get(
            reverse("recommendations:try"), {"placement": "together", "product": "pot"}
        ).content.decode()
    assert "Bought together with Product POT in 23 orders" in html
    stranger = client.get(reverse("recommendations:try"), {"person": "nobody"}).content.decode()
    assert "Nobody is known by this name" in stranger


def test_a_rule_is_refused_in_the_scale_of_whoever_asks(client):
    html = client.post(reverse("recommendations:placement-new"), FORM | {"diversity": "140"})
    assert "Diversity: must lie between 0 and 100 percent." in html.content.decode()
    answer = client.put(
        "/api/v1/recommendations/placements/front/",
        {"name": "Front", "rules": {"diversity": 1.4}}, content_type="application/json",
    )  # fmt: skip
    assert answer.json()["error"]["message"] == "diversity: must lie between 0 and 1."


def test_the_catalogue_counts_what_is_missing(shop):  # noqa: F811
    Product.objects.filter(sku="HAT").update(stock=0, category="Hats", price=None)
    goods, found = health.findings()
    counts = {one.key: one.count for one in found}
    assert goods == 8
    assert counts["picture"] == 8
    assert counts["price"] == 1
    assert counts["category"] == 7
    assert counts["sold_out"] == 1
    assert counts["links"] == 7 - 2


def say(kind, n, *, at=NOW, engine="best", **names):
    event = events.Incoming(
        type=kind, at=at, message_id=f"{kind}{n}{names}{at}",
        properties={"placement": "home", "engine": engine, "sku": "POT"}, **names,
    )  # fmt: skip
    events.accept(batch=[event], source="shop", now=NOW)


def test_visitors_are_counted_once_on_their_own_side_whatever_their_browser_says(shop):  # noqa: F811
    Placement.objects.filter(slug="home").update(holdout_percent=30)
    place = placements.look().places["home"]
    devices = [f"v{n}" for n in range(40)]
    best = [one for one in devices if place.arm(f"a:{one}") == "best"][:4]
    held = [one for one in devices if place.arm(f"a:{one}") == "holdout"][:2]
    people = (factories.customer() for _ in range(99))
    buyer = next(one for one in people if place.arm(f"c:{one.pk}") == "best")
    begun = NOW - timedelta(days=2)
    for one in (*best, *held):
        say("recommendation_shown", 0, at=begun, engine="holdout", anonymous_id=one)
    say("recommendation_clicked", 0, anonymous_id=best[0])
    say("recommendation_shown", 9, engine="links", anonymous_id=best[0])
    say("recommendation_shown", 0, at=begun, external_id=buyer.external_id)
    draining.drain(now=NOW)
    outcomes.count()
    outcomes.count()
    first = Visitor.objects.get(unit=f"a:{best[0]}")
    assert (first.arm, first.shown, first.clicked) == ("best", 2, 1)
    factories.order(buyer, placed_at=NOW - timedelta(days=1))
    ours, theirs = outcomes.sides(
        placement=Placement.objects.get(slug="home"), now=NOW + timedelta(hours=1)
    )
    assert (ours.visitors, ours.shown, ours.clicks, theirs.visitors) == (5, 6, 1, 2)
    assert ours.bought.value == pytest.approx(1 / 5)
    assert ours.lift.value == pytest.approx(1 / 5)
    assert ours.lift.low < 0 < ours.lift.high
    assert (theirs.held_out, theirs.lift, ours.proven) == (True, None, False)


def test_merged_visitors_are_one_with_what_they_got_first_and_two_again_once_parted(shop):  # noqa: F811
    place = Placement.objects.get(slug="home")
    bob = factories.customer("bob", external_id="bob")
    for who, arm, days in ((bob, "holdout", 3), (shop, "best", 2)):
        Visitor.objects.create(
            placement=place, unit=f"c:{who.pk}", customer=who, arm=arm, shown=2, clicked=1,
            first_at=NOW - timedelta(days=days), last_at=NOW,
        )  # fmt: skip

    def seen():
        sides = outcomes.sides(placement=place, now=NOW)
        return [(one.arm, one.visitors, one.shown) for one in sides]

    def got():
        names = Names(external_id="ada")
        return visits.ask(names=names, placement_id=place.pk, now=NOW).arm

    apart = [("best", 1, 2), ("holdout", 1, 2)]
    assert (seen(), got()) == (apart, "best")
    merging.merge(kept=shop.pk, gone=bob.pk, actor=None, now=NOW)
    assert (seen(), got()) == ([("holdout", 1, 4)], "holdout")
    merging.undo(merge_id=Merge.objects.get().pk, actor=None, now=NOW)
    assert (seen(), got()) == (apart, "best")


def test_a_clear_difference_is_proven():
    found = outcomes.difference(50, 100, 20, 100)
    assert found.value == pytest.approx(0.3)
    assert 0.15 < found.low < 0.2
    assert 0.4 < found.high < 0.45

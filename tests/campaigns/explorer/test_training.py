"""A tree for any question: judged, refused or published, and each group the same as its segment.

All tests begin with the same people, who are made once.
"""

import numpy as np
import pytest

from campaigns.segments import compile as compiler
from campaigns.segments import definitions, leaves, membership
from ingestion.models import Customer
from marketing.core.errors import Invalid, Refused
from models_ml import features, queries
from models_ml.explorer import columns, groups, questions
from models_ml.models import Exploration, ModelVersion
from tests import factories
from tests.campaigns.explorer import people
from tests.campaigns.explorer.people import ask, train

NOW = people.NOW
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("planted")]


@pytest.fixture(scope="module")
def planted(made_once: None) -> None:
    people.plant()


def everybody() -> list[Customer]:
    return list(Customer.objects.order_by("pk"))


def same_people(exploration: Exploration, version: ModelVersion) -> int:
    """Every group's segment means exactly the people whom the tree puts there; how many people."""
    person, leaf_of = groups.apply(exploration=exploration, version=version)
    for leaf in version.details["leaves"]:
        rule = compiler.read(leaves.rule_in(version, leaf))
        meant = set(membership.ids(rule, as_of=queries.as_of()))
        assert meant == set(person[leaf_of == leaf["id"]].tolist()), leaf["conditions"]
    return len(person)


def test_the_planted_countries_and_plan_are_found_and_every_group_is_its_segment() -> None:
    exploration = ask({"type": "order"}, settings={"without": ["recency_days"]})
    version = train(exploration)
    assert version.name == "tree:question"
    assert version.state == "live", version.reason
    assert same_people(exploration, version) == people.PEOPLE
    exploration.refresh_from_db()
    assert exploration.sizes["people"] == people.PEOPLE
    assert sum(exploration.sizes["leaves"].values()) == people.PEOPLE


def test_a_question_of_now_finds_the_category_and_the_number_behind_it() -> None:
    made = everybody()
    lucky = [
        p.pk for p in made
        if p.country in ("ES", "PT") or float(str(p.attributes.get("score", 0))) > 70
    ]  # fmt: skip
    rng = np.random.default_rng(3)
    noisy = [pk for pk in lucky if rng.random() < 0.9]
    Customer.objects.update(language="en")
    Customer.objects.filter(pk__in=noisy).update(language="xx")
    segment = definitions.save(
        name="Lucky", actor=None, rule={"field": "customer.language", "op": "=", "value": "xx"}
    )
    exploration = ask({"type": "segment", "segment": segment.pk}, population={"who": "everyone"})
    version = train(exploration, leaves.defining(segment.rule))
    assert version.state == "live", version.reason
    asked = {node["feature"] for node in version.details["nodes"]} - {None}
    names = {s["name"]: s.get("attribute", s["name"]) for s in version.details["columns"]}
    assert {names[a] for a in asked} >= {"country", "score"}
    assert {"column": "language", "why": "target"} in version.details["left_out"]
    assert same_people(exploration, version) == Customer.objects.count()


def test_an_event_as_the_target_and_windows_as_columns_mean_the_same_people() -> None:
    exploration = ask({"type": "event", "event": "help asked"}, days=30)
    version = train(exploration)
    assert version.state == "refused"  # nothing was planted: help is asked at random
    assert any(why in version.reason for why in ("simple rule", "one group", "than a coin"))
    same_people(exploration, version)


def test_groups_by_orders_money_and_events_in_a_window_are_their_segments() -> None:
    exploration = ask({"type": "order"})
    others = [*features.traits.NAMES, "orders_30d", "orders_365d", "money_30d", "money_365d"]
    others += ["event:help asked:30", "country", "attribute:plan", "attribute:score"]
    exploration.settings |= {"without": others}
    version = train(exploration)
    asked = {s["name"] for s in version.details["columns"]}
    assert asked == {"orders_90d", "money_90d", "event_0_90d"}
    assert same_people(exploration, version) == people.PEOPLE


def test_rates_are_of_people_the_questions_never_saw_with_an_interval() -> None:
    version = train(ask({"type": "order"}))
    leaves_found = version.details["leaves"]
    judged = sum(leaf["people"] for leaf in leaves_found)
    assert judged == version.details["judged_people"] < people.PEOPLE
    for leaf in leaves_found:
        assert leaf["rate"]["low"] <= leaf["rate"]["value"] <= leaf["rate"]["high"]
        worth = leaf["worth"]
        assert worth is None or worth["low"] <= worth["value"] <= worth["high"]
    assert version.details["worth"]["value"] > 0


def test_a_column_that_tells_the_answer_is_a_leak_and_nothing_is_stored() -> None:
    made = everybody()
    for person, gone in zip(made, np.random.default_rng(5).random(len(made)) < 0.3, strict=True):
        person.attributes["cancelled"] = "yes" if gone else "no"
        person.attributes["reason"] = "price" if gone else "none"
    Customer.objects.bulk_update(made, ["attributes"])
    target = {"type": "attribute", "attribute": "cancelled", "op": "=", "value": "yes"}
    exploration = ask(target, population={"who": "everyone"})
    with pytest.raises(Invalid, match="reason"):
        train(exploration)
    exploration.refresh_from_db()
    assert exploration.trouble["code"] == "leak"
    assert exploration.trouble["columns"] == ["attribute:reason"]
    assert not ModelVersion.objects.exists()
    exploration = questions.change(
        exploration=exploration, settings={"without": exploration.trouble["columns"]}, now=NOW
    )
    version = train(exploration)
    assert version.state == "refused"
    left_out = {one["column"]: one["why"] for one in version.details["left_out"]}
    assert left_out["attribute:cancelled"] == "target"
    assert left_out["attribute:reason"] == "left_out"


def test_a_tree_about_a_property_counts_and_means_those_of_whom_it_is_known() -> None:
    made = everybody()
    for n, person in enumerate(made[:400]):
        person.attributes["club"] = "" if n < 100 else "yes" if n % 2 else "no"
    Customer.objects.bulk_update(made[:400], ["attributes"])
    target = {"type": "attribute", "attribute": "club", "op": "=", "value": "yes"}
    exploration = ask(target, population={"who": "everyone"})
    version = train(exploration)
    assert same_people(exploration, version) == 300
    exploration.refresh_from_db()
    assert exploration.sizes["people"] == 300
    text = factories.signed_in("marketer").get(f"/segments/tree/{exploration.key}/").content
    assert "300 people of whom “club” is known, as of" in text.decode()


def test_a_tree_about_one_file_asks_of_what_that_file_told_however_many_people_others_brought() -> (
    None
):
    made = everybody()
    for n, person in enumerate(made):
        if n < 300:
            person.attributes |= {"club": "yes" if n % 2 else "no", "wine": str(n % 50)}
        else:
            person.attributes |= {f"line {place}": str(n * place % 9) for place in range(1, 50)}
    Customer.objects.bulk_update(made, ["attributes"])
    of_all, of_the_club = (
        {spec.get("attribute") for spec in columns.choose(since=None, known=known)[0]}
        for known in ("", "club")
    )
    assert "wine" not in of_all
    assert {"club", "wine"} <= of_the_club
    assert not any(name and name.startswith("line ") for name in of_the_club)


def test_ten_thousand_categories_and_a_constant_column_are_borne() -> None:
    made = everybody()
    for n, person in enumerate(made):
        person.attributes |= {"town": f"town {n * 13 % 10_000}", "flat": "same"}
    Customer.objects.bulk_update(made, ["attributes"])
    exploration = ask({"type": "order"})
    version = train(exploration)
    assert "town" not in {s.get("attribute") for s in version.details["columns"]}
    assert "flat" not in {s.get("attribute") for s in version.details["columns"]}
    same_people(exploration, version)


def test_a_level_that_comes_up_later_is_where_the_segment_says() -> None:
    exploration = ask({"type": "order"}, settings={"without": ["recency_days"]})
    version = train(exploration)
    Customer.objects.filter(pk__lt=people.FIRST + 40).update(country="ZZ")
    Customer.objects.filter(pk__lt=people.FIRST + 20).update(attributes={"plan": "platinum"})
    assert same_people(exploration, version) == people.PEOPLE


def test_what_was_learned_of_people_later_is_left_out_unless_said_to_be_steady() -> None:
    made = everybody()
    Customer.objects.filter(pk__in=[p.pk for p in made]).update(created_at=NOW)
    version = train(ask({"type": "order"}, settings={"allow": ["country"]}))
    late = {one["column"]: one["why"] for one in version.details["left_out"]}
    assert late["attribute:plan"] == "learned_later"
    assert "country" not in late


def test_a_retrain_says_what_moved_and_touches_no_segment() -> None:
    exploration = ask({"type": "order"})
    first = train(exploration)
    assert first.state == "live", first.reason
    segment = leaves.save(
        version=first, leaf_id=first.details["leaves"][0]["id"], actor=factories.user()
    )
    assert not leaves.edited(segment)
    edited = definitions.save(
        name=segment.name, rule={"all": [*segment.rule["all"], {"in_list": 1}][:1]},
        actor=None, segment=segment,
    )  # fmt: skip
    before = edited.rule
    exploration = questions.change(exploration=exploration, settings={"depth": 2}, now=NOW)
    second = train(exploration)
    moved = second.details["moved"]
    assert moved["version"] == 1
    assert moved["people"] == people.PEOPLE
    assert {m["leaf"] for m in moved["moves"]} == {leaf["id"] for leaf in second.details["leaves"]}
    segment.refresh_from_db()
    assert segment.rule == before
    third = train(exploration)
    assert {m["kind"] for m in third.details["moved"]["moves"]} == {"same"}
    assert third.details["moved"]["changed"] == 0.0


def test_groups_of_a_refused_tree_are_not_offered() -> None:
    version = train(ask({"type": "event", "event": "help asked"}, days=30))
    with pytest.raises(Refused, match="not published"):
        leaves.save(version=version, leaf_id=version.details["leaves"][0]["id"], actor=None)

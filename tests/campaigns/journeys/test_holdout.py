"""Some who would come in are held out of a journey; what it causes is told against them."""

import random

import pytest
from django.urls import reverse

from campaigns.experiments import difference, sequential
from campaigns.journeys import entering, figures, graphs, replay, versions
from campaigns.journeys.entering import Candidate
from campaigns.journeys.graph import held_out
from campaigns.models import Enrollment, JourneyReading, Message
from campaigns.reporting import effects, journeys
from campaigns.views import journeys_effect
from ingestion.models import Customer
from tests import factories
from tests.campaigns.conftest import people
from tests.campaigns.journeys.drawn import NOW, after, definition, did, journey_of, live, look

pytestmark = pytest.mark.django_db
NODES = {"cart": {"kind": "event", "event": "cart", "next": "mail"}}


def measured(percent=50, **parts):
    nodes = {
        **NODES,
        "mail": {"kind": "send", "channel": "email", "template": factories.template().pk},
    }
    return live(nodes, holdout=percent, **{"goal": {"event": "order"}, **parts})


def sides(version, persons):
    """Those of these people who are held out, and the others."""
    graph, key = graphs.graph_of(version.pk), f"journey:{version.journey_id}"
    held = [one for one in persons if held_out(graph, key=key, unit=one.pk)]
    return held, [one for one in persons if one not in held]


def test_whoever_is_held_out_gets_nothing_and_is_kept_as_such():
    version = measured()
    persons = people(40)
    for one in persons:
        did(one, "cart", at=after(minutes=1), total=5)
    look(after(minutes=2))
    held, others = sides(version, persons)
    assert min(len(held), len(others)) > 5
    assert set(Message.objects.values_list("customer_id", flat=True)) == {o.pk for o in others}
    rows = Enrollment.objects.filter(outcome="held")
    assert set(rows.values_list("customer_id", flat=True)) == {one.pk for one in held}
    assert all(row.ended_at == row.entered_at and row.context == {} for row in rows)
    found = figures.totals(journey_id=version.journey_id)
    assert (found.entered, found.held, found.inside) == (len(others), len(held), 0)
    assert "held" not in found.outcomes


def test_whoever_is_held_out_stays_so_when_they_come_again_and_in_later_versions():
    version = measured(entry={"again": "always"})
    persons = people(30)
    held, _others = sides(version, persons)
    journey = journey_of(version)
    for n in range(2):
        for one in persons:
            did(one, "cart", at=after(minutes=1 + n * 10))
        look(after(minutes=2 + n * 10))
        journey.draft = {**journey.draft, "caps": {"per_day": 1000 + n}}
        journey.save()
        versions.publish(journey_id=journey.pk, user=None, now=after(minutes=5 + n * 10))
    rows = Enrollment.objects.filter(outcome="held").values_list("customer_id", "version__number")
    assert set(rows) == {(one.pk, n) for one in held for n in (1, 2)}


def test_a_larger_share_keeps_those_of_a_smaller_one():
    small, large = (graphs.graph_of(measured(share).pk) for share in (10, 40))
    for unit in range(500):
        if held_out(small, key="journey:1", unit=unit):
            assert held_out(large, key="journey:1", unit=unit)


def test_nobody_is_held_out_unless_a_share_is_said():
    version = measured(0)
    for one in people(20):
        did(one, "cart", at=after(minutes=1))
    look(after(minutes=2))
    assert not Enrollment.objects.filter(outcome="held").exists()
    assert (
        journeys.effect(
            versions=[version],
            read=journeys.tally(journey_id=version.journey_id, versions=[version], until=NOW),
        )
        is None
    )


def test_the_api_says_that_somebody_is_held_out():
    version = live({"start": {"kind": "api", "next": "end"}, "end": {"kind": "exit"}}, holdout=50)
    walked = graphs.walked()[0]
    held, others = sides(version, people(20))
    told = [
        entering.enter(
            version=walked,
            candidates=[Candidate(customer_id=one.pk, key=f"k{one.pk}", at=NOW)],
            now=NOW,
        )
        for one in (held[0], others[0])
    ]
    assert [(one.entered, one.held) for one in told] == [(0, 1), (1, 0)]


def test_the_time_machine_holds_out_the_same_people():
    version = measured()
    persons = people(30)
    for one in persons:
        did(one, "cart", at=after(minutes=1))
    held, others = sides(version, persons)
    found = replay.run(
        definition=version.definition,
        since=NOW,
        until=after(hours=1),
        journey_id=version.journey_id,
    )
    assert found.timeline.turned_away["held"] == len(held)
    assert {deed.customer_id for deed in found.timeline.deeds} == {one.pk for one in others}


def test_both_sides_are_counted_from_when_each_first_came():
    version = measured(
        goal={
            "event": "order",
            "where": [{"property": "total", "op": ">=", "value": 10}],
            "ends": False,
        }
    )
    persons = people(20)
    held, others = sides(version, persons)
    for one in persons:
        did(one, "cart", at=after(minutes=1))
    look(after(minutes=2))
    did(held[0], "order", at=after(hours=1), total=20)
    did(others[0], "order", at=after(hours=1), total=5)  # not the goal
    did(others[1], "order", at=after(hours=1), total=10)
    did(others[1], "order", at=after(hours=2), total=10)  # the same person counts once
    did(others[2], "order", at=after(days=20), total=90)  # after their days are over
    did(others[3], "order", at=after(minutes=-5), total=90)  # before they came
    factories.order(others[1], placed_at=after(hours=1), total=30)
    factories.order(held[1], placed_at=after(hours=2), total=7)
    factories.order(others[4], placed_at=after(days=-3), total=4)
    read = journeys.tally(journey_id=version.journey_id, versions=[version], until=after(days=30))
    came, out = read.arms["came"], read.arms["holdout"]
    assert (came.people, out.people) == (len(others), len(held))
    assert (came.ordered, out.ordered, came.earlier) == (1, 1, 1)
    assert (came.money, out.money, came.before) == (30, 7, 4)


def test_a_changed_share_begins_the_report_anew():
    version = measured(10)
    journey = journey_of(version)
    for number, share in ((2, 10), (3, 50), (4, 50)):
        journey.draft = {**journey.draft, "holdout": share, "caps": {"per_day": number}}
        journey.save()
        versions.publish(journey_id=journey.pk, user=None, now=after(minutes=number))
    assert [one.number for one in journeys.together(journey)] == [4, 3]
    assert [one.number for one in journeys.together(journey, number=2)] == [2]


def test_readings_are_kept_by_day_and_shown_on_the_list():
    version = measured()
    for one in people(30):
        did(one, "cart", at=after(minutes=1))
    look(after(minutes=2))
    for day in (0, 0, 1):
        journeys.take_all(now=after(days=day, hours=1))
    assert JourneyReading.objects.count() == 2
    client = factories.signed_in("analyst")
    page = client.get(reverse("campaigns:journey-list")).content.decode()
    assert "Too few to tell" in page
    page = client.get(reverse("campaigns:journey-effect", args=[version.journey_id]))
    assert "Too few to tell" in page.content.decode()
    assert "Came in" in page.content.decode()


def test_what_was_read_under_another_share_is_not_judged_by_the_new_one(monkeypatch):
    version = measured(10)
    for one in people(60):
        did(one, "cart", at=after(minutes=1))
    look(after(minutes=2))
    journeys.take_all(now=after(hours=1))
    journey = journey_of(version)
    journey.draft = {**journey.draft, "holdout": 50}
    journey.save()
    newest = versions.publish(journey_id=journey.pk, user=None, now=after(hours=2))
    kept = journey.readings.get()
    assert journeys_effect.short(version, kept)["text"] == "Too few to tell"
    assert journeys_effect.short(newest, kept)["text"] == "Too early"
    monkeypatch.setattr(journeys, "LIVE_PEOPLE", 5)
    read = journeys.latest(
        journey=journey, versions=[newest], number=journeys.ALL, now=after(hours=3)
    )
    assert read.arms == {}  # nobody came under the new share yet


@pytest.mark.parametrize("state", ["draft", "none held", "nobody came"])
def test_the_page_says_why_there_is_nothing_to_tell(state):
    if state == "draft":
        journey = versions.create(name="J", definition=definition(NODES), user=None, now=NOW)
    else:
        journey = journey_of(measured(0 if state == "none held" else 10))
    said = factories.signed_in("analyst").get(
        reverse("campaigns:journey-effect", args=[journey.pk])
    )
    expected = {
        "draft": "Not live yet",
        "none held": "Nobody is held out",
        "nobody came": "Nobody came yet on one of the sides",
    }
    assert expected[state] in said.content.decode()


def test_erasing_somebody_takes_them_off_their_side():
    version = measured()
    persons = people(10)
    for one in persons:
        did(one, "cart", at=after(minutes=1))
    look(after(minutes=2))
    Customer.objects.filter(pk=persons[0].pk).delete()
    read = journeys.tally(journey_id=version.journey_id, versions=[version], until=after(days=1))
    assert sum(side.people for side in read.arms.values()) == 9


def test_looking_every_day_while_people_keep_coming_seldom_sees_what_is_not_there():
    chance = random.Random(11)
    alarms = 0
    for _journey in range(200):
        people_, did_ = [0, 0], [0, 0]
        later = [[0, 0] for _day in range(45)]
        for day in range(30):
            for _person in range(25):
                held = chance.random() < 0.2
                people_[held] += 1
                if chance.random() < 0.1:
                    later[day + int(chance.random() * 14)][held] += 1
            did_[0] += later[day][0]
            did_[1] += later[day][1]
            if min(people_) < effects.LEAST_PEOPLE or sum(did_) < effects.LEAST_ORDERS:
                continue
            lift = difference(
                treated=people_[0],
                treated_converted=did_[0],
                control=people_[1],
                control_converted=did_[1],
            )
            seen = sequential.always(
                lift=lift,
                planned=sequential.planned_share(treated=people_[0], control=people_[1], rate=0.05),
                converted=max(lift.treated, lift.control),
                people=sum(people_),
                grows=journeys.PLANNED,
            )
            if seen.proven:
                alarms += 1
                break
    assert alarms <= 10


def test_with_nobody_new_both_clocks_agree():
    lift = difference(treated=900, treated_converted=90, control=100, control_converted=8)
    planned = sequential.planned_share(treated=900, control=100, rate=0.05)
    fixed = sequential.always(lift=lift, planned=planned, converted=0.1)
    grown = sequential.always(lift=lift, planned=planned, converted=0.1, people=1000, grows=1000)
    assert (grown.low, grown.high) == pytest.approx((fixed.low, fixed.high))


def test_figures_of_all_versions_add_up():
    version = measured(0, entry={"again": "always"})
    journey = journey_of(version)
    persons = people(3)
    for n in range(2):
        for one in persons[: n + 1]:
            did(one, "cart", at=after(minutes=1 + n * 10))
        look(after(minutes=2 + n * 10))
        journey.draft = {**journey.draft, "caps": {"per_day": 1000 + n}}
        journey.save()
        versions.publish(journey_id=journey.pk, user=None, now=after(minutes=5 + n * 10))
    all_ = list(journey.versions.order_by("number"))
    assert [figures.of(one)["mail"].passed for one in all_] == [1, 2, 0]
    assert figures.of(*all_)["mail"].passed == 3
    client = factories.signed_in("analyst")
    look_at = reverse("campaigns:journey-look", args=[journey.pk])
    passed = [
        client.get(look_at + query).json()["figures"]["mail"]["passed"]
        for query in ("", "?version=1", "?version=2", "?version=all", "?version=x")
    ]
    assert passed == [0, 1, 2, 3, 0]

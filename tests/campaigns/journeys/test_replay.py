"""The time machine: what a draft would have done, and the true log of what a live journey did."""

from datetime import timedelta

import pytest

from campaigns.journeys import definitions, past, replay, simulator, versions
from campaigns.journeys.asked import Answers
from campaigns.journeys.simulator import Clock, Person, Scripted
from campaigns.models import Enrollment, JourneyStep, Message
from ingestion import events
from marketing.core.errors import Invalid
from tests import factories
from tests.campaigns.journeys.drawn import (
    CART,
    NOW,
    after,
    definition,
    did,
    live,
    look,
)

pytestmark = pytest.mark.django_db


def rich(mail: int) -> dict:
    """A journey in which facts, time and chance all have a say."""
    return {
        "cart": {
            "kind": "event",
            "event": "cart",
            "where": [{"property": "total", "op": ">=", "value": 10}],
            "next": "wait",
        },
        "wait": {"kind": "wait_for", "for": {"hours": 1}, "next": "seen"},
        "seen": {
            "kind": "split_rule",
            "rule": {"did": "view", "at_least": 2, "days": 1},
            "branches": [{"key": "yes", "next": "share"}, {"key": "no", "next": "nine"}],
        },
        "share": {
            "kind": "split_percent",
            "branches": [
                {"key": "a", "percent": 40, "next": "mail"},
                {"key": "b", "percent": 60, "next": "click"},
            ],
        },
        "nine": {"kind": "wait_local", "at": "09:00", "next": "mail"},
        "mail": {"kind": "send", "channel": "email", "template": mail, "next": "click"},
        "click": {
            "kind": "wait_event",
            "event": "view",
            "for": {"days": 1},
            "branches": [{"key": "happened", "next": "good"}, {"key": "timeout"}],
        },
        "good": {"kind": "exit"},
    }


PARTS = {
    "goal": {"event": "order"},
    "exits": [{"event": "gone"}],
    "entry": {"again": "after", "days": 2, "rule": {"field": "customer.country", "op": "=",
                                                    "value": "GB"}},
    "caps": {"per_day": 12},
}  # fmt: skip


def parsed(drawn: dict):
    graph, flaws = definitions.parse(drawn)
    assert graph is not None
    assert not flaws
    return graph


def some_days(people: list) -> list[tuple]:
    """What twenty people did in five days: (minute, person, event, total), in order."""
    found = []
    for n, person in enumerate(people):
        for day in range(5):
            base = day * 1440 + 37 * n + 11 * day
            found.append((base + 5, person, "cart", 6 + (7 * n + day) % 20))
            if (n + day) % 2:
                found += [(base + 7, person, "view", 0), (base + 21, person, "view", 0)]
            if (n + day) % 3 == 0:
                found.append((base + 130, person, "view", 0))
            if (n * day) % 5 == 4:
                found.append((base + 40 + n, person, "order", 0))
            if (n + 2 * day) % 11 == 7:
                found.append((base + 600, person, "gone", 0))
    return sorted(found, key=lambda one: one[0])


def test_a_live_journey_replayed_gives_its_true_log():
    mail = factories.template().pk
    zones = ("Europe/London", "America/New_York", "Asia/Tokyo", "")
    people = [
        factories.customer(timezone=zones[n % 4], country="FR" if n == 9 else "GB")
        for n in range(20)
    ]
    version = live(rich(mail), **PARTS)
    minute = 0
    for at, person, event, total in some_days(people):
        while minute + 60 < at:
            minute += 60
            for wake in due_until(after(minutes=minute)):
                look(wake)
        for wake in due_until(after(minutes=at)):
            look(wake)
        did(person, event, at=after(minutes=at), total=total)
        look(after(minutes=at))
    until = after(days=7)
    for wake in due_until(until):
        look(wake)
    assert not Enrollment.objects.filter(ended_at=None).exists()
    true = sorted(
        JourneyStep.objects.values_list(
            "enrollment__customer_id", "enrollment__entered_at", "n", "node", "branch", "what", "at"
        )
    )
    found = replay.run(
        definition=version.definition, since=NOW, until=until, journey_id=version.journey_id
    )
    line = found.timeline
    told = sorted(
        (
            line.stays[one.enrollment_id].customer_id,
            line.entered_at[one.enrollment_id],
            one.n,
            one.node,
            one.branch,
            one.what,
            one.at,
        )
        for one in line.lines
    )
    assert len(true) > 150
    assert told == true
    sent = found.summary()
    assert sent["messages"] == Message.objects.count() > 10
    assert sent["entered"] == Enrollment.objects.count()
    assert sent["turned_away"] == tallied()
    assert {way for _p, _e, _n, node, way, _w, _a in true if node == "click"} >= {
        "happened",
        "timeout",
    }


def due_until(moment):
    """The moments up to one at which somebody is due, as they come to be known."""
    while True:
        first = (
            Enrollment.objects.filter(ended_at=None, wake_at__lte=moment)
            .order_by("wake_at")
            .values_list("wake_at", flat=True)
            .first()
        )
        if first is None:
            return
        yield first


def tallied() -> dict[str, int]:
    from django.db.models import Sum

    from campaigns.models import JourneyTally

    return dict(JourneyTally.objects.values_list("reason").annotate(n=Sum("people")))


def test_looking_back_writes_nothing_and_names_ways_that_nobody_took():
    mail = factories.template().pk
    ada, ben = factories.customer("ada"), factories.customer("ben")
    for person, minutes in ((ada, 5), (ben, 50)):
        did(person, "cart", at=after(minutes=minutes), total=30)
    before = (Enrollment.objects.count(), Message.objects.count(), JourneyStep.objects.count())
    found = replay.run(
        definition=definition(rich(mail), caps={"per_day": 1}),
        since=NOW,
        until=after(days=3),
    ).summary()
    assert before == (0, 0, 0)
    assert (Enrollment.objects.count(), Message.objects.count()) == (0, 0)
    assert (found["entered"], found["turned_away"], found["messages"]) == (1, {"capped": 1}, 1)
    assert [day["capped"] for day in found["days"]] == [True, False, False, False]
    assert [day["sends"] for day in found["days"]][:2] == [{}, {"email": 1}]
    assert {"node": "seen", "branch": "yes"} in found["dead"]
    assert {"node": "share", "branch": ""} in found["dead"]
    assert found["nodes"]["mail"]["passed"] == 1


def test_a_rule_is_asked_as_of_then():
    ada = factories.customer("ada")
    did(ada, "cart", at=after(minutes=5), total=30)
    for hours in (5, 6):
        did(ada, "view", at=after(hours=hours))
    found = replay.run(
        definition=definition(rich(factories.template().pk)), since=NOW, until=after(days=2)
    )
    assert [one.branch for one in found.timeline.lines if one.node == "seen"] == ["no"]


RULES = (
    {"did": "view", "at_least": 2, "days": 1},
    {"all": [{"not": {"did": "cart", "days": 2}}, {"field": "customer.country", "op": "=",
                                                   "value": "GB"}]},
    {"did": "view", "at_least": 1, "where": [{"property": "page", "op": "=",
                                              "value": "$f$ 5% 'a' %s {0}"}]},
    {"bought": {"any": True}, "days": 3},
    {"reach": "email", "purpose": "marketing"},
    {"did": "view", "at_least": 1, "when": {"calendar": "today"}},
)  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_asking_for_many_moments_at_once_says_what_asking_one_by_one_says(rule: dict):
    people = [factories.customer(country="GB" if n % 3 else "FR") for n in range(4)]
    for n, person in enumerate(people):
        for hours in range(0, 70, 9 + n):
            kind = "cart" if hours % 4 == 0 else "view"
            did(person, kind, at=after(hours=hours), page="$f$ 5% 'a' %s {0}" if n else "home")
        factories.order(person, placed_at=after(hours=20 * n + 1))
    pairs = [
        (person.pk, after(hours=hours, minutes=7, seconds=n))
        for n, person in enumerate(people)
        for hours in range(0, 120, 5)
    ]
    answers = Answers(graph=parsed(definition(rich(1))), version_id=0, now=NOW)
    node = answers.expanded(rule)
    assert node is not None
    with past.hidden():
        together = past.holding(node, pairs)
        one_by_one = []
        for person, at in pairs:
            past.until(at)
            alone = Answers(graph=answers.graph, version_id=0, now=at)
            alone.fix(at)
            one_by_one.append(person in alone.holding(rule, [person]))
    assert together == one_by_one
    assert "reach" in rule or {*together} == {True, False}


def test_a_limit_and_many_ways_give_the_same_log_however_the_questions_are_asked(monkeypatch):
    people = [factories.customer(country="FR" if n == 9 else "GB") for n in range(20)]
    for at, person, event, total in some_days(people):
        did(person, event, at=after(minutes=at), total=total)
    asked = {
        "definition": definition(
            rich(factories.template().pk), **{**PARTS, "caps": {"per_day": 4}}
        ),
        "since": NOW,
        "until": after(days=7),
    }
    monkeypatch.setattr(past, "FEW", 0)
    together = replay.run(**asked)
    monkeypatch.setattr(replay, "WALKS", 0)
    monkeypatch.setattr(past, "FEW", 1_000_000)
    one_by_one = replay.run(**asked)
    assert together.timeline.lines == one_by_one.timeline.lines
    assert together.summary() == one_by_one.summary()
    assert together.summary()["turned_away"]["capped"] > 0


def test_too_many_facts_are_sampled_by_person_and_said_so():
    for n in range(40):
        person = factories.customer(f"p{n}")
        for minute in range(3):
            did(person, "view", at=after(minutes=minute))
    found = replay.run(
        definition=definition(
            {"in": {"kind": "event", "event": "view", "next": "out"}, "out": {"kind": "exit"}}
        ),
        since=NOW - timedelta(minutes=1),
        until=after(days=1),
        most=60,
    ).summary()
    assert found["share"] == 0.5
    assert 5 < found["entered"] < 35
    assert "50%" in " ".join(found["notes"])


def test_an_imported_history_counts_as_if_told_in_time():
    ada = factories.customer("ada")
    old = events.Incoming(
        type="cart",
        at=after(days=-20),
        message_id="old",
        customer_id=ada.pk,
        properties={"total": 30},
    )
    events.record(batch=[old], source="file", now=NOW)
    drawn = definition(rich(factories.template().pk))
    span = {"since": after(days=-21), "until": after(days=-10)}
    assert replay.run(definition=drawn, **span).summary()["entered"] == 0
    assert replay.run(definition=drawn, imported=True, **span).summary()["entered"] == 1


def test_a_drawing_with_flaws_is_not_walked():
    with pytest.raises(Invalid, match="Nothing happens yet"):
        replay.run(
            definition={"start": "cart", "nodes": {"cart": CART}}, since=NOW, until=after(days=1)
        )


def test_one_person_goes_through_a_draft_as_the_clock_is_moved():
    drawn = definition(rich(1))
    steps = simulator.run(
        drawn,
        Person(zone="Europe/London"),
        Clock(NOW, after(minutes=30)),
    )
    assert [(one.node, one.what, one.until) for one in steps] == [
        ("cart", "passed", None),
        ("wait", "waits", after(hours=1)),
    ]
    steps = simulator.run(
        drawn,
        Person(zone="America/New_York"),
        Clock(NOW, after(days=3)),
        Scripted(answers={"seen": False}, events=[(after(days=1), "view", {})]),
    )
    assert [(one.node, one.what, one.branch) for one in steps] == [
        ("cart", "passed", ""),
        ("wait", "passed", ""),
        ("seen", "passed", "no"),
        ("nine", "passed", ""),
        ("mail", "did", ""),
        ("click", "passed", "happened"),
        ("good", "exit", ""),
    ]
    assert steps[3].at.isoformat() == "2026-11-22T14:00:00+00:00"
    assert not any(one.guessed for one in steps)


def test_what_is_not_said_takes_the_way_for_everybody_else_and_is_marked():
    steps = simulator.run(definition(rich(1)), Person(), Clock(NOW, after(hours=2)))
    seen = next(one for one in steps if one.node == "seen")
    assert (seen.branch, seen.guessed) == ("no", True)


def test_somebody_real_is_asked_about_as_they_are():
    ada = factories.customer("ada")
    for minutes in (1, 2):
        did(ada, "view", at=after(minutes=minutes))
    drawn = definition(rich(1))
    steps = simulator.run(
        drawn,
        Person(customer_id=ada.pk),
        Clock(NOW, after(hours=2)),
        ask=simulator.asking_of(drawn, now=after(hours=1)),
    )
    seen = next(one for one in steps if one.node == "seen")
    assert (seen.branch, seen.guessed) == ("yes", False)


def test_a_journey_that_is_published_again_differs_by_what_was_changed():
    before = definition(rich(1))
    changed = definition({**rich(1), "wait": {"kind": "wait_for", "for": {"hours": 2},
                                              "next": "seen"}, "tell": {"kind": "exit"}},
                         goal={"event": "order"})  # fmt: skip
    found = versions.diff(before, changed)
    assert (found.added, found.removed, found.changed, found.parts) == (
        ("tell",),
        (),
        ("wait",),
        ("goal",),
    )


def test_the_look_back_ends_with_what_the_journey_listens_to_not_with_old_orders():
    ada, drawn = factories.customer("ada"), definition(rich(factories.template().pk))
    factories.order(ada, placed_at=after(days=-400))
    past = replay.end(definition=drawn, now=NOW)
    assert past < after(days=-399)
    did(ada, "order", at=after(days=-3))  # nothing that this journey waits for
    assert replay.end(definition=drawn, now=NOW) == past
    did(ada, "cart", at=after(days=-200))
    assert replay.end(definition=drawn, now=NOW) == after(days=-200) + timedelta(seconds=1)
    did(ada, "view", at=after(days=-3))
    assert replay.end(definition=drawn, now=NOW) == NOW

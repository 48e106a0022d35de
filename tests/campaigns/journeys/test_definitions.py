"""What is wrong with a drawing is named by step and setting; what is right reads back as meant."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.journeys import checking, clock, definitions, matching
from campaigns.journeys.graph import Go, Position, Wait, step
from campaigns.segments.terms import where_of
from tests import factories
from tests.campaigns.journeys.drawn import CART, NOW, definition

LONDON = ZoneInfo("Europe/London")


def flaws(nodes, **parts):
    return [(flaw.node, flaw.field) for flaw in definitions.parse(definition(nodes, **parts))[1]]


def node(kind, **said):
    return {"cart": {**CART, "next": "it"}, "it": {"kind": kind, **said}}


@pytest.mark.parametrize(
    ("nodes", "found"),
    [
        ({"cart": CART}, [("cart", "next")]),
        ({"cart": {**CART, "next": "gone"}}, [("cart", "next")]),
        ({"it": {"kind": "exit"}}, [("it", "kind")]),
        (node("dance"), [("it", "kind")]),
        (node("wait_for", **{"for": {"hours": 0}}), [("it", "for")]),
        (node("wait_for", **{"for": {"days": 400}}), [("it", "for")]),
        (node("wait_for"), [("it", "for")]),
        (node("wait_local", at="25:00"), [("it", "at")]),
        (node("wait_until", at="09:00"), [("it", "date")]),
        (node("wait_until", at="09:00", date="2026-02-30"), [("it", "date"), ("it", "date")]),
        (node("exit", color="red"), [("it", "color")]),
        (node("exit", next="cart"), [("it", "next")]),
        (node("send", channel="pigeon", template=1), [("it", "channel")]),
        (node("notify", to="nobody", subject="x"), [("it", "to")]),
        (node("webhook", url="ftp://x"), [("it", "url")]),
        (
            node("split_percent", branches=[{"key": "a", "percent": 30},
                                            {"key": "b", "percent": 60}]),
            [("it", "branches")],
        ),
        (node("split_percent", branches=[{"key": "a", "percent": 100}]), [("it", "branches")]),
        (node("split_many", branches=[{"key": "a"}, {"key": "b"}]), [("it", "branches")]),
        (
            node("split_many", branches=[{"key": "a", "where": "total"}, {"key": "b"}]),
            [("it", "branches[0].where"), ("it", "branches")],
        ),
        (
            node("split_many", branches=[
                {"key": "a", "where": [{"property": "total", "op": ">", "value": 1}]},
                {"key": "b", "where": [{"property": "total", "op": ">", "value": 2}]},
            ]),
            [("it", "branches")],
        ),
        (node("split_rule", rule={}, branches=[{"key": "no"}, {"key": "yes"}]),
         [("it", "rule"), ("it", "branches")]),
        ({**node("exit"), "lost": {"kind": "exit"}}, [("lost", "")]),
        ({**node("exit"), "it": {**CART}}, [("it", "kind")]),
    ],
)  # fmt: skip
def test_each_flaw_is_named_by_step_and_setting(nodes, found):
    assert flaws(nodes) == found


def test_a_circle_without_a_wait_is_refused_and_one_with_a_wait_is_not():
    round_ = {
        "cart": {**CART, "next": "a"},
        "a": {"kind": "attribute", "name": "x", "value": 1, "next": "b"},
        "b": {"kind": "attribute", "name": "y", "value": 1, "next": "a"},
    }
    assert flaws(round_) == [("b", "next")]
    round_["b"] = {"kind": "wait_for", "for": {"days": 1}, "next": "a"}
    assert flaws(round_) == []


def test_a_message_cannot_stand_in_a_circle_since_it_goes_out_once_a_stay():
    nodes = {
        "cart": {**CART, "next": "mail"},
        "mail": {"kind": "send", "channel": "email", "template": 1, "next": "week"},
        "week": {"kind": "wait_for", "for": {"weeks": 1}, "next": "mail"},
    }
    assert flaws(nodes) == [("mail", "next")]


def test_parts_of_the_journey_are_checked_as_well():
    good = node("exit")
    assert flaws(good, goal={"event": "order"}, entry={"again": "after", "days": 3}) == []
    assert flaws(good, goal={}) == [("", "goal")]
    assert flaws(good, exits=[{"segment": 1, "event": "x"}]) == [("", "exits[0]")]
    assert flaws(good, entry={"again": "after"}) == [("", "entry.days")]
    assert flaws(good, caps={"per_day": 0}) == [("", "caps.per_day")]
    assert flaws(good, colour="red") == [("", "colour")]


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=3)
                    | st.dictionaries(st.sampled_from(["nodes", "start", "kind", "next", "branches",
                                                       "goal", "entry", "caps", "a"]),
                                      inner, max_size=4), max_leaves=12))  # fmt: skip
def test_no_definition_whatever_breaks_the_reader(data):
    graph, found = definitions.parse(data)
    assert graph is not None or found


@pytest.mark.django_db
def test_names_of_what_is_gone_are_found_before_it_goes_live():
    segment = factories.segment()
    nodes = {
        "start": {"kind": "segment_enter", "segment": segment.pk + 1, "next": "mail"},
        "mail": {"kind": "send", "channel": "email", "template": 999, "next": "list"},
        "list": {"kind": "list_add", "list": 999, "next": "score"},
        "score": {
            "kind": "split_score",
            "prediction": "nothing",
            "at_least": 1,
            "branches": [{"key": "above", "next": "rule"}, {"key": "below"}],
        },
        "rule": {
            "kind": "split_rule",
            "rule": {"field": "customer.shoe_size", "op": "=", "value": 4},
            "branches": [{"key": "yes"}, {"key": "no"}],
        },
    }
    found = checking.faults(definition(nodes, goal={"event": "order"}))
    assert {(one.node, one.field) for one in found if one.serious} == {
        ("start", "segment"),
        ("mail", "template"),
        ("list", "list"),
        ("score", "prediction"),
        ("rule", "rule"),
    }
    assert [(one.node, one.field) for one in found if not one.serious] == [("", "event")]


def test_a_wait_until_nine_is_nine_for_each_person():
    drawn = definition(node("wait_local", at="09:00", weekdays=["mon"]))
    graph = definitions.load(drawn)
    at = Position("it", NOW, ZoneInfo("Asia/Tokyo"), 1)
    assert step(graph, at, NOW) == Wait(datetime(2026, 11, 23, 0, 0, tzinfo=UTC))


def test_hours_of_a_night_that_has_them_twice_or_not_at_all():
    spring, autumn = date(2026, 3, 29), date(2026, 10, 25)
    assert clock.at(spring, time(1, 30), LONDON) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert clock.at(autumn, time(1, 30), LONDON) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    after_first = datetime(2026, 10, 25, 0, 31, tzinfo=UTC)
    assert clock.next_hour(after_first, time(1, 30), LONDON) == datetime(
        2026, 10, 26, 1, 30, tzinfo=UTC
    )


@given(
    st.timedeltas(timedelta(0), timedelta(days=3650)),
    st.times(),
    st.sampled_from(["Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]),
)
def test_the_next_hour_is_never_before_and_never_more_than_two_days_away(moment, hour, zone):
    after = datetime(2020, 1, 1, tzinfo=UTC) + moment
    found = clock.next_hour(after, hour.replace(second=0, microsecond=0), ZoneInfo(zone))
    assert after <= found <= after + timedelta(days=2)


def test_who_was_born_on_29_february_has_a_birthday_each_year():
    born = date(2004, 2, 29)
    assert [clock.anniversary(born, year) for year in (2027, 2028)] == [
        date(2027, 2, 28),
        date(2028, 2, 29),
    ]
    after = datetime(2027, 2, 28, 12, tzinfo=UTC)
    assert clock.next_anniversary(after, born, time(9), LONDON) == datetime(
        2028, 2, 29, 9, tzinfo=UTC
    )


def test_shares_keep_everybody_on_their_side_and_come_out_as_drawn():
    drawn = definition(
        node("split_percent", branches=[{"key": "a", "percent": 20, "next": "x"},
                                        {"key": "b", "percent": 80, "next": "y"}])
        | {"x": {"kind": "exit"}, "y": {"kind": "exit"}}
    )  # fmt: skip
    graph = definitions.load(drawn)
    went = [
        step(graph, Position("it", NOW, LONDON, unit, "journey:1"), NOW) for unit in range(5000)
    ]
    assert went[7] == step(graph, Position("it", NOW, LONDON, 7, "journey:1"), NOW)
    assert all(isinstance(one, Go) for one in went)
    assert 900 < sum(one.branch == "a" for one in went) < 1100


@pytest.mark.parametrize(
    ("op", "value", "said", "holds"),
    [
        ("=", "red", "red", True),
        ("=", "red", None, False),
        ("!=", "red", "blue", True),
        ("!=", "red", None, False),
        (">=", 10, 10.0, True),
        (">=", 10, "10", False),
        ("!=", 10, "10", True),
        ("=", 1, True, False),
        ("=", True, True, True),
        ("contains", "RE", "a red one", True),
        ("<", 5, 4, True),
    ],
)
def test_an_event_is_tested_as_a_rule_would_test_it(op, value, said, holds):
    test = where_of({"property": "colour", "op": op, "value": value}, "")
    assert matching.passes((test,), {} if said is None else {"colour": said}) is holds

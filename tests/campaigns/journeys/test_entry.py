"""People come in by segments, by days of their own and by the clock, each cause once."""

from datetime import UTC, datetime, timedelta

import pytest

from campaigns.journeys import dates, versions
from campaigns.models import Enrollment, SegmentMember, SegmentMove
from campaigns.segments import definitions, upkeep
from marketing.core.errors import Conflict, Invalid
from tests import factories
from tests.campaigns.journeys.drawn import CART, NOW, after, definition, did, live, log, look, stay

pytestmark = pytest.mark.django_db
OUT = {"kind": "exit"}
DAY = {"kind": "wait_for", "for": {"days": 30}, "next": "out"}


def entered() -> list[tuple[str, str]]:
    rows = Enrollment.objects.order_by("entered_at", "customer_id")
    return [(one.customer.first_name, one.entered_at.isoformat()[:16]) for one in rows]


def test_who_enters_a_segment_comes_in_and_who_leaves_it_goes():
    segment = definitions.save(
        name="British", rule={"field": "customer.country", "op": "=", "value": "GB"}, actor=None
    )
    ada, ben = factories.customer("ada", country="FR"), factories.customer("ben")
    upkeep.refresh(now=NOW)
    live(
        {
            "start": {"kind": "segment_enter", "segment": segment.pk, "next": "wait"},
            "wait": DAY,
            "out": OUT,
        },
        exits=[{"segment": segment.pk, "entered": False}],
    )
    type(ada).objects.filter(pk=ada.pk).update(country="GB")
    upkeep.refresh(now=after(minutes=5))
    look(after(minutes=5))
    assert entered() == [("Ada", "2026-11-22T09:05")]
    type(ada).objects.filter(pk=ada.pk).update(country="FR")
    upkeep.refresh(now=after(minutes=9))
    look(after(minutes=9))
    assert stay(ada).outcome == "exit"
    assert log() == [("start", "", ""), ("wait", "", "exit")]
    assert SegmentMember.objects.filter(customer=ben).exists()


def test_a_changed_rule_brings_nobody_in():
    segment = factories.segment(rule={"field": "customer.country", "op": "=", "value": "GB"})
    live({"start": {"kind": "segment_enter", "segment": segment.pk, "next": "out"}, "out": OUT})
    ada = factories.customer("ada")
    SegmentMove.objects.create(
        segment=segment, customer=ada, entered=True, at=after(minutes=1), cause="rule"
    )
    look(after(minutes=2))
    assert not Enrollment.objects.exists()


def test_who_is_in_the_segment_at_publishing_comes_in_where_that_is_wanted():
    segment = definitions.save(
        name="British", rule={"field": "customer.country", "op": "=", "value": "GB"}, actor=None
    )
    factories.customer("ada")
    factories.customer("ben", country="FR")
    upkeep.refresh(now=NOW)
    live(
        {
            "start": {
                "kind": "segment_enter",
                "segment": segment.pk,
                "already": True,
                "next": "out",
            },
            "out": OUT,
        }
    )
    dates.look(now=after(minutes=1))
    dates.look(now=after(minutes=2))
    assert entered() == [("Ada", "2026-11-22T09:00")]


def test_a_birthday_begins_in_the_morning_where_somebody_lives():
    born = {"birthday": "1990-11-23"}
    factories.customer("tokyo", attributes=born, timezone="Asia/Tokyo")
    factories.customer("york", attributes=born, timezone="America/New_York")
    factories.customer("other", attributes={"birthday": "1990-11-25"})
    factories.customer("strange", attributes={"birthday": "soon"})
    live(
        {"start": {"kind": "date", "attribute": "birthday", "at": "09:00", "next": "out"},
         "out": OUT},
        entry={"again": "always"},
    )  # fmt: skip
    for hours in range(1, 40):
        dates.look(now=after(hours=hours))
        dates.look(now=after(hours=hours))
    assert entered() == [("Tokyo", "2026-11-23T00:00"), ("York", "2026-11-23T14:00")]


def test_a_birthday_on_29_february_is_the_28th_where_there_is_no_29th():
    ada = factories.customer("ada", attributes={"birthday": "2004-02-29"}, timezone="UTC")
    begins = datetime(2027, 2, 27, 12, tzinfo=UTC)
    live(
        {"start": {"kind": "date", "attribute": "birthday", "at": "09:00", "next": "out"},
         "out": OUT},
        at=begins,
    )  # fmt: skip
    for hours in range(0, 72, 2):
        dates.look(now=begins + timedelta(hours=hours, minutes=1))
    assert [one.entered_at.date().isoformat() for one in Enrollment.objects.all()] == ["2027-02-28"]
    assert stay(ada).key.endswith("2027-02-28")


def test_days_before_a_day_of_theirs_once():
    factories.customer("ada", attributes={"renewal": "2026-11-30"}, timezone="UTC")
    live(
        {
            "start": {
                "kind": "date",
                "attribute": "renewal",
                "at": "10:00",
                "days": -7,
                "every": "once",
                "next": "out",
            },
            "out": OUT,
        }
    )
    for hours in range(60):
        dates.look(now=after(hours=hours, minutes=1))
    assert entered() == [("Ada", "2026-11-23T10:00")]


def test_everybody_of_a_segment_comes_in_each_week_at_its_hour():
    segment = factories.segment(rule={"field": "customer.country", "op": "=", "value": "GB"})
    factories.customer("ada")
    factories.customer("ben", country="FR")
    live(
        {
            "start": {
                "kind": "schedule",
                "segment": segment.pk,
                "at": "10:00",
                "every": "week",
                "weekdays": ["mon"],
                "next": "out",
            },
            "out": OUT,
        },
        entry={"again": "always"},
    )
    for hours in range(0, 24 * 9, 3):
        dates.look(now=after(hours=hours, minutes=7))
        look(after(hours=hours, minutes=7))
    assert [name for name, _at in entered()] == ["Ada", "Ada"]
    assert {at[:10] for _name, at in entered()} == {"2026-11-23", "2026-11-30"}


def test_a_standstill_of_days_congratulates_nobody_late():
    factories.customer("ada", attributes={"birthday": "1990-11-23"}, timezone="UTC")
    live(
        {"start": {"kind": "date", "attribute": "birthday", "at": "09:00", "next": "out"},
         "out": OUT},
    )  # fmt: skip
    dates.look(now=after(days=3))
    assert not Enrollment.objects.exists()


def test_one_journey_leads_into_another():
    after_care = live(
        {"start": {"kind": "api", "next": "wait"}, "wait": DAY, "out": OUT}, name="After care"
    )
    live(
        {
            "cart": {**CART, "next": "care"},
            "care": {"kind": "start_journey", "journey": after_care.journey_id},
        }
    )
    ada = factories.customer("ada")
    did(ada, "cart", at=after(minutes=1), total=30)
    look(after(minutes=1))
    there = Enrollment.objects.get(journey=after_care.journey_id)
    assert (there.customer, there.node, there.context) == (ada, "wait", {"total": 30})


def test_a_draft_with_faults_does_not_go_live_and_a_live_journey_is_not_deleted():
    journey = versions.create(
        name="Hello", definition=definition({"cart": CART}), user=None, now=NOW
    )
    with pytest.raises(Invalid, match="cannot go live yet: Nothing happens yet"):
        versions.publish(journey_id=journey.pk, user=None, now=NOW)
    assert not journey.versions.exists()
    versions.save_draft(
        journey_id=journey.pk,
        definition=definition({"cart": {**CART, "next": "out"}, "out": OUT}),
        user=None,
        now=NOW,
    )
    versions.publish(journey_id=journey.pk, user=None, now=NOW)
    with pytest.raises(Conflict, match="is kept"):
        versions.discard(journey_id=journey.pk, user=None, now=NOW)


def test_an_older_version_closes_when_everybody_is_through():
    nodes = {"cart": {**CART, "next": "wait"}, "wait": DAY, "out": OUT}
    first = live(nodes)
    ada = factories.customer("ada")
    did(ada, "cart", at=after(minutes=1))
    look(after(minutes=1))
    versions.save_draft(
        journey_id=first.journey_id,
        definition=definition(nodes, caps={"per_day": 5}),
        user=None,
        now=after(minutes=2),
    )
    versions.publish(journey_id=first.journey_id, user=None, now=after(minutes=2))
    assert versions.retire(now=after(days=1)) == 0
    look(after(days=31))
    assert stay(ada).outcome == "exit"
    assert versions.retire(now=after(days=32)) == 1
    first.refresh_from_db()
    assert (first.state, first.run.state) == ("closed", "finished")

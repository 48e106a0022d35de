"""People walk through journeys: each step once, each message once, whatever the moment."""

from datetime import timedelta
from email import message_from_bytes, policy

import pytest

from campaigns.journeys import former_people, runner, triggers, versions
from campaigns.messaging import delivery
from campaigns.models import Enrollment, JourneyStep, JourneyTally, Message, Run
from campaigns.recipients import audience, holdouts
from ingestion import events
from ingestion.models import Customer
from marketing.core.errors import Invalid
from tests import factories
from tests.campaigns.journeys.drawn import CART, NOW, after, did, live, log, look, stay

pytestmark = pytest.mark.django_db


@pytest.fixture
def mail():
    return factories.template().pk


@pytest.fixture
def rescue(mail):
    """Whoever leaves a basket gets a mail an hour later, unless they ordered."""
    return live(
        {
            "cart": {**CART, "next": "pause"},
            "pause": {"kind": "wait_for", "for": {"hours": 1}, "next": "mail"},
            "mail": {"kind": "send", "channel": "email", "template": mail},
        },
        goal={"event": "order"},
    )


def test_somebody_who_leaves_a_basket_gets_one_mail_an_hour_later(rescue):
    ada = factories.customer("ada")
    did(ada, "cart", at=after(minutes=1))
    look(after(minutes=1))
    assert stay(ada).node == "pause"
    assert stay(ada).wake_at == after(minutes=61)
    look(after(minutes=60))
    assert not Message.objects.exists()
    look(after(minutes=61))
    message = Message.objects.get()
    assert (message.customer, message.step, message.entry) == (ada, "mail", stay(ada).pk)
    assert (message.run_id, message.state, message.address) == (
        rescue.run_id,
        "queued",
        "ada@example.com",
    )
    assert stay(ada).outcome == "finished"
    assert log() == [("cart", "", ""), ("pause", "", ""), ("mail", "", "finished")]
    look(after(minutes=62))
    assert Message.objects.count() == 1


def test_an_order_in_the_meantime_is_the_goal_and_ends_the_stay(rescue):
    ada = factories.customer("ada")
    did(ada, "cart", at=after(minutes=1))
    look(after(minutes=1))
    did(ada, "order", at=after(minutes=30))
    look(after(hours=2))
    assert not Message.objects.exists()
    assert (stay(ada).outcome, stay(ada).goal_at) == ("goal", after(minutes=30))
    assert log() == [("cart", "", ""), ("pause", "", "goal")]


def test_a_basket_from_before_the_journey_went_live_brings_nobody_in(rescue):
    ada = factories.customer("ada")
    did(ada, "cart", at=after(minutes=-5))
    look(after(minutes=1))
    assert not Enrollment.objects.exists()


def test_a_history_that_is_imported_starts_no_journeys(rescue):
    ada = factories.customer("ada")
    old = events.Incoming(
        type="cart", at=after(days=-3), message_id="old", customer_id=ada.pk, properties={}
    )
    events.record(batch=[old], source="shop", now=after(minutes=1))
    look(after(minutes=2))
    assert not Enrollment.objects.exists()


def test_an_event_counts_once_however_often_it_is_looked_at(mail):
    live({"cart": {**CART, "next": "out"}, "out": {"kind": "exit"}}, entry={"again": "always"})
    ada = factories.customer("ada")
    did(ada, "cart", at=after(minutes=1))
    for minute in (1, 2, 3):
        look(after(minutes=minute))
    assert Enrollment.objects.count() == 1
    did(ada, "cart", at=after(minutes=4))
    look(after(minutes=4))
    assert Enrollment.objects.count() == 2
    assert not JourneyTally.objects.exists()


def test_who_is_inside_or_was_there_lately_is_turned_away_and_counted(mail):
    live(
        {
            "cart": {**CART, "next": "pause"},
            "pause": {"kind": "wait_for", "for": {"hours": 1}},
        },
        entry={"again": "after", "days": 30},
    )
    ada = factories.customer("ada")
    for minutes in (1, 10, 120):
        look(after(minutes=minutes))
        did(ada, "cart", at=after(minutes=minutes))
        look(after(minutes=minutes))
    assert Enrollment.objects.count() == 1
    counted = dict(JourneyTally.objects.values_list("reason", "people"))
    assert counted == {"inside": 1, "again": 1}
    did(ada, "cart", at=after(days=31))
    look(after(days=31))
    assert Enrollment.objects.count() == 2


def test_each_booking_has_a_stay_of_its_own_and_hears_of_itself_alone():
    live(
        {
            "booked": {"kind": "event", "event": "booked", "next": "wait"},
            "wait": {
                "kind": "wait_event",
                "event": "cancelled",
                "for": {"days": 2},
                "branches": [{"key": "happened"}, {"key": "timeout"}],
            },
        },
        entry={"again": "always", "key": "booking"},
    )
    ada = factories.customer("ada")
    did(ada, "booked", at=after(minutes=1), id="a", booking="A1")
    did(ada, "booked", at=after(minutes=1), id="b", booking="B2")
    look(after(minutes=1))
    did(ada, "cancelled", at=after(hours=1), booking="B2")
    look(after(hours=1))
    ends = dict(Enrollment.objects.values_list("slot", "outcome"))
    assert ends == {"A1": "", "B2": "finished"}
    look(after(days=2, minutes=1))
    assert log() == [
        ("booked", "", ""),
        ("wait", "timeout", "finished"),
        ("booked", "", ""),
        ("wait", "happened", "finished"),
    ]


def test_everybody_at_a_split_goes_the_way_that_is_true_of_them(mail):
    live(
        {
            "cart": {**CART, "next": "asked"},
            "asked": {
                "kind": "split_many",
                "branches": [
                    {
                        "key": "uk",
                        "rule": {"field": "customer.country", "op": "=", "value": "GB"},
                        "next": "note",
                    },
                    {
                        "key": "de",
                        "rule": {"field": "customer.country", "op": "=", "value": "DE"},
                    },
                    {"key": "rest"},
                ],
            },
            "note": {"kind": "attribute", "name": "seen", "value": "yes", "next": "again"},
            "again": {
                "kind": "split_rule",
                "rule": {"attribute": "seen", "op": "=", "value": "yes"},
                "branches": [{"key": "yes"}, {"key": "no"}],
            },
        }
    )
    ada, ben, cleo = (
        factories.customer(name, country=country)
        for name, country in (("ada", "GB"), ("ben", "DE"), ("cleo", "FR"))
    )
    for person in (ada, ben, cleo):
        did(person, "cart", at=after(minutes=1))
    look(after(minutes=1))
    assert log() == [
        ("cart", "", ""),
        ("asked", "uk", ""),
        ("note", "", ""),
        ("again", "yes", "finished"),
        ("cart", "", ""),
        ("asked", "de", "finished"),
        ("cart", "", ""),
        ("asked", "rest", "finished"),
    ]
    ada.refresh_from_db()
    assert ada.attributes == {"seen": "yes"}


def test_a_split_of_many_ways_asks_the_event_the_person_or_both():
    total = {"property": "total", "op": ">=", "value": 100}
    british = {"field": "customer.country", "op": "=", "value": "GB"}
    live(
        {
            "cart": {**CART, "next": "asked"},
            "asked": {
                "kind": "split_many",
                "branches": [
                    {"key": "both", "rule": british, "where": [total]},
                    {"key": "rich", "where": [total]},
                    {"key": "uk", "rule": british},
                    {"key": "rest"},
                ],
            },
        },
        entry={"again": "always", "key": "booking"},
    )
    ada, ben = factories.customer("ada", country="GB"), factories.customer("ben", country="DE")
    for person, booking, worth in (
        (ada, "A1", 120),
        (ada, "A2", 20),  # the same person at the same step by another event
        (ben, "B1", 120),
        (ben, "B2", 20),
    ):
        did(person, "cart", at=after(minutes=1), id=booking, booking=booking, total=worth)
    look(after(minutes=1))
    went = JourneyStep.objects.filter(node="asked")
    assert dict(went.values_list("enrollment__slot", "branch")) == {
        "A1": "both",
        "A2": "uk",
        "B1": "rich",
        "B2": "rest",
    }


def test_a_pause_of_days_does_not_squeeze_two_mails_into_one_moment(mail):
    version = live(
        {
            "cart": {**CART, "next": "day"},
            "day": {"kind": "wait_for", "for": {"days": 1}, "next": "one"},
            "one": {"kind": "send", "channel": "email", "template": mail, "next": "more"},
            "more": {"kind": "wait_for", "for": {"days": 1}, "next": "two"},
            "two": {"kind": "send", "channel": "email", "template": mail},
        }
    )
    ada = factories.customer("ada")
    did(ada, "cart", at=after(minutes=1))
    look(after(minutes=1))
    versions.pause(journey_id=version.journey_id, user=None, now=after(hours=1))
    look(after(days=3))
    assert not Message.objects.exists()
    versions.resume(journey_id=version.journey_id, user=None, now=after(days=5))
    look(after(days=5))
    assert list(Message.objects.values_list("step", flat=True)) == ["one"]
    assert stay(ada).wake_at == after(days=6)


def test_nobody_comes_in_beyond_the_cap_of_a_day():
    live(
        {"cart": {**CART, "next": "out"}, "out": {"kind": "exit"}},
        caps={"per_day": 3},
    )
    people = [factories.customer() for _ in range(5)]
    for person in people:
        did(person, "cart", at=after(minutes=1))
    look(after(minutes=1))
    assert Enrollment.objects.count() == 3
    assert dict(JourneyTally.objects.values_list("reason", "people")) == {"capped": 2}
    did(people[4], "cart", at=after(days=1))
    look(after(days=1))
    assert Enrollment.objects.count() == 4


def test_closing_a_journey_ends_every_stay_and_sends_nothing_that_waits(rescue):
    ada, ben = factories.customer("ada"), factories.customer("ben")
    did(ada, "cart", at=after(minutes=1))
    look(after(minutes=1))
    look(after(minutes=61))
    did(ben, "cart", at=after(minutes=90))
    look(after(minutes=90))
    versions.close(journey_id=rescue.journey_id, user=None, now=after(minutes=95))
    assert stay(ben).outcome == "closed"
    assert stay(ada).outcome == "finished"
    message = Message.objects.get()
    assert (message.state, message.reason) == ("skipped", "cancelled")
    assert Run.objects.get(pk=rescue.run_id).state == "cancelled"
    did(ben, "cart", at=after(minutes=96))
    look(after(minutes=96))
    assert Enrollment.objects.count() == 2


def test_people_stay_on_their_version_until_they_are_moved_on_purpose(rescue, mail):
    ada, ben = factories.customer("ada"), factories.customer("ben")
    did(ada, "cart", at=after(minutes=1))
    look(after(minutes=1))
    versions.save_draft(
        journey_id=rescue.journey_id,
        definition={
            "start": "cart",
            "nodes": {
                "cart": {**CART, "next": "longer"},
                "longer": {"kind": "wait_for", "for": {"hours": 3}},
            },
        },
        user=None,
        now=after(minutes=5),
    )
    new = versions.publish(journey_id=rescue.journey_id, user=None, now=after(minutes=5))
    did(ben, "cart", at=after(minutes=6))
    look(after(minutes=6))
    assert (stay(ada).version, stay(ben).version) == (rescue, new)
    with pytest.raises(Invalid, match="no such step: pause"):
        versions.move_people(
            version_id=rescue.pk, to_version_id=new.pk, user=None, now=after(minutes=7)
        )
    assert stay(ada).version == rescue
    moved = versions.move_people(
        version_id=rescue.pk,
        to_version_id=new.pk,
        mapping={"pause": "longer"},
        user=None,
        now=after(minutes=7),
    )
    assert moved == 1
    look(after(minutes=8))
    assert (stay(ada).version, stay(ada).wake_at) == (new, after(minutes=187))


def test_what_reaches_the_outside_is_a_row_of_the_ledger(mail):
    version = live(
        {
            "cart": {**CART, "next": "call"},
            "call": {"kind": "webhook", "url": "https://crm.example/hook", "next": "tell"},
            "tell": {
                "kind": "notify",
                "to": "team@shop.example",
                "subject": "{{ first_name }} left a basket",
            },
        }
    )
    ada = factories.customer("ada")
    did(ada, "cart", at=after(minutes=1))
    look(after(minutes=1))
    rows = Message.objects.order_by("id").values_list("channel", "step", "address", "state")
    assert list(rows) == [
        ("webhook", "call", "", "queued"),
        ("staff", "tell", "team@shop.example", "queued"),
    ]
    contents = version.run.snapshot["contents"]
    assert contents["call:a"]["template"]["parts"]["url"] == "https://crm.example/hook"
    assert contents["tell:a"]["template"]["subject"] == "{{ first_name }} left a basket"


def test_somebody_found_to_be_somebody_already_inside_leaves_once(rescue):
    ada, twin = factories.customer("ada"), factories.customer("twin")
    for person in (ada, twin):
        did(person, "cart", at=after(minutes=1))
    look(after(minutes=1))
    Customer.every.filter(pk=twin.pk).update(merged_into=ada)
    former_people.follow(customer_ids=[twin.pk], now=after(minutes=2))
    assert (stay(twin).outcome, stay(ada).outcome) == ("merged", "")
    look(after(minutes=61))
    assert Message.objects.count() == 1


def test_two_that_look_at_once_bring_nobody_in_twice(rescue):
    ada = factories.customer("ada")
    did(ada, "cart", at=after(minutes=1))
    first = triggers.react(now=after(minutes=1))
    second = triggers.react(now=after(minutes=1))
    assert (first.entered, second.entered) == (1, 0)
    assert runner.wake(now=after(minutes=1)).people == 1


def test_a_lateness_of_minutes_does_not_move_the_next_wait():
    live(
        {
            "cart": {**CART, "next": "one"},
            "one": {"kind": "wait_for", "for": {"hours": 1}, "next": "two"},
            "two": {"kind": "wait_for", "for": {"hours": 1}},
        }
    )
    ada = factories.customer("ada")
    did(ada, "cart", at=after(minutes=1))
    look(after(minutes=1) + timedelta(seconds=3))
    look(after(minutes=61) + timedelta(seconds=40))
    assert stay(ada).wake_at == NOW + timedelta(minutes=121)


def test_word_to_colleagues_goes_to_them_and_lets_nobody_unsubscribe_another(postbox):
    version = live(
        {
            "cart": {**CART, "next": "tell"},
            "tell": {
                "kind": "notify",
                "to": "team@shop.example",
                "subject": "{{ first_name }} left a basket",
                "text": 'Call <now>: {{ email|default("nobody") }}',
            },
        }
    )
    ada = factories.customer("ada", consent=None)
    did(ada, "cart", at=after(minutes=1))
    look(after(minutes=1))
    delivery.deliver(run_id=version.run_id)
    ((address, mail),) = postbox.mails
    read = message_from_bytes(mail, policy=policy.default)
    assert address == "team@shop.example"
    assert (read["To"], read["Subject"]) == ("team@shop.example", "Ada left a basket")
    assert read["List-Unsubscribe"] is None
    assert "Call &lt;now&gt;: ada@example.com" in read.get_body(("html",)).get_content()
    assert Message.objects.get().state == "sent"
    version.run.refresh_from_db()
    assert version.run.state == "running"


def test_a_click_of_a_link_scanner_is_no_deed_of_anybody():
    live(
        {"in": {"kind": "event", "event": "email_clicked", "next": "out"}, "out": {"kind": "exit"}}
    )
    ada = factories.customer("ada")
    for name, machine in (("m", True), ("h", False)):
        events.record(
            batch=[
                events.Incoming(
                    type="email_clicked",
                    at=after(minutes=1),
                    message_id=name,
                    customer_id=ada.pk,
                    properties={"machine": machine},
                )
            ],
            source="campaigns",
            now=after(minutes=1),
        )
        look(after(minutes=1))
        assert Enrollment.objects.count() == (0 if machine else 1)


def test_whoever_is_kept_out_of_everything_walks_on_and_is_sent_nothing(rescue):
    holdouts.keep(percent=20, user=None, now=NOW)
    everybody = [factories.customer() for _ in range(30)]
    for person in everybody:
        did(person, "cart", at=after(minutes=1))
    look(after(minutes=1))
    look(after(minutes=62))
    kept = audience.kept_out({person.pk for person in everybody})
    assert 0 < len(kept) < 30
    skipped = Message.objects.filter(state="skipped", reason="global_holdout")
    assert set(skipped.values_list("customer_id", flat=True)) == kept
    assert Message.objects.filter(state="queued").count() == 30 - len(kept)
    assert Enrollment.objects.filter(outcome="finished").count() == 30

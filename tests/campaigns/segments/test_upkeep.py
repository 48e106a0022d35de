"""Stored membership is the rule's, moves tell how it came about, and time alone moves people."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns.models import (
    Message,
    PersonList,
    PersonListMember,
    Segment,
    SegmentLevel,
    SegmentMember,
    SegmentMove,
    SegmentSize,
    SegmentUpkeep,
)
from campaigns.segments import compile as compiler
from campaigns.segments import definitions, history, membership, moves, rulebook, upkeep
from ingestion import changes, consent, erasure, events, rollups
from ingestion.identity import merging
from ingestion.models import Change, Customer, OrderLine, Product
from models_ml.models import Traits
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db

BRITISH = {"field": "customer.country", "op": "=", "value": "GB"}
LATELY = {"bought": {"any": True}, "days": 30}
MINUTE = timedelta(minutes=1)


def stored(segment: Segment) -> set[int]:
    return set(SegmentMember.objects.filter(segment=segment).values_list("customer_id", flat=True))


def seen() -> None:
    """What a transaction wrote itself it is told again; other transactions are told it once."""
    Change.objects.all().delete()


def told(segment: Segment) -> list[tuple[int, bool, str]]:
    return [
        (move.customer_id, move.entered, move.cause) for move in moves.since(segment_id=segment.pk)
    ]


def replayed(segment: Segment) -> set[int]:
    inside: set[int] = set()
    for move in moves.since(segment_id=segment.pk, limit=100_000):
        assert (move.customer_id in inside) != move.entered, "a move that moved nobody"
        inside.symmetric_difference_update({move.customer_id})
    return inside


def test_a_new_segment_is_filled_and_everybody_enters_by_its_rule() -> None:
    ada, _ben = factories.customer("ada"), factories.customer("ben", country="FR")
    segment = factories.segment("British", BRITISH)
    done = upkeep.refresh(now=NOW)
    assert (done.rebuilt, done.entered, done.left) == (1, 1, 0)
    assert stored(segment) == {ada.pk}
    assert told(segment) == [(ada.pk, True, "rule")]
    segment.refresh_from_db()
    assert (segment.size, segment.counted_at) == (1, NOW)
    assert SegmentSize.objects.filter(segment=segment).count() == 1


def test_whoever_changes_enters_and_leaves_and_nobody_else_is_looked_at() -> None:
    ada, ben = factories.customer("ada"), factories.customer("ben", country="FR")
    segment = factories.segment("British", BRITISH)
    upkeep.refresh(now=NOW)
    Customer.objects.filter(pk=ben.pk).update(country="GB")
    done = upkeep.refresh(now=NOW + MINUTE)
    assert (done.rebuilt, done.entered, done.left) == (0, 1, 0)
    Customer.objects.filter(pk=ada.pk).update(country="IE")
    upkeep.refresh(now=NOW + 2 * MINUTE)
    assert stored(segment) == {ben.pk}
    assert told(segment)[1:] == [(ben.pk, True, "change"), (ada.pk, False, "change")]
    member = SegmentMember.objects.get(segment=segment, customer=ben)
    assert member.since == NOW + MINUTE


def test_doing_it_again_changes_nothing_and_tells_nothing() -> None:
    factories.customer("ada")
    segment = factories.segment("British", BRITISH)
    for _again in range(3):
        upkeep.refresh(now=NOW)
    assert len(told(segment)) == 1
    SegmentLevel.objects.update(position="1:1:")
    done = upkeep.refresh(now=NOW)
    assert (done.entered, done.left, len(told(segment))) == (0, 0, 1)


def test_a_new_rule_moves_people_by_the_rule_also_where_another_segment_names_it() -> None:
    ada, ben = factories.customer("ada"), factories.customer("ben", country="FR")
    named = factories.segment("British", BRITISH)
    naming = factories.segment("Not British", {"not": {"in_segment": named.pk}})
    upkeep.refresh(now=NOW)
    assert (stored(named), stored(naming)) == ({ada.pk}, {ben.pk})
    definitions.save(
        name="French",
        rule={"field": "customer.country", "op": "=", "value": "FR"},
        actor=None,
        segment=named,
        now=NOW,
    )
    upkeep.refresh(now=NOW + MINUTE)
    assert (stored(named), stored(naming)) == ({ben.pk}, {ada.pk})
    assert told(naming)[1:] == [(ada.pk, True, "rule"), (ben.pk, False, "rule")]


def test_named_segments_come_before_those_that_name_them() -> None:
    last = factories.segment("last", BRITISH)
    middle = factories.segment("middle", {"in_segment": last.pk})
    Segment.objects.filter(pk=last.pk).update(rule={"in_segment": middle.pk})
    first = factories.segment("first", BRITISH)
    Segment.objects.filter(pk=last.pk).update(rule={"in_segment": first.pk})
    assert rulebook.load().order == [first.pk, last.pk, middle.pk]


def test_no_order_for_30_days_begins_when_it_becomes_true() -> None:
    ada, ben = factories.customer("ada"), factories.customer("ben")
    factories.order(ada, placed_at=NOW - timedelta(days=30) + timedelta(seconds=90))
    factories.order(ben, placed_at=NOW)  # the shop still sells
    quiet = factories.segment("Quiet", {"not": LATELY})
    recent = factories.segment("Recent", LATELY)
    upkeep.refresh(now=NOW)
    seen()
    upkeep.refresh(now=NOW + MINUTE)
    assert (stored(quiet), stored(recent)) == (set(), {ada.pk, ben.pk})
    done = upkeep.refresh(now=NOW + 2 * MINUTE)
    assert done.rebuilt == 0
    assert (stored(quiet), stored(recent)) == ({ada.pk}, {ben.pk})
    assert told(quiet) == [(ada.pk, True, "time")]
    assert told(recent)[2:] == [(ada.pk, False, "time")]


def test_an_event_grows_old_while_others_come_in() -> None:
    ada = factories.customer("ada")
    segment = factories.segment("Looked", {"did": "page", "at_least": 2, "days": 7})
    edge = NOW - timedelta(days=7) + timedelta(seconds=30)
    for number, at in enumerate((edge, NOW)):
        events.record(
            batch=[
                {"type": "page", "customer_id": ada.pk, "at": at, "message_id": str(number)},
            ],
            source="shop",
            now=NOW,
        )
    upkeep.refresh(now=NOW)
    assert stored(segment) == {ada.pk}
    upkeep.refresh(now=NOW + MINUTE)
    assert stored(segment) == set()
    events.record(
        batch=[{"type": "page", "customer_id": ada.pk, "at": NOW, "message_id": "3"}],
        source="shop",
        now=NOW + MINUTE,
    )
    upkeep.refresh(now=NOW + MINUTE)
    assert stored(segment) == {ada.pk}
    assert replayed(segment) == {ada.pk}


def test_an_answer_that_runs_out_takes_its_person_out() -> None:
    now = factories.now()
    ada = factories.customer("ada", consent=None)
    consent.grant(
        customer_ids=[ada.pk],
        source="form",
        proof={"form": 1},
        expires_at=now + timedelta(seconds=1),
        now=now - timedelta(days=1),
    )
    segment = factories.segment("Reachable", {"field": "can_email", "op": "=", "value": True})
    upkeep.refresh(now=now)
    assert stored(segment) == {ada.pk}
    with connection.cursor() as cursor:  # as if the database's clock had gone on
        cursor.execute("UPDATE ingestion_consent SET expires_at = now() - interval '1 second'")
        cursor.execute("DELETE FROM ingestion_change")
    upkeep.refresh(now=now + MINUTE)
    assert stored(segment) == set()


def test_a_suppressed_address_leaves_and_a_lifted_one_comes_back() -> None:
    ada = factories.customer("ada")
    segment = factories.segment("Reachable", {"field": "can_email", "op": "=", "value": True})
    upkeep.refresh(now=NOW)
    consent.suppress(addresses=[ada.email or ""], reason="bounced", now=NOW)
    upkeep.refresh(now=NOW)
    assert stored(segment) == set()
    consent.lift(address=ada.email or "")
    upkeep.refresh(now=NOW)
    assert stored(segment) == {ada.pk}


def test_merged_people_leave_and_come_back_when_the_merge_is_undone() -> None:
    ada, ben = factories.customer("ada"), factories.customer("ben")
    factories.order(ben, days_ago=3)
    segment = factories.segment("Buyers", LATELY)
    upkeep.refresh(now=NOW)
    assert stored(segment) == {ben.pk}
    merging.merge(kept=ada.pk, gone=ben.pk, actor=None, now=NOW)
    upkeep.refresh(now=NOW)
    assert stored(segment) == {ada.pk}
    merging.undo(merge_id=ada.merges.get().pk, actor=None, now=NOW)
    upkeep.refresh(now=NOW)
    assert stored(segment) == {ben.pk}
    assert replayed(segment) == {ben.pk}


def test_new_numbers_of_everybody_are_looked_at_once_they_are_told() -> None:
    ada = factories.customer("ada")
    factories.traits(ada, orders=2)
    segment = factories.segment("Loyal", {"field": "traits.orders", "op": ">=", "value": 3})
    upkeep.refresh(now=NOW)
    Traits.objects.update(orders=4)
    changes.note(kind=changes.TRAITS, people=None)
    done = upkeep.refresh(now=NOW)
    assert (done.rebuilt, stored(segment)) == (1, {ada.pk})
    assert told(segment) == [(ada.pk, True, "change")]


def test_a_product_that_changes_its_category_moves_its_buyers() -> None:
    ada = factories.customer("ada")
    factories.order(ada, lines=[(factories.product("TEAPOT", category="Kitchen"), 1)])
    segment = factories.segment("Tea", {"bought": {"category": "Tea"}})
    upkeep.refresh(now=NOW)
    assert stored(segment) == set()
    Product.objects.update(category="Tea")
    upkeep.refresh(now=NOW)
    assert stored(segment) == {ada.pk}
    assert OrderLine.objects.count() == 1


def test_an_archived_segment_lets_everybody_go() -> None:
    ada = factories.customer("ada")
    segment = factories.segment("British", BRITISH)
    upkeep.refresh(now=NOW)
    definitions.archive(segment=segment, actor=None, now=NOW)
    upkeep.refresh(now=NOW)
    assert (stored(segment), replayed(segment)) == (set(), set())
    assert told(segment) == [(ada.pk, True, "rule"), (ada.pk, False, "rule")]
    assert not SegmentUpkeep.objects.filter(segment=segment).exists()


def test_a_rule_that_no_longer_reads_keeps_its_members_and_says_why() -> None:
    ada = factories.customer("ada")
    segment = factories.segment("British", BRITISH)
    upkeep.refresh(now=NOW)
    Segment.objects.filter(pk=segment.pk).update(rule={"field": "gone", "op": "=", "value": 1})
    upkeep.refresh(now=NOW)
    assert stored(segment) == {ada.pk}
    assert SegmentUpkeep.objects.get(segment=segment).fault == "This rule cannot be read."
    Segment.objects.filter(pk=segment.pk).update(rule=BRITISH)
    upkeep.refresh(now=NOW)
    assert SegmentUpkeep.objects.get(segment=segment).fault == ""


def test_a_refresh_that_runs_out_of_time_goes_on_where_it_stopped() -> None:
    factories.customer("ada")
    made = [factories.segment(str(number), BRITISH) for number in range(3)]
    done = upkeep.refresh(now=NOW, seconds=-1)
    assert (done.segments, done.more) == (0, True)
    assert upkeep.refresh(now=NOW).rebuilt == len(made)


def test_a_daily_check_finds_nothing_where_everything_was_told_and_mends_what_was_not() -> None:
    ada, ben = factories.customer("ada"), factories.customer("ben")
    segment = factories.segment("British", BRITISH)
    upkeep.refresh(now=NOW)
    SegmentMember.objects.filter(customer=ben).delete()
    seen()
    assert upkeep.check(now=NOW + MINUTE).rebuilt == 0
    assert upkeep.check(now=NOW + timedelta(days=1, minutes=1)).entered == 1
    assert stored(segment) == {ada.pk, ben.pk}


def test_counts_of_the_rule_and_of_the_stored_members_agree() -> None:
    ada, ben = factories.customer("ada"), factories.customer("ben")
    factories.order(ada, days_ago=3)
    factories.order(ben, days_ago=40)
    segment = factories.segment("Buyers", LATELY)
    upkeep.refresh(now=NOW)
    meant = membership.members(compiler.read(LATELY), as_of=NOW)
    assert set(meant.values_list("pk", flat=True)) == stored(segment) == {ada.pk}


def test_whoever_is_erased_leaves_and_sizes_stay_true() -> None:
    ada, ben = factories.customer("ada"), factories.customer("ben")
    british = factories.segment("British", BRITISH)
    other = factories.segment("Not French", {"not": {**BRITISH, "value": "FR"}})
    upkeep.refresh(now=NOW)
    seen()
    erasure.forget(customer_id=ada.pk, actor=None, now=NOW)
    assert stored(british) == {ben.pk}
    assert not erasure.remembered(customer_id=ada.pk)
    for _again in range(2):
        upkeep.refresh(now=NOW + MINUTE)
    for segment in (british, other):
        assert told(segment) == [(ben.pk, True, "rule"), (ada.pk, False, "erased")]
        segment.refresh_from_db()
        assert segment.size == SegmentUpkeep.objects.get(segment=segment).people == 1
    assert not erasure.remembered(customer_id=ada.pk)


def test_who_is_erased_as_the_rule_changes_or_the_segment_closes_is_told_of_too() -> None:
    ada, ben = factories.customer("ada"), factories.customer("ben")
    changed = factories.segment("British", BRITISH)
    closed = factories.segment("Closed", BRITISH)
    upkeep.refresh(now=NOW)
    erasure.forget(customer_id=ada.pk, actor=None, now=NOW)
    definitions.save(name="All", rule={"all": []}, actor=None, segment=changed, now=NOW)
    definitions.archive(segment=closed, actor=None, now=NOW)
    upkeep.refresh(now=NOW + MINUTE)
    assert told(changed) == [(ben.pk, True, "rule"), (ada.pk, False, "erased")]
    assert told(closed)[1:] == [(ada.pk, False, "erased"), (ben.pk, False, "rule")]
    changed.refresh_from_db()
    assert changed.size == 1


def test_a_rule_without_time_is_not_made_anew_as_days_go_by() -> None:
    factories.customer("ada")
    segment = factories.segment("British", BRITISH)
    upkeep.refresh(now=NOW)
    for hours in range(6, 120, 6):
        assert upkeep.refresh(now=NOW + timedelta(hours=hours)).rebuilt == 0
    assert SegmentUpkeep.objects.get(segment=segment).built_at == NOW
    assert upkeep.refresh(now=NOW + timedelta(days=10)).rebuilt == 1


def test_whoever_moves_to_another_time_zone_has_another_today() -> None:
    ada = factories.customer("ada", country="", timezone="Pacific/Auckland")
    at = NOW - timedelta(hours=12)  # yesterday in London, today in Auckland
    events.record(
        batch=[{"type": "page", "customer_id": ada.pk, "at": at, "message_id": "1"}],
        source="shop",
        now=NOW,
    )
    factories.order(ada, placed_at=at)
    rollups.refresh(customer_ids=[ada.pk])
    today = {"calendar": "today"}
    made = [
        factories.segment("did", {"did": "page", "when": today}),
        factories.segment(
            "field", {"field": "rollup.last_order_at", "op": "during", "value": "today"}
        ),
    ]
    upkeep.refresh(now=NOW)
    assert [stored(segment) for segment in made] == [{ada.pk}, {ada.pk}]
    Customer.objects.filter(pk=ada.pk).update(timezone="", country="GB")
    upkeep.refresh(now=NOW + timedelta(seconds=1))
    assert [stored(segment) for segment in made] == [set(), set()]


def test_what_became_of_a_message_counts_though_nobody_told_of_it() -> None:
    ada = factories.customer("ada")
    message = factories.run(factories.campaign(), [ada], state="queued").messages.get()
    acts = ("sent", "opened", "clicked", "failed", "held_out")
    made = {act: factories.segment(act, {"message": act}) for act in acts}
    upkeep.refresh(now=NOW)
    seen()
    steps: list[tuple[str, dict[str, Any]]] = [
        ("sent", {"state": "sent", "sent_at": NOW}),
        ("opened", {"opened_at": NOW}),
        ("clicked", {"clicked_at": NOW}),
        ("failed", {"state": "failed"}),
        ("held_out", {"state": "skipped", "reason": "holdout"}),
    ]
    for turn, (act, values) in enumerate(steps):
        Message.objects.filter(pk=message.pk).update(state="queued")
        seen()
        Message.objects.filter(pk=message.pk).update(state="sending")
        assert not Change.objects.exists()
        Message.objects.filter(pk=message.pk).update(**values)
        upkeep.refresh(now=NOW + timedelta(seconds=turn))
        assert stored(made[act]) == {ada.pk}, act


def test_moves_are_counted_and_tidied_by_their_indexes() -> None:
    factories.customer("ada")
    segment = factories.segment("British", BRITISH)
    upkeep.refresh(now=NOW)
    with CaptureQueriesContext(connection) as asked:
        history.of(segment=segment, now=NOW)
        history.moves(segments=[segment])
        moves.tidy(before=NOW)
    plans = []
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        for query in asked.captured_queries:
            if "segmentmove" in query["sql"]:
                cursor.execute("EXPLAIN " + query["sql"])
                plans.append("".join(row[0] for row in cursor.fetchall()))
    assert ["segment_move_at" in plan for plan in plans] == [True, True, False]
    assert "move_at" in plans[2]


def test_moves_go_after_three_months() -> None:
    factories.customer("ada")
    factories.segment("British", BRITISH)
    upkeep.refresh(now=NOW)
    upkeep.tidy(now=NOW + timedelta(days=89))
    assert SegmentMove.objects.count() == 1
    upkeep.tidy(now=NOW + timedelta(days=91))
    assert SegmentMove.objects.count() == 0


def test_a_history_that_is_over_stands_still() -> None:
    ada = factories.customer("ada")
    long_ago = NOW - timedelta(days=2000)
    factories.order(ada, placed_at=long_ago)
    factories.traits(ada, as_of=long_ago + timedelta(days=1))
    segment = factories.segment("Recent", LATELY)
    upkeep.refresh(now=NOW)
    upkeep.refresh(now=NOW + timedelta(days=60))
    assert stored(segment) == {ada.pk}
    facts: dict[str, Any] = dict(SegmentUpkeep.objects.values_list("segment_id", "level__as_of"))
    assert facts == {segment.pk: long_ago + timedelta(days=1)}


def test_a_segment_that_cannot_be_followed_says_why_and_keeps_nobody_else_waiting() -> None:
    ada = factories.customer("ada")
    named = PersonList.objects.create(name="guests", read_at=NOW)
    PersonListMember.objects.create(list=named, customer=ada)
    broken = factories.segment("guests", {"in_list": named.pk})
    upkeep.refresh(now=NOW)
    assert stored(broken) == {ada.pk}
    number = named.pk
    named.delete()
    new = factories.segment("gone", {"in_list": number})
    british = factories.segment("British", BRITISH)
    ben = factories.customer("ben")
    upkeep.refresh(now=NOW + MINUTE)
    assert stored(british) == {ada.pk, ben.pk}
    assert "no list number" in SegmentUpkeep.objects.get(segment=new).fault
    inside = membership.of_person(customer_id=ben.pk, segments=[new, broken, british])
    assert inside == {british.pk}
    definitions.save(name="gone", rule=BRITISH, segment=new, actor=None, now=NOW + 2 * MINUTE)
    upkeep.refresh(now=NOW + 3 * MINUTE)
    assert stored(new) == {ada.pk, ben.pk}
    assert SegmentUpkeep.objects.get(segment=new).fault == ""

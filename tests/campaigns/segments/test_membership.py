"""Counting, sampling and giving up in time."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import ProgrammingError, connection
from django.db.models import BooleanField, Q
from django.db.models.expressions import RawSQL

from campaigns.models import PersonList, PersonListMember, Segment
from campaigns.segments import asking, membership, turns
from campaigns.segments import compile as compiler
from campaigns.segments.rules import RuleFault
from ingestion import events
from tests import factories

pytestmark = pytest.mark.django_db
EVERYONE = compiler.read({"all": []})


def test_everyone_and_nobody_are_counted_exactly() -> None:
    factories.cast()
    assert membership.count(EVERYONE).people == 3
    assert membership.count(EVERYONE).exact is True
    assert membership.count(compiler.read({"any": []})).people == 0


def test_a_sample_holds_only_members_and_shuffles() -> None:
    people = [factories.customer(consent=None) for _ in range(40)]
    inside = compiler.read({"field": "customer.country", "op": "=", "value": "GB"})
    factories.customer(country="FR")
    draws = [membership.sample(inside, seed=seed) for seed in range(6)]
    assert all(len({p.pk for p in draw}) == 5 for draw in draws)
    assert {p.pk for draw in draws for p in draw} <= {p.pk for p in people}
    assert len({tuple(p.pk for p in draw) for draw in draws}) > 1


def slow_reads() -> None:
    """Make every look at a customer's order lines take 20 ms, as on a much larger shop."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            CREATE FUNCTION pg_temp.crawl() RETURNS boolean VOLATILE LANGUAGE plpgsql AS
              $$ BEGIN PERFORM pg_sleep(0.02); RETURN true; END $$;
            """
        )


def test_a_count_that_takes_too_long_becomes_an_estimate(monkeypatch, request) -> None:
    for n in range(64):  # whatever pattern their numbers follow
        factories.customer(consent=None, pk=32 * (n + 1))
    slow_reads()
    real, slowly = compiler.to_q, RawSQL("pg_temp.crawl()", [], output_field=BooleanField())
    monkeypatch.setattr(compiler, "to_q", lambda *given, **rest: real(*given, **rest) & Q(slowly))
    request.addfinalizer(asking.forget)
    asking.forget()
    size = membership.count(EVERYONE, patience_ms=500)
    assert (size.people, size.exact) == (64, False)
    size = membership.count(EVERYONE, patience_ms=10)
    assert (size.people, size.exact) == (None, False)
    assert membership.sample(EVERYONE, number=40, patience_ms=200) == []


def test_a_rule_counted_again_means_its_own_days_lists_and_segments() -> None:
    person = factories.customer(consent=None, country="GB")
    factories.order(person, days_ago=10)
    node = compiler.read({"bought": {"any": True}, "at_least": 1, "days": 30})
    days = (0, 19, 21, 0)
    counts = [membership.count(node, as_of=factories.NOW + timedelta(days=n)).people for n in days]
    assert counts == [1, 1, 0, 1]
    made = PersonList.objects.create(name="Fair", read_at=factories.NOW)
    PersonListMember.objects.create(list=made, customer=person)
    listed = compiler.read({"in_list": made.pk})
    assert membership.count(listed).people == 1
    PersonList.objects.update(read_at=None)
    with pytest.raises(RuleFault):
        membership.count(listed)
    segment = factories.segment(rule={"field": "customer.country", "op": "=", "value": "GB"})
    inside = compiler.read({"in_segment": segment.pk})
    assert membership.count(inside).people == 1
    Segment.objects.update(rule={"field": "customer.country", "op": "=", "value": "FR"})
    assert membership.count(inside).people == 0


def test_a_property_that_is_true_is_not_one_that_is_one() -> None:
    wrapped, several = factories.customer(consent=None), factories.customer(consent=None)
    for person, value in ((wrapped, True), (several, 1)):
        gift = events.Incoming(
            "gift", factories.NOW, customer_id=person.pk, properties={"wrapped": value}
        )
        events.record(batch=[gift], source="web", now=factories.NOW)
    for value, person in ((1, several), (True, wrapped)):
        where = [{"property": "wrapped", "op": "=", "value": value}]
        node = compiler.read({"did": "gift", "where": where})
        assert membership.count(node).people == 1
        assert list(membership.ids(node)) == [person.pk]
        text, given = asking.some(node, people=[wrapped.pk, several.pk], as_of=factories.NOW)
        with connection.cursor() as cursor:
            cursor.execute(text, given)
            assert cursor.fetchall() == [(person.pk,)]


def test_a_fault_of_the_database_is_not_taken_for_a_timeout() -> None:
    with pytest.raises(ProgrammingError), turns.patiently(1000), connection.cursor() as cursor:
        cursor.execute("SELECT nonsense")


@pytest.mark.django_db(transaction=True)
def test_asking_again_stops_the_count_that_nobody_waits_for_any_more() -> None:
    outcome: list[str] = []

    def ask(turn: str) -> None:
        try:
            with turns.patiently(20_000, turn), connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(15)")
        except turns.Superseded:
            outcome.append(turn)
        finally:
            connection.close()

    def asking() -> bool:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(15)%%'"
                " AND state = 'active'"
            )
            return bool(cursor.fetchone()[0])

    thread = threading.Thread(target=ask, args=("ada's builder",))
    thread.start()
    until = time.monotonic() + 10
    while not asking() and time.monotonic() < until:
        time.sleep(0.02)
    with turns.patiently(5_000, "ben's builder"), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    assert thread.is_alive()
    assert membership.count(EVERYONE, turn="ada's builder").people == 0
    thread.join(10)
    assert outcome == ["ada's builder"]


def test_a_persons_segments_are_those_whose_members_they_are() -> None:
    cast = factories.cast()
    rules = [
        {"all": []},
        {"any": []},
        {"field": "traits.orders", "op": ">=", "value": 2},
        {"not": {"bought": {"any": True}, "at_least": 2, "days": 365}},
        {"field": "gone", "op": "=", "value": 1},
    ]
    segments = [factories.segment(str(n), rule) for n, rule in enumerate(rules)]
    segments.append(factories.segment("nested", {"not": {"in_segment": segments[2].pk}}))
    readable = [s for s in segments if s.name != "4"]
    for person in cast:
        for _again in range(2):
            found = membership.of_person(customer_id=person.pk, segments=segments)
            assert found == {
                s.pk
                for s in readable
                if membership.contains(compiler.read(s.rule), customer_id=person.pk)
            }
    assert {s.name for s in readable if s.pk in found} == {"0", "3", "nested"}

"""Many at once: nobody is made twice, and no event is left behind by a merge."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, connections, transaction

from ingestion import consent, events
from ingestion.events import Incoming
from ingestion.identity import history, identify, merging
from ingestion.identity.identify import Person
from ingestion.models import Customer, Event, Identity, Merge
from tests import factories
from tests.conftest import wait_for
from tests.ingestion.conftest import NOW

pytestmark = pytest.mark.django_db(transaction=True)


def together(*tasks: Callable[[], None]) -> list[BaseException]:
    """Run the tasks at the same time, each on a connection of its own; what they raised."""
    raised: list[BaseException] = []
    start = threading.Barrier(len(tasks))

    def run(task: Callable[[], None]) -> None:
        try:
            start.wait(10)
            task()
        except BaseException as error:
            raised.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return raised


def resolve(people: list[Person]) -> list[int | None]:
    return identify.resolve(people=people, source="test", now=NOW)


def test_the_same_new_people_in_many_batches_are_made_once() -> None:
    people = [Person(external_id=f"c{n}", email=f"p{n}@x.io") for n in range(60)]

    def batch(turn: int) -> Callable[[], None]:
        return lambda: [
            resolve(people[start::6] if turn % 2 else people[start::6][::-1])
            for start in range(6)
        ] and None  # fmt: skip

    assert together(*(batch(turn) for turn in range(4))) == []
    assert Customer.objects.count() == 60
    assert Identity.objects.count() == 120
    assert not Customer.every.exclude(merged_into=None).exists()


def test_claims_that_move_names_while_others_add_some_leave_one_truth() -> None:
    resolve([Person(email=f"p{n}@x.io", at=NOW) for n in range(30)])

    def join() -> None:
        for n in range(30):
            resolve([Person(external_id=f"c{n}", email=f"p{n}@x.io", at=NOW)])

    def add() -> None:
        for n in range(30):
            resolve([Person(email=f"p{n}@x.io", anonymous_id=f"v{n}", at=NOW)])

    def claim() -> None:
        for n in reversed(range(30)):
            early = NOW - timedelta(days=1)
            resolve([Person(external_id=f"d{n}", email=f"p{n}@x.io", at=early)])

    assert together(join, add, claim) == []
    for n in range(30):
        whose = {
            name: Identity.objects.get(value=name).customer_id
            for name in (f"c{n}", f"d{n}", f"p{n}@x.io", f"v{n}")
        }
        assert whose[f"d{n}"] == whose[f"p{n}@x.io"] == whose[f"v{n}"] != whose[f"c{n}"]


def test_a_no_that_waited_for_a_merge_counts_for_whoever_stays() -> None:
    one, two = factories.customer(), factories.customer()
    merged = threading.Event()

    def merge() -> None:
        with transaction.atomic():
            merging.merge(kept=one.pk, gone=two.pk, actor=None, now=NOW)
            merged.set()
            wait_for(someone_waits)

    def refuse() -> None:
        merged.wait(30)
        consent.revoke(customer_ids=[two.pk], source="unsubscribe link", now=NOW)

    assert together(merge, refuse) == []
    assert not consent.may_mail(one.pk)
    assert not consent.may_mail(two.pk)


def someone_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def test_no_event_is_left_with_somebody_who_was_merged_meanwhile() -> None:
    resolve([Person(external_id="till"), Person(email="ada@x.io")])
    till, web = Customer.objects.get(external_id="till"), Customer.objects.get(email="ada@x.io")

    def visit(turn: int) -> Callable[[], None]:
        def visits() -> None:
            for n in range(15):
                event = Incoming("viewed", NOW, f"e{turn}-{n}", email="ada@x.io")
                events.record(batch=[event], source="web", now=NOW)

        return visits

    def merge() -> None:
        for _turn in range(4):
            merging.merge(kept=till.pk, gone=web.pk, actor=None, now=NOW)
            merging.undo(merge_id=Merge.objects.latest("id").pk, actor=None, now=NOW)
        merging.merge(kept=till.pk, gone=web.pk, actor=None, now=NOW)

    raised = together(visit(1), visit(2), merge)
    assert [error for error in raised if not isinstance(error, OperationalError)] == []
    assert raised == []
    assert Event.objects.count() == 30
    assert set(Event.objects.values_list("customer_id", flat=True)) == {till.pk}


def test_a_visit_that_crosses_the_sign_in_is_found_by_the_sweep() -> None:
    visited, signed = threading.Event(), threading.Event()

    def visit() -> None:
        with transaction.atomic():
            event = Incoming("viewed", NOW, "e1", anonymous_id="v1")
            events.record(batch=[event], source="web", now=NOW)
            visited.set()
            signed.wait(5)

    def sign_in() -> None:
        visited.wait(5)
        threading.Timer(0.5, signed.set).start()
        resolve([Person(external_id="7", anonymous_id="v1")])

    assert together(visit, sign_in) == []
    person = Customer.objects.get()
    if not Event.objects.filter(customer=person).exists():
        assert history.adopt_lately(now=NOW) == 1
    assert Event.objects.get().customer_id == person.pk
    assert history.adopt_lately(now=NOW) == 0

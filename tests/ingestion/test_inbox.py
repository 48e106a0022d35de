"""An accepted event is durable, stored once, and accounted for to the last one."""

import random
import threading
import time
from datetime import timedelta

import pytest
from django.db import DataError, OperationalError, connections

from ingestion import events
from ingestion.events import Incoming, Rejected, inbox, incoming, storing, writing
from ingestion.models import Customer, Event, EventKey, Inbox, Refusal
from tests.ingestion.conftest import NOW


def view(name: str, **more) -> Incoming:
    return Incoming(type="view", at=NOW, message_id=name, external_id="7", **more)


def accept(*batch, source="web", rejected=()) -> list[str]:
    return events.accept(batch=batch, source=source, now=NOW, rejected=rejected)


@pytest.mark.django_db
def test_what_is_accepted_waits_in_the_inbox_and_is_stored_by_the_drain() -> None:
    assert accept(view("m1"), view("m2")) == ["stored", "stored"]
    assert (Event.objects.count(), Inbox.objects.count(), events.waiting()) == (0, 1, 2)
    assert events.drain(now=NOW) == 2
    assert (Event.objects.count(), Inbox.objects.count()) == (2, 0)
    assert set(Event.objects.values_list("customer__external_id", flat=True)) == {"7"}
    assert events.drain(now=NOW) == 0


@pytest.mark.django_db
def test_the_answer_tells_duplicates_from_conflicts_and_the_drain_counts_them_alike() -> None:
    other = view("m1", properties={"sku": "B"})
    assert accept(view("m1"), view("m1"), other) == ["stored", "duplicate", "conflict"]
    assert accept(view("m1"), other, view("m3")) == ["duplicate", "conflict", "stored"]
    assert accept(view("m1"), source="till") == ["stored"]
    events.drain(now=NOW)
    found = events.ledger("web")
    assert (found.received, found.stored, found.duplicate, found.quarantined) == (6, 2, 2, 2)
    assert found.adds_up
    assert Event.objects.filter(source="web").count() == 2
    refusal = Refusal.objects.first()
    assert (refusal.code, refusal.message_id, refusal.door) == ("conflict", "m1", "api")
    assert '"sku":"B"' in refusal.raw


@pytest.mark.django_db
def test_a_repeat_says_the_same_whatever_the_order_of_its_keys_and_whenever_it_comes() -> None:
    first = Incoming("view", NOW, "m1", external_id="7", stamp="", properties={"a": 1, "b": 2})
    later = first._replace(at=NOW + timedelta(hours=1), properties={"b": 2, "a": 1})
    assert accept(first) == ["stored"]
    assert accept(later) == ["duplicate"]


@pytest.mark.django_db
def test_an_event_without_an_id_is_known_by_its_content() -> None:
    assert accept(view(""), view("")) == ["stored", "duplicate"]
    events.drain(now=NOW)
    assert len(Event.objects.get().message_id) == 32


@pytest.mark.django_db
def test_calls_that_could_not_be_read_are_kept_and_counted() -> None:
    broken = Rejected(code="missing", message="This may not be empty.", field="type", raw="{}")
    assert accept(view("m1"), rejected=[broken]) == ["stored"]
    assert accept(rejected=[broken]) == []
    events.drain(now=NOW)
    assert events.ledger("web") == events.Ledger("web", 3, 1, 0, 2, 0)
    assert set(Refusal.objects.values_list("code", "field", "raw")) == {("missing", "type", "{}")}


@pytest.mark.django_db
def test_one_event_that_the_database_refuses_stops_no_other() -> None:
    batch = [view(f"m{n}") for n in range(9)]
    batch[4] = view("m4", properties={"text": "a\0b"})
    accept(*batch[:3])
    accept(*batch[3:])
    events.drain(now=NOW)
    assert Event.objects.count() == 8
    refusal = Refusal.objects.get()
    assert (refusal.code, refusal.message_id) == ("cannot_store", "m4")
    assert events.ledger("web") == events.Ledger("web", 9, 8, 0, 1, 0)


@pytest.mark.django_db
@pytest.mark.parametrize("fault", [AttributeError, OverflowError, ZeroDivisionError])
def test_one_event_that_we_stumble_over_stops_no_other(monkeypatch, fault) -> None:
    real = storing.store

    def stumble(*, batch, **more):
        if any(event.message_id == "m4" for event in batch):
            raise fault("no")
        return real(batch=batch, **more)

    monkeypatch.setattr(storing, "store", stumble)
    accept(*[view(f"m{n}") for n in range(9)])
    events.drain(now=NOW)
    assert Event.objects.count() == 8
    refusal = Refusal.objects.get()
    assert (refusal.code, refusal.message_id) == ("cannot_store", "m4")


@pytest.mark.django_db
def test_texts_of_a_refusal_are_kept_as_far_as_their_columns_reach() -> None:
    broken = Rejected(*["x" * 1_000] * 7)
    accept(rejected=[broken])
    events.drain(now=NOW)
    row = Refusal.objects.get()
    assert (len(row.code), len(row.field), len(row.type), len(row.message_id)) == (
        40,
        100,
        100,
        200,
    )
    assert (len(row.message), len(row.remedy), len(row.raw)) == (300, 300, 1_000)


@pytest.mark.django_db(transaction=True)
def test_many_posts_of_one_id_at_once_store_it_once() -> None:
    outcomes: list[str] = []

    def send() -> None:
        try:
            for _ in range(100):
                outcomes.extend(accept(view("same"), view("m")))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events.drain(now=NOW)
    assert (outcomes.count("stored"), outcomes.count("duplicate")) == (2, 3998)
    assert (Event.objects.count(), EventKey.objects.count()) == (2, 2)
    assert events.ledger("web") == events.Ledger("web", 4000, 2, 3998, 0, 0)
    assert Customer.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_request_that_cannot_be_written_refuses_none_of_those_that_came_with_it(
    monkeypatch,
) -> None:
    groups: list[int] = []
    real = writing._through_line

    def slow(group) -> None:
        groups.append(len(group))
        time.sleep(0.05)  # the others arrive meanwhile
        real(group)

    monkeypatch.setattr(writing, "_through_line", slow)
    outcomes: dict[int, object] = {}

    def send(number: int) -> None:
        try:
            # A source of this length fits no column.
            outcomes[number] = accept(view(f"g{number}"), source="web" if number else "x" * 200)
        except DataError as error:
            outcomes[number] = type(error)
        connections.close_all()

    threads = [threading.Thread(target=send, args=[number]) for number in range(20)]
    for thread in reversed(threads):
        thread.start()
    for thread in threads:
        thread.join(30)
    assert outcomes.pop(0) is DataError
    assert outcomes == {number: ["stored"] for number in range(1, 20)}
    assert max(groups) > 1
    assert Inbox.objects.count() == EventKey.objects.count() == 19
    assert writing._together.idle


@pytest.mark.django_db(transaction=True)
def test_while_the_database_is_away_everybody_hears_so_and_the_next_request_is_taken(
    monkeypatch,
) -> None:
    def away(group) -> None:
        time.sleep(0.02)
        raise OperationalError("the server closed the connection")

    told: list[type] = []

    def send(number: int) -> None:
        try:
            accept(view(f"a{number}"))
        except OperationalError as error:
            told.append(type(error))
        connections.close_all()

    with monkeypatch.context() as patch:
        patch.setattr(writing, "_through_line", away)
        threads = [threading.Thread(target=send, args=[number]) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert told == [OperationalError] * 12
    assert accept(view("a0")) == ["stored"]
    assert Inbox.objects.count() == 1


def views(numbers, **more) -> list[Incoming]:
    return [view(f"v{number}", **more) for number in numbers]


@pytest.mark.django_db(transaction=True)
def test_a_large_request_tells_what_the_ledger_held_already_and_takes_the_rest(monkeypatch) -> None:
    monkeypatch.setattr(writing, "_wary", {})
    assert accept(*views(range(100))) == ["stored"] * 100
    assert accept(*views(range(100))) == ["duplicate"] * 100
    mixed = [*views(range(100, 160)), view("v7"), view("v8", properties={"sku": "B"})]
    assert accept(*mixed) == ["stored"] * 60 + ["duplicate", "conflict"]
    twice = [*views(range(200, 260)), view("v200"), view("v201", properties={"sku": "B"})]
    assert accept(*twice, source="till") == ["stored"] * 60 + ["duplicate", "conflict"]
    assert Inbox.objects.count() == 4
    events.drain(now=NOW)
    assert events.ledger("web") == events.Ledger("web", 262, 160, 101, 1, 0)
    assert events.ledger("till") == events.Ledger("till", 62, 60, 1, 1, 0)
    assert EventKey.objects.count() == Event.objects.count() == 220


@pytest.mark.django_db(transaction=True)
def test_a_source_that_repeats_itself_is_not_hoped_for_until_a_while_has_passed(
    monkeypatch,
) -> None:
    monkeypatch.setattr(writing, "_wary", {})
    hoped: list[str] = []
    real = writing._copy
    monkeypatch.setattr(
        writing, "_copy", lambda line, ticket: (hoped.append(ticket.source), real(line, ticket))
    )
    accept(*views(range(60)))
    accept(*views(range(60)))
    accept(*views(range(60)), source="till")
    accept(*views(range(60, 120)))
    assert hoped == ["web", "web", "till"]
    writing._wary["web"] = time.monotonic()
    accept(*views(range(120, 180)))
    assert hoped == ["web", "web", "till", "web"]


@pytest.mark.django_db(transaction=True)
def test_large_requests_that_share_ids_wait_in_no_ring_and_store_each_once(monkeypatch) -> None:
    told: dict[str, list[str]] = {}

    def send(thread: int) -> None:
        order = random.Random(thread)
        try:
            for turn in range(10):
                if thread % 2:
                    writing._wary.clear()
                numbers = order.sample(range(50 * turn, 50 * turn + 90), 60)
                for number, outcome in zip(numbers, accept(*views(numbers)), strict=True):
                    told.setdefault(f"v{number}", []).append(outcome)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    sent = sum(map(len, told.values()))
    assert sent == 6 * 10 * 60
    assert all(outcomes.count("stored") == 1 for outcomes in told.values())
    events.drain(now=NOW, seconds=60)
    assert events.ledger("web") == events.Ledger("web", sent, len(told), sent - len(told), 0, 0)
    assert set(Event.objects.values_list("message_id", flat=True)) == set(told)


@pytest.mark.django_db(transaction=True)
def test_a_connection_lost_between_the_ids_and_their_events_takes_nothing(monkeypatch) -> None:
    monkeypatch.setattr(writing, "_wary", {})
    accept(*views(range(40, 50)))
    ends = "SELECT pg_terminate_backend(pg_backend_pid()), %s, %s, %s, %s, %s, %s"
    with monkeypatch.context() as patch:
        patch.setattr(writing, "_KEEP", ends)
        with pytest.raises(OperationalError):
            accept(*views(range(100, 160)))
        assert EventKey.objects.count() == 10
    with monkeypatch.context() as patch:
        patch.setattr(writing, "_KEEP", "SELECT 1 / 0, %s, %s, %s, %s, %s, %s")
        with pytest.raises(DataError):
            accept(*views(range(100, 160)))
    assert accept(*views(range(100, 160))) == ["stored"] * 60
    assert (EventKey.objects.count(), Inbox.objects.count()) == (70, 2)


def test_what_waits_in_the_inbox_says_all_that_came() -> None:
    batch = [
        view("p1", stamp="2026-11-22T08:00:00Z")._replace(at=NOW - timedelta(hours=1)),
        view("p2", stamp="2026-11-22T10:00:00+01:00"),  # as NOW, in another zone
        view("p3", stamp="2026-11-22T08:00:00"),
        view("p4", stamp="yesterday", flags="clamped"),
        view("p5", stamp=""),
        view("p6", stamp="2026-11-22T08:00:00Z"),  # by a clock that was wrong
        view("p7", context={"page": {"url": "/"}}, traits={"a": 1}, phone="+4411"),
        view("", properties_json=b'{"a":1}', email="a@example.com", device_id="d"),
        view("p8", call="alias", previous_id="p", group_id="g", anonymous_id="n"),
    ]
    for some in (batch, batch[:1], batch[-2:], []):
        ticket = inbox._ticket(some, "web", "api", NOW, [])
        found = inbox.unpack(ticket.payload)
        names = [event.message_id or incoming.made_id(event.core()) for event in some]
        assert [event.message_id for event in found] == names
        assert [event.at for event in found] == [event.at for event in some]
        assert [event.context for event in found] == [event.context for event in some]
        assert [event.flags for event in found] == [event.flags for event in some]
        # A name that was made of the content is not part of it.
        again = [e._replace(message_id=s.message_id) for e, s in zip(found, some, strict=True)]
        assert [event.core() for event in again] == [event.core() for event in some]
        places = range(len(some))
        assert inbox.digests_of(ticket.payload, places) == incoming.numbers(ticket.digests)


def test_contents_are_the_same_written_together_or_each_alone() -> None:
    batch = [
        view("c1", properties={"b": "line\nend", "a": ["],[", '",']}),
        view("c2", properties_json=b'{"a":\n1,\n"b":2}'),
        Incoming("identify", NOW, call="identify", email="a@example.com", traits={"n": {"z": 1}}),
    ]
    for some in (batch, batch[::2], batch[:1], []):
        assert incoming.cores(some) == [event.core() for event in some]

"""Each event is stored once, in its month, under its person."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, connections

from ingestion import events
from ingestion.events import Incoming
from ingestion.models import Customer, Event, EventKey
from tests import factories
from tests.ingestion.conftest import NOW

MAY = datetime(2026, 5, 31, 23, 59, tzinfo=UTC)


def record(*batch, source="web", now=NOW) -> list[str]:
    return events.record(batch=batch, source=source, now=now)


@pytest.mark.django_db
def test_the_same_id_is_a_duplicate_or_a_conflict_by_its_content() -> None:
    view = Incoming(type="view", at=MAY, message_id="m1", external_id="7", properties={"sku": "A"})
    other = Incoming(type="view", at=MAY, message_id="m1", external_id="7", properties={"sku": "B"})
    assert record(view, view, other) == ["stored", "duplicate", "conflict"]
    assert record(other, view) == ["conflict", "duplicate"]
    assert Event.objects.get().properties == {"sku": "A"}
    assert record(view, source="till") == ["stored"]


@pytest.mark.django_db
def test_an_event_without_an_id_is_known_by_its_content() -> None:
    view = Incoming(type="view", at=MAY, external_id="7")
    assert record(view, view) == ["stored", "duplicate"]
    assert record(view, Incoming(type="view", at=MAY, external_id="8")) == ["duplicate", "stored"]


@pytest.mark.django_db
def test_each_month_has_a_partition_of_its_own() -> None:
    record(
        Incoming(type="view", at=MAY, external_id="7"),
        Incoming(type="view", at=MAY + timedelta(minutes=1), external_id="7"),
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM ingestion_event ORDER BY at")
        assert [row[0] for row in cursor.fetchall()] == [
            "ingestion_event_2026_05",
            "ingestion_event_2026_06",
        ]


@pytest.mark.django_db
def test_a_clock_that_runs_ahead_is_set_back_to_now() -> None:
    record(
        Incoming(type="a", at=NOW + timedelta(minutes=4), external_id="7"),
        Incoming(type="b", at=NOW + timedelta(hours=3), external_id="7"),
    )
    assert dict(Event.objects.values_list("type", "at")) == {
        "a": NOW + timedelta(minutes=4),
        "b": NOW,
    }


@pytest.mark.django_db
def test_a_visitor_who_says_who_they_are_takes_their_past_along() -> None:
    record(Incoming(type="view", at=MAY, anonymous_id="v1"))
    assert Event.objects.get().customer is None
    record(Incoming(type="login", at=NOW, anonymous_id="v1", email="ada@example.com"))
    ada = Customer.objects.get(email="ada@example.com")
    assert set(Event.objects.values_list("customer", flat=True)) == {ada.pk}
    record(Incoming(type="view", at=NOW, anonymous_id="v1"))
    assert Event.objects.filter(customer=ada).count() == 3


@pytest.mark.django_db
def test_events_may_be_given_as_mappings_with_our_own_customer_id() -> None:
    ada = factories.customer("ada")
    sent = {
        "type": "email_sent",
        "at": NOW,
        "message_id": "sent:1",
        "customer_id": ada.pk,
        "properties": {"run": 3},
    }
    assert events.record(batch=[sent], source="campaigns", now=NOW) == ["stored"]
    assert Event.objects.get().customer == ada


@pytest.mark.django_db
def test_awkward_texts_come_back_as_they_were() -> None:
    text = "tab\t back\\slash \n line 'quote' \u2028 😀"
    record(Incoming(type=text[:100], at=MAY, external_id="7", properties={"note": text}))
    row = Event.objects.get()
    assert (row.type, row.properties) == (text[:100], {"note": text})


@pytest.mark.django_db
def test_an_empty_batch_is_nothing() -> None:
    assert record() == []


@pytest.mark.django_db(transaction=True)
def test_ten_senders_at_once_store_each_event_once() -> None:
    batch = [
        Incoming(type="view", at=MAY, message_id=f"m{n}", external_id=str(1 + n % 7))
        for n in range(200)
    ]
    outcomes: list[list[str]] = []

    def send() -> None:
        try:
            outcomes.append(record(*batch))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 10
    assert sum(outcome.count("stored") for outcome in outcomes) == 200
    assert sum(outcome.count("duplicate") for outcome in outcomes) == 1800
    assert (Event.objects.count(), EventKey.objects.count(), Customer.objects.count()) == (
        200,
        200,
        7,
    )

"""Whoever keeps something that follows from facts is told who changed, once and always."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg2
import pytest
from django.db import connection, transaction

from ingestion import changes, consent, events, rollups
from ingestion.events import partitions
from ingestion.identity import merging
from ingestion.models import Change, Consent, Customer, Product, Suppression
from tests import factories
from tests.factories import NOW

Told = dict[tuple[str, str], set[int] | None]


def told(write: Callable[[], Any]) -> Told:
    """What is noted of one write, told apart from what was noted before."""
    Change.objects.all().delete()
    write()
    return dict(changes.since(changes.position()).people)


@pytest.mark.django_db
def test_a_new_a_corrected_and_a_deleted_person_changed() -> None:
    made: list[Customer] = []
    news = told(lambda: made.append(Customer.objects.create(email="ada@example.com")))
    ada = made[0]
    assert news == {("people", ""): {ada.pk}}
    assert told(lambda: Customer.objects.filter(pk=ada.pk).update(country="GB")) == {
        ("person", ""): {ada.pk}
    }
    key = ada.pk
    assert told(ada.delete) == {("people", ""): {key}}


@pytest.mark.django_db
def test_a_write_that_changes_nothing_of_a_person_is_not_told() -> None:
    ada = factories.customer("ada")
    assert told(lambda: Customer.objects.filter(pk=ada.pk).update(updated_at=NOW)) == {}


@pytest.mark.django_db
def test_orders_and_answers_are_told_with_whose_they_are() -> None:
    ada = factories.customer("ada", consent=None)
    factories.order(ada)
    orders = told(lambda: rollups.refresh(customer_ids=[ada.pk]))
    assert orders[("orders", "")] == {ada.pk}
    agreed = told(
        lambda: consent.grant(customer_ids=[ada.pk], source="form", proof={"form": 1}, now=NOW)
    )
    assert agreed == {("consent", ""): {ada.pk}}


@pytest.mark.django_db
def test_events_are_told_by_their_type() -> None:
    ada, ben = factories.customer("ada"), factories.customer("ben")

    def send() -> None:
        events.record(
            batch=[
                {"type": "page", "customer_id": ada.pk, "at": NOW, "message_id": "1"},
                {"type": "page", "customer_id": ben.pk, "at": NOW, "message_id": "2"},
                {"type": "search", "customer_id": ada.pk, "at": NOW, "message_id": "3"},
                {"type": "page", "anonymous_id": "nobody", "at": NOW, "message_id": "4"},
            ],
            source="shop",
            now=NOW,
        )

    assert told(send) == {("event", "page"): {ada.pk, ben.pk}, ("event", "search"): {ada.pk}}


@pytest.mark.django_db
def test_both_people_of_a_merge_changed_with_their_events() -> None:
    ada, ben = factories.customer("ada"), factories.customer("ben")
    events.record(
        batch=[{"type": "page", "customer_id": ben.pk, "at": NOW, "message_id": "1"}],
        source="shop",
        now=NOW,
    )
    news = told(lambda: merging.merge(kept=ada.pk, gone=ben.pk, actor=None, now=NOW))
    assert news[("event", "page")] == {ada.pk, ben.pk}
    assert news[("people", "")] == {ada.pk, ben.pk}


@pytest.mark.django_db
def test_whoever_has_a_suppressed_address_changed() -> None:
    ada, ben = factories.customer("ada"), factories.customer("ben", phone="+441234567890")
    news = told(lambda: consent.suppress(addresses=["ADA@example.com"], reason="bounced", now=NOW))
    assert news == {("consent", ""): {ada.pk}}
    news = told(
        lambda: consent.suppress(
            addresses=["+441234567890"], channel="sms", reason="unsubscribed", now=NOW
        )
    )
    assert news == {("consent", ""): {ben.pk}}
    assert told(lambda: consent.lift(address="ada@example.com")) == {("consent", ""): {ada.pk}}
    veiled = told(lambda: consent.veil(addresses=["ada@example.com"], channel="email", now=NOW))
    assert veiled == {("consent", ""): {ada.pk}}
    assert not Suppression.objects.filter(channel="email").exists()


@pytest.mark.django_db
def test_a_product_in_another_category_may_concern_everybody() -> None:
    factories.product("TEAPOT", category="Kitchen")
    news = told(lambda: Product.objects.update(category="Tea"))
    assert news == {("product", ""): None}
    assert told(lambda: Product.objects.update(stock=7)) == {}


@pytest.mark.django_db
def test_a_month_of_events_that_goes_may_concern_everybody() -> None:
    partitions.ensure({(2020, 5)})
    name = next(row.name for row in partitions.months() if row.name.endswith("2020_05"))
    assert told(lambda: partitions.drop(name=name)) == {("event", ""): None}


def test_a_need_is_met_by_its_kind_and_by_a_note_about_all_of_the_kind() -> None:
    news = changes.News(
        "1:1:", {("event", "page"): {1, 2}, ("event", "search"): {3}, ("person", ""): {4}}
    )
    assert news.of([("event", "page")]) == {1, 2}
    assert news.of([("event", "")]) == {1, 2, 3}
    assert news.of([("person", ""), ("event", "search")]) == {3, 4}
    assert news.of([("consent", "")]) == set()
    everybody = changes.News("1:1:", {("event", ""): None})
    assert everybody.of([("event", "page")]) is None
    assert everybody.of([("orders", "")]) == set()


@pytest.fixture
def other(transactional_db: None) -> Any:
    """A second connection, whose transactions end when the test says so."""
    line = psycopg2.connect(**connection.get_connection_params())
    yield line
    line.close()


@pytest.mark.django_db(transaction=True)
def test_a_write_that_began_first_and_ended_last_is_not_lost(other: Any) -> None:
    seen = changes.position()
    with other.cursor() as cursor:
        cursor.execute("INSERT INTO ingestion_change (kind, people) VALUES ('person', '{1}')")
    with transaction.atomic():
        changes.note(kind="person", people=[2])
    first = changes.since(seen)
    assert first.people == {("person", ""): {2}}
    other.commit()
    second = changes.since(first.position)
    assert second.people == {("person", ""): {1}}
    assert changes.since(second.position).people == {}


@pytest.mark.django_db(transaction=True)
def test_what_was_rolled_back_is_never_told() -> None:
    seen = changes.position()
    with transaction.atomic():
        changes.note(kind="person", people=[2])
        transaction.set_rollback(True)
    assert changes.since(seen).people == {}


@pytest.mark.django_db(transaction=True)
def test_notes_go_when_every_reader_has_seen_them() -> None:
    seen = changes.position()
    changes.note(kind="person", people=[2])
    after = changes.since(seen).position
    changes.confirm(reader="slow", position=seen, now=NOW)
    changes.confirm(reader="quick", position=after, now=NOW)
    assert changes.tidy(now=NOW) == 0
    changes.confirm(reader="slow", position=after, now=NOW)
    assert changes.tidy(now=NOW) == 1
    changes.note(kind="person", people=[3])
    later = NOW + timedelta(days=400)
    assert changes.tidy(now=later) == 1


@pytest.mark.django_db
def test_a_position_of_another_server_is_lost() -> None:
    assert changes.since("900000000000:900000000000:").lost is True


@pytest.mark.django_db
def test_more_than_can_be_told_apart_is_told_as_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "MOST", 3)
    with transaction.atomic():
        seen = changes.position()
        changes.note(kind="person", people=[1, 2, 3])
        assert changes.since(seen).lost is False
        changes.note(kind="person", people=[4])
        assert changes.since(seen).lost is True


@pytest.mark.django_db
def test_answers_moved_by_a_merge_are_told_of_both() -> None:
    ada, ben = factories.customer("ada"), factories.customer("ben")
    Consent.objects.filter(customer=ben).update(granted=False)
    news = told(lambda: merging.merge(kept=ada.pk, gone=ben.pk, actor=None, now=NOW))
    assert ada.pk in (news[("consent", "")] or set())

"""Two people become one and two again: nothing is lost either way, and the log says why."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ingestion import consent, events
from ingestion.events import Incoming
from ingestion.identity import answers, identify, merging
from ingestion.identity.identify import Person
from ingestion.identity.moves import SelfMove
from ingestion.models import (
    Consent,
    Customer,
    Event,
    Identity,
    IdentityLink,
    Merge,
    Order,
    OrderLine,
)
from marketing.core.errors import Conflict, NotFound
from marketing.core.models import AuditEntry
from tests import factories
from tests.ingestion.conftest import NOW

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(hours=1)


def tell(*calls: Incoming, now: Any = NOW) -> None:
    events.accept(batch=calls, source="web", now=now)
    events.drain(now=now)


def view(name: str, minute: int = 0, **names: str) -> Incoming:
    return Incoming(type="viewed", at=NOW + timedelta(minutes=minute), message_id=name, **names)


def said(name: str, minute: int, traits: dict[str, Any], **names: str) -> Incoming:
    return Incoming(
        type="identify", call="identify", at=NOW + timedelta(minutes=minute),
        message_id=name, traits=traits, **names,
    )  # fmt: skip


def person(**names: str) -> Customer:
    return Customer.objects.get(**names)


def state() -> dict[str, Any]:
    """Everything that must be as before once a merge was undone."""
    return {
        "people": sorted(
            Customer.objects.values_list(
                "pk", "external_id", "email", "phone", "first_name", "last_name", "country",
            )
        ),
        "attributes": {c.pk: (c.attributes, c.attribute_times) for c in Customer.objects.all()},
        "names": sorted(Identity.objects.values_list("kind", "value", "customer_id")),
        "events": sorted(Event.objects.values_list("message_id", "customer_id")),
        "orders": sorted(Order.objects.values_list("external_id", "customer_id")),
        "lines": sorted(OrderLine.objects.values_list("order_id", "line_no", "customer_id")),
        "totals": sorted(
            Customer.objects.filter(rollup__isnull=False).values_list(
                "pk", "rollup__orders", "rollup__revenue", "rollup__last_order_at"
            )
        ),
        "answers": sorted(
            Consent.objects.filter(current=True).values_list(
                "customer_id", "channel", "purpose", "granted"
            )
        ),
    }  # fmt: skip


def two_people() -> tuple[Customer, Customer]:
    """Ada at the till and Ada on the web, each with a past."""
    tell(
        view("a1", 0, external_id="7", anonymous_id="v1"),
        said("a2", 1, {"plan": "paid", "city": "Leeds"}, external_id="7"),
        view("b1", 2, anonymous_id="v2"),
        said("b2", 3, {"plan": "trial", "shoe": 38, "firstName": "Ada"}, email="ada@x.example"),
        view("b3", 4, email="ada@x.example", anonymous_id="v2"),
    )
    till, web = person(external_id="7"), person(email="ada@x.example")
    events.record(
        batch=[Incoming("mail_opened", NOW, "own", customer_id=web.pk)], source="mail", now=NOW
    )
    factories.order(till, days_ago=9, external_id="o1")
    factories.order(web, days_ago=2, external_id="o2")
    return till, web


def merged() -> tuple[Customer, Customer, Merge]:
    till, web = two_people()
    merging.merge(kept=till.pk, gone=web.pk, actor=factories.user(), now=LATER)
    return till, web, Merge.objects.get()


def test_a_merge_moves_everything_to_whoever_stays() -> None:
    till, web, log = merged()
    row = Customer.objects.get()
    assert (row.pk, row.external_id, row.email, row.first_name) == (
        till.pk,
        "7",
        "ada@x.example",
        "Ada",
    )
    assert row.attributes == {"plan": "trial", "city": "Leeds", "shoe": 38}
    assert set(Event.objects.values_list("customer_id", flat=True)) == {till.pk}
    assert set(Order.objects.values_list("customer_id", flat=True)) == {till.pk}
    assert set(OrderLine.objects.values_list("customer_id", flat=True)) == {till.pk}
    assert (row.rollup.orders, row.rollup.revenue) == (2, 9)
    assert Customer.every.get(pk=web.pk).merged_into == row
    assert log.moved == {"events": 4, "orders": 1, "names": 2}
    assert identify.resolve(
        people=[Person(email="ada@x.example"), Person(anonymous_id="v2")], source="t", now=LATER
    ) == [till.pk, till.pk]


def test_undoing_gives_everybody_exactly_what_was_theirs() -> None:
    till, web = two_people()
    before = state()
    merging.merge(kept=till.pk, gone=web.pk, actor=None, now=LATER)
    assert state() != before
    back = merging.undo(merge_id=Merge.objects.get().pk, actor=factories.user(), now=LATER)
    assert back == web.pk
    assert state() == before
    assert Merge.objects.get().undone_at == LATER
    assert list(AuditEntry.objects.order_by("id").values_list("action", flat=True)) == [
        "people.merged",
        "people.parted",
    ]


def test_what_came_while_two_were_one_goes_with_the_name_it_came_under() -> None:
    till, web, log = merged()
    tell(
        view("later1", 5, email="ada@x.example"),
        view("later2", 6, external_id="7"),
        said("later3", 7, {"shoe": 39}, email="ada@x.example"),
        view("later4", 8, anonymous_id="v2"),
        now=LATER,
    )
    merging.undo(merge_id=log.pk, actor=None, now=LATER)
    whose = dict(Event.objects.values_list("message_id", "customer_id"))
    assert {name: whose[name] for name in ("later1", "later2", "later3", "later4")} == {
        "later1": web.pk, "later2": till.pk, "later3": web.pk, "later4": web.pk,
    }  # fmt: skip
    assert Customer.objects.get(pk=web.pk).attributes["shoe"] == 39
    assert "shoe" not in Customer.objects.get(pk=till.pk).attributes


def test_a_claim_that_was_undone_is_refused_for_good() -> None:
    tell(view("a", 0, email="ada@x.example"), view("b", 1, external_id="7"))
    tell(view("c", 2, external_id="7", email="ada@x.example"))
    log = Merge.objects.get()
    assert (log.kind, log.evidence["stronger"], log.evidence["weaker"]) == (
        "claim",
        ["external", "7"],
        ["email", "ada@x.example"],
    )
    merging.undo(merge_id=log.pk, actor=None, now=LATER)
    tell(view("d", 3, external_id="7", email="ada@x.example"), now=LATER)
    assert Customer.objects.count() == 2
    assert person(email="ada@x.example").external_id is None
    assert IdentityLink.objects.get().state == "refused"
    assert dict(Event.objects.values_list("message_id", "customer__external_id")) == {
        "a": None, "b": "7", "c": "7", "d": "7",
    }  # fmt: skip


def test_an_alias_joins_two_numbers_and_says_so() -> None:
    tell(view("a", 0, external_id="old"), view("b", 1, external_id="new"))
    tell(
        Incoming(
            "alias", NOW, "c", call="alias", external_id="new", previous_id="old",
        )
    )  # fmt: skip
    row = Customer.objects.get()
    assert row.external_id == "new"
    assert set(row.identities.filter(kind="external").values_list("value", flat=True)) == {
        "new",
        "old",
    }
    log = Merge.objects.get()
    assert (log.kind, log.evidence["stronger"][1], log.evidence["weaker"][1]) == (
        "alias",
        "new",
        "old",
    )
    merging.undo(merge_id=log.pk, actor=None, now=LATER)
    assert Customer.objects.count() == 2
    seen = Event.objects.filter(type="viewed").values_list("message_id", "customer__external_id")
    assert dict(seen) == {"a": "old", "b": "new"}


def test_merging_in_a_circle_does_no_harm() -> None:
    one, two, three = (factories.customer(consent=None) for _ in range(3))
    merging.merge(kept=one.pk, gone=two.pk, actor=None, now=NOW)
    merging.merge(kept=two.pk, gone=three.pk, actor=None, now=NOW)
    with pytest.raises(Conflict, match="one person already"):
        merging.merge(kept=three.pk, gone=one.pk, actor=None, now=NOW)
    assert list(Customer.objects.values_list("pk", flat=True)) == [one.pk]
    assert {c.merged_into_id for c in Customer.every.exclude(pk=one.pk)} == {one.pk}


def test_merges_are_undone_in_any_order() -> None:
    one, two, three = (factories.customer(consent=None) for _ in range(3))
    before = state()
    merging.merge(kept=one.pk, gone=two.pk, actor=None, now=NOW)
    merging.merge(kept=one.pk, gone=three.pk, actor=None, now=NOW)
    first, second = Merge.objects.order_by("id")
    merging.undo(merge_id=first.pk, actor=None, now=LATER)
    assert {c.pk for c in Customer.objects.all()} == {one.pk, two.pk}
    merging.undo(merge_id=second.pk, actor=None, now=LATER)
    assert state() == before
    with pytest.raises(Conflict, match="undone before"):
        merging.undo(merge_id=first.pk, actor=None, now=LATER)
    with pytest.raises(NotFound):
        merging.undo(merge_id=0, actor=None, now=LATER)


def test_people_without_any_name_can_be_merged_and_parted() -> None:
    one = Customer.objects.create(first_name="Ada", last_name="Lovelace")
    two = Customer.objects.create(first_name="A.", country="GB")
    merging.merge(kept=one.pk, gone=two.pk, actor=None, now=NOW)
    row = Customer.objects.get()
    assert (row.first_name, row.last_name, row.country) == ("Ada", "Lovelace", "GB")
    merging.undo(merge_id=Merge.objects.get().pk, actor=None, now=LATER)
    assert sorted(Customer.objects.values_list("first_name", "country")) == [
        ("A.", "GB"),
        ("Ada", ""),
    ]


@pytest.mark.parametrize(
    ("stays", "goes", "after"),
    [
        (True, False, False),
        (False, True, False),
        (True, None, True),
        (None, True, True),
        (None, False, False),
        (None, None, None),
    ],
)
def test_a_no_by_either_is_a_no(stays: bool | None, goes: bool | None, after: bool | None) -> None:
    one, two = factories.customer(consent=stays), factories.customer(consent=goes)
    before = state()
    merging.merge(kept=one.pk, gone=two.pk, actor=None, now=NOW)
    answer = Consent.objects.filter(customer=one, current=True).first()
    assert (answer.granted if answer else None) == after
    merging.undo(merge_id=Merge.objects.get().pk, actor=None, now=LATER)
    assert state() == before


def test_answers_of_a_crowd_take_no_more_queries_than_those_of_one() -> None:
    def follow(people: int) -> tuple[int, bool]:
        one = factories.customer()
        others = [factories.customer(consent=n % 2 == 0) for n in range(people)]
        selves = [SelfMove(other.pk, other.pk, one.pk, None) for other in others]
        with CaptureQueriesContext(connection) as queries:
            answers.follow(selves, now=LATER)
        return len(queries), consent.may_mail(one.pk)

    few, _may = follow(2)
    assert follow(9) == (few, False)


def test_a_no_said_while_two_were_one_stays_with_both() -> None:
    one, two = factories.customer(), factories.customer()
    merging.merge(kept=one.pk, gone=two.pk, actor=None, now=NOW)
    consent.revoke(customer_ids=[one.pk], source="unsubscribe link", now=LATER)
    merging.undo(merge_id=Merge.objects.get().pk, actor=None, now=LATER)
    assert not consent.may_mail(one.pk)
    assert not consent.may_mail(two.pk)


def test_a_no_stored_by_a_job_that_began_before_the_merge_stays_with_both() -> None:
    one, two = factories.customer(), factories.customer()
    merging.merge(kept=one.pk, gone=two.pk, actor=None, now=LATER)
    consent.revoke(customer_ids=[one.pk], source="file", now=NOW)
    merging.undo(merge_id=Merge.objects.get().pk, actor=None, now=LATER)
    assert not consent.may_mail(one.pk)
    assert not consent.may_mail(two.pk)


def test_the_proof_of_a_no_names_where_it_came_from() -> None:
    one, two = factories.customer(consent=True), factories.customer(consent=False)
    merging.merge(kept=one.pk, gone=two.pk, actor=None, now=NOW)
    answer = Consent.objects.get(customer=one, current=True)
    assert (answer.granted, answer.proof["merged_from"], answer.source) == (
        False,
        two.pk,
        "sign-up form",
    )


def test_what_is_stored_for_a_merged_row_goes_to_whoever_stands_for_it_and_back() -> None:
    one, two = factories.customer(), factories.customer()
    merging.merge(kept=one.pk, gone=two.pk, actor=None, now=NOW)
    opened = Incoming("mail_opened", NOW, "late", customer_id=two.pk)
    events.record(batch=[opened], source="mail", now=NOW)
    assert Event.objects.get().customer_id == one.pk
    consent.revoke(customer_ids=[two.pk], source="unsubscribe link", now=LATER)
    assert not consent.may_mail(one.pk)
    merging.undo(merge_id=Merge.objects.get().pk, actor=None, now=LATER)
    assert Event.objects.get().customer_id == two.pk

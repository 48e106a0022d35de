"""Files of people, products and events."""

from decimal import Decimal

import pytest

from ingestion import consent
from ingestion.models import Consent, Customer, Event, Identity, Product, Suppression
from tests.ingestion.conftest import NOW

PEOPLE = (
    b"id,email,first name,last name,country,phone,accepts marketing,optin source\n"
    b"1,Ada@Example.com,Ada,Lovelace,UK,+44 20 7946 0958,yes,newsletter form\n"
    b"2,,Ben,,DE,,no,\n"
    b"3,not an address,Cleo,,FR,,yes,\n"
    b",,Nobody,,,,,\n"
    b"1,Ada@Example.com,Ada,Lovelace,UK,+44 20 7946 0958,yes,newsletter form\n"
)


def ledger(record) -> tuple[int, int, int, int]:
    return record.received, record.stored, record.duplicate, record.quarantined


def test_people_come_in_with_names_and_consent(bring) -> None:
    record = bring(PEOPLE, kind="customers")
    assert ledger(record) == (5, 3, 1, 1)
    ada = Customer.objects.get(external_id="1")
    assert (ada.email, ada.phone, ada.country) == ("ada@example.com", "+442079460958", "GB")
    assert set(ada.identities.values_list("kind", "value")) == {
        ("external", "1"),
        ("email", "ada@example.com"),
        ("phone", "+442079460958"),
    }
    assert Customer.objects.get(external_id="3").email is None
    answers = dict(
        Consent.objects.filter(current=True).values_list("customer__external_id", "granted")
    )
    assert answers == {"1": True, "2": False}  # a yes without proof is no consent
    rules = {name: entry["rows"] for name, entry in record.report["rules"].items()}
    assert rules == {
        "exact_duplicates": 1,
        "bad_contact": 1,
        "consent_granted": 1,
        "consent_refused": 1,
        "consent_without_proof": 1,
    }
    assert record.rejects.get().code == "no_person"


def test_the_same_people_again_are_duplicates_and_changes_are_stored(bring) -> None:
    bring(PEOPLE, kind="customers")
    assert ledger(bring(PEOPLE, kind="customers")) == (5, 0, 4, 1)
    changed = PEOPLE.replace(b"Lovelace", b"King", 1)
    assert ledger(bring(changed, kind="customers"))[:3] == (5, 2, 2)
    assert Consent.objects.filter(current=True).count() == 2
    # An undated yes is one answer however often it is told; a no is as new as each file.
    answers = Consent.objects.values_list("customer__external_id", "granted")
    assert sorted(answers) == [("1", True), ("2", False), ("2", False), ("2", False)]


def test_one_person_ten_thousand_times_is_one_person(bring) -> None:
    content = b"id,email\n" + b"7,ada@example.com\n" * 10_000
    assert ledger(bring(content, kind="customers")) == (10_000, 1, 9_999, 0)
    assert Customer.objects.count() == 1


def test_a_file_never_overrules_a_later_no_or_a_suppression(bring) -> None:
    bring(PEOPLE, kind="customers")
    ada = Customer.objects.get(external_id="1")
    consent.revoke(customer_ids=[ada.pk], source="unsubscribe link", now=NOW)
    consent.suppress(addresses=[ada.email], reason="unsubscribed", now=NOW)
    old = PEOPLE.replace(b"optin source", b"optin date").replace(b"newsletter form", b"2020-01-01")
    bring(old, kind="customers")
    assert Consent.objects.get(customer=ada, current=True).granted is False
    assert Suppression.objects.count() == 1
    assert consent.mailable([ada.pk]).get().reason == "suppressed"


def test_an_address_of_somebody_else_stays_where_it_is(bring) -> None:
    bring(b"id,email\n1,ada@example.com\n2,ben@example.com\n", kind="customers")
    bring(b"id,email\n2,ada@example.com\n", kind="customers")
    assert Customer.objects.get(external_id="2").email == "ben@example.com"
    assert Identity.objects.get(kind="email", value="ada@example.com").customer.external_id == "1"


def test_a_catalogue_adds_and_changes_products(bring) -> None:
    content = (
        b"sku,name,category,price,stock,active\nt1,Teapot,Kitchen,12.50,4,yes\nt2,Cup,,,,\n"
        b"t3,,,1,,\nt4,Jar,,-1,,\n"
    )
    record = bring(content, kind="products")
    assert ledger(record) == (4, 2, 0, 2)
    pot = Product.objects.get(sku="T1")
    assert (pot.name, pot.category, pot.price, pot.stock, pot.active) == (
        "Teapot",
        "Kitchen",
        Decimal("12.50"),
        4,
        True,
    )
    assert sorted(record.rejects.values_list("line", "code")) == [
        (4, "missing"),
        (5, "negative_price"),
    ]
    assert ledger(bring(content, kind="products")) == (4, 0, 2, 2)
    assert ledger(bring(content.replace(b"12.50", b"11"), kind="products")) == (4, 1, 1, 2)
    assert Product.objects.get(sku="T1").price == Decimal("11.00")
    assert Product.objects.filter(is_goods=True).count() == 2
    bring(content.replace(b"Cup", b"Next day delivery"), kind="products")
    assert list(Product.objects.filter(is_goods=False).values_list("sku", flat=True)) == ["T2"]


def test_events_come_in_once_each_under_their_person(bring) -> None:
    content = (
        b"type,timestamp,message id,customer id,properties\n"
        b'view,2026-11-01T10:00:00Z,m1,7,"{""sku"": ""A""}"\n'
        b'view,2026-11-01T10:00:00Z,m1,7,"{""sku"": ""A""}"\n'
        b'view,2026-11-01T10:00:00Z,m1,7,"{""sku"": ""B""}"\n'
        b"view,2026-11-02T10:00:00Z,m2,,\n"
        b"view,2026-10-02T10:00:00Z,m3,7,NaN\n"
        b"view,2026-10-02T10:00:00Z,m4,8,\n"
    )
    record = bring(content, kind="events")
    assert ledger(record) == (6, 2, 1, 3)
    assert sorted(record.rejects.values_list("line", "code")) == [
        (4, "conflict"),
        (5, "no_person"),
        (6, "not_json"),
    ]
    assert list(
        Event.objects.order_by("at").values_list("customer__external_id", "type", "properties")
    ) == [
        ("8", "view", {}),
        ("7", "view", {"sku": "A"}),
    ]
    assert ledger(bring(content, kind="events")) == (6, 0, 3, 3)


@pytest.mark.parametrize("kind", ["customers", "products", "events", "orders"])
def test_a_file_where_nothing_fits_is_quarantined_whole(bring, kind) -> None:
    heads = {
        "customers": b"id,email,subscribed",
        "products": b"sku,name,price",
        "events": b"type,at,customer id",
        "orders": b"order,sku,qty,date,price",
    }
    width = heads[kind].count(b",") + 1
    content = heads[kind] + b"\n" + b",".join([b"?"] * (width + 1)) + b"\n"
    assert ledger(bring(content, kind=kind)) == (1, 0, 0, 1)

"""Whoever stands on the list gets nothing: by address, domain, hash or as a person."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion import changes, consent
from ingestion.identity import merging
from ingestion.models import Customer, Merge, Suppression
from ingestion.privacy import suppressions
from ingestion.privacy.suppressions import Entry, Kind
from marketing.core.errors import Invalid, NotFound
from marketing.core.models import AuditEntry
from tests import factories
from tests.ingestion.conftest import NOW

pytestmark = pytest.mark.django_db


def stop(*words: str, channel: str = "email", **values) -> int:
    entries = [suppressions.entry_of(word, channel=channel) for word in words]
    assert None not in entries
    return suppressions.add(
        entries=entries,
        channel=channel,
        **{"source": "A list", "actor": None, "now": NOW, **values},
    )


def stopped(person: Customer, channel: str = "email") -> bool:
    reason = consent.mailable([person.pk], channel=channel).get().reason
    told = consent.suppressed(
        {"email": person.email or "", "sms": person.phone, "push": ""}, customer_id=person.pk
    )
    assert (channel in told) is (reason == "suppressed"), "the list and the gate disagree"
    column = Customer.objects.filter(pk=person.pk)
    if channel in consent.ADDRESSES:
        assert column.filter(consent.barred(channel=channel)).exists() is (reason == "suppressed")
        assert column.filter(consent.open_to(channel=channel)).exists() is (reason != "suppressed")
    return reason == "suppressed"


def at(address: str, **values) -> Customer:
    return factories.customer(f"p{abs(hash(address)) % 10**9}", email=address, **values)


def test_a_domain_stops_its_own_addresses_and_with_a_star_those_under_it() -> None:
    mine, under = at("a@shop.example"), at("b@mail.shop.example")
    other, longer = at("c@myshop.example"), at("d@shop.example.org")
    stop("shop.example")
    assert [stopped(p) for p in (mine, under, other, longer)] == [True, False, False, False]
    stop("*.shop.example")
    assert [stopped(p) for p in (mine, under, other, longer)] == [True, True, False, False]


def test_a_hash_stops_the_address_that_nobody_wrote_down() -> None:
    ada, ben = at("ada@example.com"), at("ben@example.com")
    stop(hashlib.sha256(b"ada@example.com").hexdigest().upper())
    assert stopped(ada)
    assert not stopped(ben)
    assert not Suppression.objects.filter(address__contains="ada").exists()


def test_a_person_is_stopped_on_every_channel_and_under_every_address_they_come_to_have() -> None:
    ada = factories.customer("ada", phone="+442079460958")
    for channel in ("sms", "push"):
        consent.grant(
            customer_ids=[ada.pk], channel=channel, source="form", proof={"x": 1}, now=NOW
        )
    assert suppressions.add_person(customer_id=ada.pk, actor=None, now=NOW)
    assert not suppressions.add_person(customer_id=ada.pk, actor=None, now=NOW)
    Customer.objects.filter(pk=ada.pk).update(email="new@example.org")
    ada.refresh_from_db()
    assert [stopped(ada, channel) for channel in ("email", "sms", "push")] == [True] * 3


def test_a_person_stopped_on_one_channel_is_written_to_on_the_others() -> None:
    ada = factories.customer("ada", phone="+442079460958")
    consent.grant(customer_ids=[ada.pk], channel="sms", source="form", proof={"x": 1}, now=NOW)
    suppressions.add_person(customer_id=ada.pk, channel="sms", actor=None, now=NOW)
    assert [stopped(ada, channel) for channel in ("email", "sms")] == [False, True]


def test_whoever_a_stopped_person_becomes_is_stopped_until_they_are_parted() -> None:
    ada, twin = factories.customer("ada"), factories.customer("twin")
    suppressions.add_person(customer_id=twin.pk, actor=None, now=NOW)
    merging.merge(kept=ada.pk, gone=twin.pk, actor=None, now=NOW)
    ada.refresh_from_db()
    assert stopped(Customer.objects.get(pk=merging.current(ada.pk)))
    merging.undo(merge_id=Merge.objects.get().pk, actor=None, now=NOW)
    assert not stopped(ada)
    assert stopped(twin)


def test_a_person_who_is_gone_cannot_be_stopped() -> None:
    with pytest.raises(NotFound):
        suppressions.add_person(customer_id=404, actor=None, now=NOW)


labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,6}[a-z0-9])?", fullmatch=True)


@given(
    st.lists(labels, min_size=1, max_size=8),
    st.text("abcxyz.+-", min_size=1, max_size=8),
    st.lists(labels, min_size=1, max_size=3),
    st.data(),
)
def test_an_address_is_stopped_exactly_by_the_names_it_is_known_by(parts, local, other, data):
    address = f"{local}@{'.'.join(parts)}"
    Suppression.objects.all().delete()
    person = Customer.objects.get_or_create(external_id="known")[0]
    Customer.objects.filter(pk=person.pk).update(email=address)
    person.refresh_from_db()
    known = consent.known_as(address, [person.pk])
    decoys = [".".join([*other, *parts]), "*." + ".".join([*other, *parts]), f"x{address}"]
    name = data.draw(st.sampled_from([*known, *(d for d in decoys if d not in known)]))
    kind = "address" if "@" in name else "domain"
    if name.startswith("person:"):
        kind = "person"
    elif len(name) == 64 and "." not in name:
        kind = "sha256"
    Suppression.objects.create(
        address=name, kind=kind, reason="manual", customer=person if kind == "person" else None
    )
    expected = name in known
    assert Customer.objects.filter(pk=person.pk).filter(consent.barred()).exists() is expected
    assert Customer.objects.filter(pk=person.pk).filter(consent.open_to()).exists() is not expected
    told = consent.suppressed({"email": address}, customer_id=person.pk)
    assert bool(told) is expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (" Ada@Example.COM ", Entry(Kind.ADDRESS, "ada@example.com")),
        ("<ada@example.com>", Entry(Kind.ADDRESS, "ada@example.com")),
        ("@example.com", Entry(Kind.DOMAIN, "example.com")),
        ("*.example.co.uk", Entry(Kind.DOMAIN, "*.example.co.uk")),
        ("Example.com", Entry(Kind.DOMAIN, "example.com")),
        ("a" * 64, Entry(Kind.HASH, "a" * 64)),
        ("*", None),
        ("*.com", None),
        ("*.*.com", None),
        ("com", None),
        ("*.a.example.co.uk", Entry(Kind.DOMAIN, "*.a.example.co.uk")),
        ("*.a.b.example.co.uk", None),
        ("a.b.example.co.uk", Entry(Kind.DOMAIN, "a.b.example.co.uk")),
        ("12.5", None),
        ("someone@", None),
        ("", None),
        ("x" * 250 + "@a.example", None),
        ("Ada@Bücher.example", Entry(Kind.ADDRESS, "ada@xn--bcher-kva.example")),
        ("*.bücher.example", Entry(Kind.DOMAIN, "*.xn--bcher-kva.example")),
        ("ü" * 200 + ".example", None),
    ],
)
def test_a_word_is_read_as_what_it_names(word, expected) -> None:
    assert suppressions.entry_of(word) == expected


def test_phone_numbers_are_read_as_people_keep_them() -> None:
    found = suppressions.read("mobile,name\n+44 20 7946-0958,Ada\n(020) 7946 0000,Ben\nx,Cleo\n",
                              channel="sms")  # fmt: skip
    assert [entry.name for entry in found.entries] == ["+442079460958", "02079460000"]
    assert found.strange == ["x"]


@pytest.mark.parametrize(
    "text",
    [
        "ada@example.com\nben@example.com\nshop.example\n",
        "ada@example.com, ben@example.com; shop.example",
        "\ufeffName;E-Mail;Since\nAda;ada@example.com;2020\nBen;ben@example.com;2021\n;shop.example;\n",
        "email\tnote\r\nada@example.com\t=1+1\r\nben@example.com\t\r\nshop.example\t\r\n",
        'ADA@example.com,"said ""no"""\nben@example.com\nada@example.com\nshop.example,1\n',
    ],
)
def test_lists_are_read_as_they_come(text: str) -> None:
    found = suppressions.read(text)
    assert {entry.name for entry in found.entries} == {
        "ada@example.com",
        "ben@example.com",
        "shop.example",
    }
    assert found.strange == []


def test_the_column_that_the_channel_sends_to_is_the_one_that_counts() -> None:
    text = (
        "\nName;Phone-Number;E-Mail Address;Site\nAda;+491511234567;ada@shop.example;mail.example"
    )
    assert suppressions.read(text).entries == [Entry(Kind.ADDRESS, "ada@shop.example")]
    assert suppressions.read(text, channel="sms").entries == [Entry(Kind.ADDRESS, "+491511234567")]


def test_a_quote_without_its_fellow_swallows_no_line_that_follows() -> None:
    lines = [f"p{n}@shop.example,Person {n}" for n in range(9_000)]
    lines[9] = '"p9@shop.example,Person'
    found = suppressions.read("\n".join(["email,name", *lines]))
    assert (len(found.entries), found.strange) == (9_000, [])
    found = suppressions.read('name,email\n"Ada,ada@shop.example\nBen,ben@shop.example\n')
    assert [entry.name for entry in found.entries] == ["ada@shop.example", "ben@shop.example"]


def test_every_line_that_names_no_address_is_told() -> None:
    text = "name,email\nAda,ada@shop.example\nBen Smith,\nCleo,none\nDan\n"
    assert suppressions.read(text).strange == ["Ben Smith", "none", "Dan"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_a_file_is_read_as_spreadsheets_save_it(encoding: str) -> None:
    raw = "姓名,邮箱,网站\n王芳,fang@shop.example,mail.example\n".encode(encoding)
    found = suppressions.read("\n" + suppressions.text_of(raw))
    assert found.entries == [Entry(Kind.ADDRESS, "fang@shop.example")]
    western = suppressions.text_of("Name;Mail\nZoé;zoe@shop.example\n".encode("cp1252"))
    assert suppressions.read(western).entries == [Entry(Kind.ADDRESS, "zoe@shop.example")]


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader_or_names_anything_twice(text: str) -> None:
    for channel in ("email", "sms"):
        found = suppressions.read(text, channel=channel)
        assert len(set(found.entries)) == len(found.entries)


def test_what_stands_on_the_list_keeps_its_reason_and_only_new_ones_are_counted() -> None:
    assert stop("ada@example.com", reason="complained", note="Ticket 12") == 1
    assert stop("ada@example.com", "ben@example.com", reason="imported") == 1
    row = Suppression.objects.get(address="ada@example.com")
    assert (row.reason, row.note, row.source) == ("complained", "Ticket 12", "A list")
    entry = AuditEntry.objects.order_by("-id").first()
    assert (entry.action, entry.detail["new"], entry.detail["addresses"]) == (
        "suppression.added",
        1,
        2,
    )
    assert "ada@example.com" not in str(list(AuditEntry.objects.values()))


@pytest.mark.parametrize("wrong", [{"channel": "pigeon"}, {"reason": "erased"}])
def test_a_channel_or_reason_that_is_none_is_refused(wrong) -> None:
    with pytest.raises(Invalid):
        stop("ada@example.com", **{"channel": "email", **wrong})
    assert not Suppression.objects.exists()


def test_lifting_says_who_and_why_and_lets_mail_go_there_again() -> None:
    ada, admin = at("a@shop.example"), factories.user("admin")
    stop("*.shop.example")
    row = Suppression.objects.get()
    suppressions.lift(suppression_id=row.pk, why="They are customers now", actor=admin)
    assert not stopped(ada)
    entry = AuditEntry.objects.get(action="suppression.lifted")
    assert entry.actor == admin
    assert entry.detail == {
        "channel": "email",
        "kind": "domain",
        "why": "They are customers now",
        "name": "*.shop.example",
    }
    with pytest.raises(NotFound):
        suppressions.lift(suppression_id=row.pk, actor=None)


def test_a_search_for_an_address_finds_whatever_stops_it() -> None:
    ada = at("a@mail.shop.example")
    stop("*.shop.example", "a@mail.shop.example", "other.example", "a@mail.shop.example.org")
    stop(hashlib.sha256(b"a@mail.shop.example").hexdigest())
    suppressions.add_person(customer_id=ada.pk, actor=None, now=NOW)
    found = suppressions.found(text="A@mail.shop.example")
    assert {row.kind for row in found} == {"address", "domain", "sha256", "person"}
    assert {row.address for row in suppressions.found(text="a@mail")} == {
        "a@mail.shop.example",
        "a@mail.shop.example.org",
    }
    assert suppressions.found(text="nobody").count() == 0
    assert suppressions.found(kind="domain").count() == 2


def test_segments_are_told_whom_a_suppression_concerns() -> None:
    ada = factories.customer("ada")
    before = changes.position()
    suppressions.add_person(customer_id=ada.pk, actor=None, now=NOW)
    assert changes.since(before).of([("consent", "")]) == {ada.pk}
    before = changes.position()
    stop("shop.example")
    assert changes.since(before).of([("consent", "")]) is None

"""Duplicates are shown with reasons, merged and parted with one press, and only by who may."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from ingestion.identity import suggestions
from ingestion.models import Customer, Merge, RefusedName, Twins
from tests import factories
from tests.ingestion.conftest import NOW

pytestmark = pytest.mark.django_db
LIST = reverse("ingestion:duplicate-list")


@pytest.fixture
def pair() -> tuple[Customer, Customer]:
    one = factories.customer("ada", email="ada.bell@gmail.com", last_name="Bell")
    two = factories.customer("ada", email="adabell@gmail.com", last_name="Bell", external_id="z9")
    Twins.objects.create(
        left=one,
        right=two,
        score=95,
        evidence=[["mailbox", 70, one.email, two.email], ["country", -20, "GB", "FR"]],
    )
    return one, two


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(factories.user("admin"))
    return client


def page(client: Client, address: str = LIST) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_an_empty_page_says_when_people_are_compared(admin: Client) -> None:
    assert "every night" in page(admin)
    assert "Nobody was merged yet" in page(admin, reverse("ingestion:merge-history"))


def test_a_pair_stands_with_what_speaks_for_and_against_it(
    admin: Client, pair: tuple[Customer, Customer]
) -> None:
    text = page(admin)
    assert "Same mailbox" in text
    assert "Different countries" in text
    assert "Merge 1 certain pair" in text


def test_the_two_are_shown_side_by_side_with_what_will_stand(
    admin: Client, pair: tuple[Customer, Customer]
) -> None:
    one, two = pair
    text = page(admin, reverse("ingestion:merge-preview", args=[one.pk, two.pk]))
    assert "ada.bell@gmail.com" in text
    assert "adabell@gmail.com" in text
    assert "differs" in text
    gone = admin.get(reverse("ingestion:merge-preview", args=[one.pk, 0]))
    assert gone.status_code == 302


def test_merging_and_undoing_from_the_pages(admin: Client, pair: tuple[Customer, Customer]) -> None:
    one, two = pair
    admin.post(reverse("ingestion:people-merge", args=[one.pk, two.pk]))
    assert list(Customer.objects.all()) == [one]
    log = Merge.objects.get()
    assert (log.kind, log.evidence["score"]) == ("suggested", 95)
    assert "accepted the suggestion, 95 points sure" in page(
        admin, reverse("ingestion:merge-history")
    )
    assert admin.get(reverse("customer", args=[two.pk]))["Location"] == reverse(
        "customer", args=[one.pk]
    )
    own = reverse("customer", args=[one.pk])
    assert "Became one person" in page(admin, own)
    answer = admin.post(reverse("ingestion:merge-undo", args=[log.pk]), {"next": own})
    assert answer["Location"] == own
    assert Customer.objects.count() == 2
    again = admin.post(
        reverse("ingestion:merge-undo", args=[log.pk]), {"next": "//evil.example"}, follow=True
    )
    assert again.redirect_chain[0][0] == LIST
    assert "undone before" in again.content.decode()
    assert not suggestions.waiting().exists()


def test_not_the_same_is_remembered(admin: Client, pair: tuple[Customer, Customer]) -> None:
    one, two = pair
    admin.post(reverse("ingestion:people-apart", args=[one.pk, two.pk]))
    assert Twins.objects.get().state == "apart"
    assert "adabell@gmail.com" in page(admin, f"{LIST}?show=apart")
    assert "adabell@gmail.com" not in page(admin)


def test_a_refused_name_is_listed_with_its_remedy_and_can_be_allowed(admin: Client) -> None:
    row = RefusedName.objects.create(
        kind="external", value="<b>null</b>", reason="placeholder", times=7, source="shop"
    )
    text = page(admin)
    assert "&lt;b&gt;null&lt;/b&gt;" in text
    assert "Sent 7 times, last by shop" in text
    admin.post(reverse("ingestion:name-allow", args=[row.pk]))
    row.refresh_from_db()
    assert row.allowed


def test_jobs_are_started_from_the_page(admin: Client, pair: tuple[Customer, Customer]) -> None:
    admin.post(reverse("ingestion:people-compare"))
    assert (
        "already" in admin.post(reverse("ingestion:people-compare"), follow=True).content.decode()
    )
    admin.post(reverse("ingestion:merge-certain"))
    text = page(admin)
    assert "Merge the certain duplicates" in text


def test_who_may_only_look_cannot_merge(client: Client, pair: tuple[Customer, Customer]) -> None:
    client.force_login(factories.user("analyst"))
    assert "Merge 1 certain pair" not in page(client)
    one, two = pair
    for name, args in (
        ("people-merge", [one.pk, two.pk]),
        ("people-apart", [one.pk, two.pk]),
        ("people-compare", []),
        ("merge-certain", []),
        ("merge-undo", [1]),
        ("name-allow", [1]),
    ):
        assert client.post(reverse(f"ingestion:{name}", args=args)).status_code == 403
    assert Customer.objects.count() == 2


def test_pages_ask_few_questions(admin: Client, pair: tuple[Customer, Customer]) -> None:
    one, two = pair
    suggestions.merge(kept=one.pk, gone=two.pk, actor=None, now=NOW)
    for address in (LIST, reverse("ingestion:merge-history"), reverse("customer", args=[one.pk])):
        with CaptureQueriesContext(connection) as asked:
            page(admin, address)
        # Savepoints are made by the test's own transaction, settings ask for nothing, and a
        # statement is prepared once a connection.
        idle = ("SAVEPOINT", "RELEASE", "SET LOCAL", "PREPARE")
        assert sum(not query["sql"].startswith(idle) for query in asked) <= 20

"""The page of whom nothing is sent to: adding, importing, searching, lifting, exporting."""

import csv
import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from ingestion import consent
from ingestion.models import Suppression
from marketing.core.models import AuditEntry
from tests import factories

pytestmark = pytest.mark.django_db


def at(name: str, *args: object) -> str:
    return reverse(f"ingestion:{name}", args=args)


def test_a_file_is_read_by_its_column_and_told_what_was_new_known_and_strange() -> None:
    page = factories.signed_in()
    text = "name,email\nAda,ada@example.com\nBen,*.ben.example\nCleo,nothing\n"
    sent = {
        "file": SimpleUploadedFile("robinson.csv", text.encode("utf-8-sig")),
        "reason": "imported",
        "note": "Robinson list",
    }
    told = page.post(at("suppression-add"), sent, follow=True).content.decode()
    assert "2 entries were added. 1 line names no address, such as: nothing" in told
    row = Suppression.objects.get(kind="domain")
    assert (row.address, row.reason, row.source, row.note) == (
        "*.ben.example",
        "imported",
        "File robinson.csv",
        "Robinson list",
    )
    again = page.post(at("suppression-add"), {"addresses": "ada@example.com"}, follow=True)
    assert "0 entries were added. 1 was on the list before." in again.content.decode()


def test_nothing_is_added_of_a_text_without_addresses_or_for_a_reason_that_is_none() -> None:
    page = factories.signed_in()
    told = page.post(at("suppression-add"), {"addresses": "no such thing"}, follow=True)
    assert "No address was found in it. Nothing was added." in told.content.decode()
    wrong = {"addresses": "ada@example.com", "reason": "erased"}
    told = page.post(at("suppression-add"), wrong, follow=True)
    assert "There is no such reason. Nothing was added." in told.content.decode()
    assert not Suppression.objects.exists()


def test_a_person_is_stopped_from_their_page_and_lifted_there_with_a_reason() -> None:
    page, ada = factories.signed_in(), factories.customer("ada")
    own = at("person-privacy", ada.pk)
    assert "Send them nothing more" in page.get(own).content.decode()
    answer = page.post(at("person-suppress", ada.pk), {"back": own})
    assert answer["Location"] == own
    text = page.get(own).content.decode()
    assert "This person is on the suppression list" in text
    assert "Send them nothing more" not in text
    row = Suppression.objects.get(customer=ada)
    page.post(at("suppression-lift"), {"id": row.pk, "why": "They asked for it", "back": own})
    assert not Suppression.objects.exists()
    entry = AuditEntry.objects.get(action="suppression.lifted")
    assert entry.detail["why"] == "They asked for it"


def test_back_leads_to_pages_of_ours_alone() -> None:
    page, ada = factories.signed_in(), factories.customer("ada")
    for elsewhere in ("https://evil.example/", "//evil.example", "javascript:alert(1)"):
        answer = page.post(at("person-suppress", ada.pk), {"back": elsewhere})
        assert answer["Location"] == at("privacy-suppression")


def test_the_export_holds_what_was_searched_for_and_no_formula() -> None:
    page = factories.signed_in()
    page.post(at("suppression-add"), {"addresses": "ada@example.com shop.example", "note": "=1+1"})
    answer = page.get(at("suppression-export"), {"kind": "domain"})
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(r["channel"], r["kind"], r["value"], r["note"]) for r in rows] == [
        ("email", "domain", "shop.example", "'=1+1")
    ]
    assert AuditEntry.objects.filter(action="suppression.exported").count() == 1


@pytest.mark.parametrize("name", ["suppression-add", "suppression-lift"])
def test_whoever_only_looks_sees_the_list_and_changes_nothing(name: str) -> None:
    page = factories.signed_in("analyst")
    text = page.get(at("privacy-suppression")).content.decode()
    assert "Add to the list" not in text
    assert page.post(at(name), {"addresses": "ada@example.com"}).status_code == 403
    assert page.get(at("suppression-export")).status_code == 403
    assert not Suppression.objects.exists()


def test_a_search_shows_the_domain_that_stops_an_address(django_assert_max_num_queries) -> None:
    page = factories.signed_in()
    page.post(at("suppression-add"), {"addresses": "*.shop.example other.example"})
    with django_assert_max_num_queries(20):
        found = page.get(at("privacy-suppression"), {"q": "a@mail.shop.example"})
    text = found.content.decode()
    assert "*.shop.example</span>" in text
    assert "other.example</span>" not in text


def test_a_domain_of_any_script_is_found_as_written_and_shown_in_both_forms() -> None:
    page = factories.signed_in()
    page.post(at("suppression-add"), {"addresses": "bücher.example"})
    assert consent.is_suppressed(address="ada@xn--bcher-kva.example")
    for asked in ("Bücher.example", "xn--bcher-kva.example", "ada@bücher.example"):
        text = page.get(at("privacy-suppression"), {"q": asked}).content.decode()
        assert "bücher.example (xn--bcher-kva.example)</span>" in text

"""Integrators tell what people answered: per channel and purpose, with proof, item by item."""

import pytest

from ingestion import consent
from ingestion.models import Consent, ConsentText, Customer
from marketing.core import auth
from tests import factories

pytestmark = pytest.mark.django_db
YES = {
    "email": "Ada@Example.com",
    "granted": True,
    "at": "2026-11-01T10:00:00Z",
    "method": "form",
    "proof": {"form": "newsletter", "page": "/join"},
}


def test_an_answer_is_kept_with_its_proof_and_twice_is_once(api) -> None:
    answer = api.post("/api/v1/consents/", YES)
    assert (answer.status_code, answer.json()["status"]) == (201, "updated")
    again = api.post("/api/v1/consents/", YES)
    assert (again.status_code, again.json()["status"]) == (200, "unchanged")
    row = Consent.objects.get()
    assert (row.granted, row.method, row.source, row.proof) == (True, "form", "API", YES["proof"])
    assert consent.may_mail(Customer.objects.get(email="ada@example.com").pk)


def test_each_item_is_answered_for_itself(api) -> None:
    batch = [
        YES,
        {**YES, "channel": "sms", "purpose": "profiling"},
        {**YES, "proof": None},
        {**YES, "proof": []},
        {**YES, "granted": "yes"},
        {**YES, "channel": "pigeon"},
        {**YES, "purpose": "astrology"},
        {**YES, "method": "telepathy"},
        {**YES, "at": "yesterday"},
        {**YES, "at": "2026-11-01T10:00:00"},
        {**YES, "text_version": 7},
        {**YES, "shoe": 1},
        {"granted": False},
        5,
    ]
    answer = api.post("/api/v1/consents/", batch).json()
    assert answer["counts"] == {"updated": 2, "invalid": 12}
    assert [
        (r["error"]["field"], r["error"]["code"]) for r in answer["results"] if "error" in r
    ] == [
        ("proof", "proof_missing"),
        ("proof", "not_an_object"),
        ("granted", "not_yes_or_no"),
        ("channel", "unknown_channel"),
        ("purpose", "unknown_purpose"),
        ("method", "unknown_method"),
        ("at", "not_a_date"),
        ("at", "not_a_date"),
        ("text_version", "unknown_text"),
        ("shoe", "unknown_field"),
        ("external_id", "no_person"),
        (None, "not_an_object"),
    ]


def test_an_older_yes_never_undoes_a_no(api) -> None:
    person = factories.customer("ada", consent=None)
    no = {"external_id": person.external_id, "granted": False, "at": "2026-11-10T10:00:00Z"}
    assert api.post("/api/v1/consents/", no).json()["status"] == "updated"
    late = {**YES, "external_id": person.external_id}
    assert api.post("/api/v1/consents/", late).json()["status"] == "unchanged"
    undated = {**late, "at": None}
    assert api.post("/api/v1/consents/", undated).json()["status"] == "unchanged"
    assert not consent.may_mail(person.pk)
    newer = {**late, "at": "2026-11-12T10:00:00Z"}
    assert api.post("/api/v1/consents/", newer).json()["status"] == "updated"
    assert consent.may_mail(person.pk)


def test_the_words_that_were_agreed_to_are_named_by_their_version(api) -> None:
    text = ConsentText.objects.create(purpose="marketing", version=2, text="May we write?")
    api.post("/api/v1/consents/", {**YES, "text_version": 2})
    assert Consent.objects.get().text == text


def test_answers_can_be_listed_and_those_that_count_alone(api) -> None:
    person = factories.customer("ada", consent=None)
    for at, granted in (("2026-11-01T10:00:00Z", True), ("2026-11-02T10:00:00Z", False)):
        api.post(
            "/api/v1/consents/",
            {**YES, "external_id": person.external_id, "at": at, "granted": granted},
        )
    url = f"/api/v1/consents/?customer={person.external_id}"
    assert [row["granted"] for row in api.get(url).json()["data"]] == [False, True]
    (row,) = api.get(f"{url}&current=true&channel=email&purpose=marketing").json()["data"]
    assert (row["granted"], row["customer"], row["method"]) == (False, person.external_id, "form")


def test_a_key_needs_the_scope_for_consents(api) -> None:
    for scope, status in (("customers:write", 403), ("consents:write", 201)):
        _key, secret = auth.create_key(name=scope, scopes=[scope], user=None)
        api.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
        assert api.post("/api/v1/consents/", YES).status_code == status


def test_a_question_that_is_neither_yes_nor_no_is_refused_and_not_taken_for_no(api) -> None:
    for asked in ("AAA", "null", "2", ""):
        answer = api.get("/api/v1/consents/", {"current": asked})
        assert (answer.status_code, answer.json()["error"]["field"]) == (422, "current"), asked
    assert api.get("/api/v1/consents/", {"current": "false"}).status_code == 200

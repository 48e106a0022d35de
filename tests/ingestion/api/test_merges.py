"""Programs merge people, see why people became one, and part them again."""

import pytest

from ingestion.models import Customer
from tests import factories

pytestmark = pytest.mark.django_db


def test_a_merge_is_made_listed_and_undone(api) -> None:
    one, two = (factories.customer(consent=None) for _ in range(2))
    made = api.post(f"/api/v1/customers/{one.external_id}/merge/", {"external_id": two.external_id})
    assert made.status_code == 201
    assert (made.json()["kept"], made.json()["gone"]) == (one.pk, two.pk)
    assert list(Customer.objects.all()) == [one]
    (listed,) = api.get("/api/v1/merges/").json()["data"]
    assert (listed["kind"], listed["undone_at"]) == ("person", None)
    again = api.post(f"/api/v1/customers/{two.external_id}/merge/", {"external_id": "c-none"})
    assert (again.status_code, again.json()["error"]["code"]) == (404, "customer_unknown")
    same = api.post(f"/api/v1/customers/{one.external_id}/merge/", {"external_id": two.external_id})
    assert (same.status_code, same.json()["error"]["code"]) == (409, "same_person")
    undone = api.post(f"/api/v1/merges/{listed['id']}/undo/")
    assert undone.json()["undone_at"] is not None
    assert Customer.objects.count() == 2


def test_what_is_missing_is_said(api) -> None:
    person = factories.customer()
    answer = api.post(f"/api/v1/customers/{person.external_id}/merge/", {})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "missing")
    url = f"/api/v1/customers/{person.external_id}/merge/"
    answer = api.post(url, {"external_id": "a\0b"}, format="json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "nul_byte")


def test_a_name_that_stands_for_nobody_is_refused_with_a_remedy(api) -> None:
    answer = api.post("/api/v1/customers/", {"external_id": "null"})
    assert answer.json()["error"]["code"] == "placeholder_name"
    answer = api.post("/api/v1/customers/", {"phone": "0113 4960000"})
    assert answer.json()["error"]["code"] == "no_country_code"
    assert not Customer.objects.exists()

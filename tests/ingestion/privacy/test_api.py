"""Privacy requests, copies and suppressed addresses by API, within the scopes of a key."""

import io
import zipfile
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from ingestion import consent
from ingestion.models import Consent, Customer, Erasure, PersonalExport, SuppressedDigest
from marketing.core import auth, jobs
from tests import factories
from tests.ingestion.conftest import NOW

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_var")]
REQUESTS = "/api/v1/privacy/requests/"


def keyed(*scopes: str) -> APIClient:
    _key, secret = auth.create_key(name="k", scopes=list(scopes), user=None)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def test_a_copy_from_the_request_to_the_file(api) -> None:
    factories.customer("ada")
    filed = api.post(REQUESTS, {"email": "ADA@example.com", "kind": "access"})
    assert filed.status_code == 201
    address = f"{REQUESTS}{filed.json()['id']}/"
    assert api.get(address).json()["state"] == "open"
    done = api.post(f"{address}fulfil/", {}).json()
    (copy,) = done["copies"]
    assert api.get(f"/api/v1/privacy/copies/{copy}/").json()["state"] == "making"
    assert api.post(f"/api/v1/privacy/copies/{copy}/file/").status_code == 409
    jobs.run(job_id=PersonalExport.objects.get().job_id)
    assert api.get(f"/api/v1/privacy/copies/{copy}/").json()["state"] == "ready"
    got = api.post(f"/api/v1/privacy/copies/{copy}/file/")
    assert "json/customer.json" in zipfile.ZipFile(io.BytesIO(got.content)).namelist()
    assert api.post(f"/api/v1/privacy/copies/{copy}/file/").status_code == 409
    assert api.get(f"/api/v1/privacy/copies/{copy}/").json()["state"] == "fetched"


def test_an_erasure_gives_a_receipt_and_closes_once(api) -> None:
    ada = factories.customer("ada")
    filed = api.post(REQUESTS, {"external_id": ada.external_id, "kind": "erasure"}).json()
    done = api.post(f"{REQUESTS}{filed['id']}/fulfil/", {"keep_orders": True}).json()
    receipt = Erasure.objects.get()
    assert (done["state"], done["customer"]) == ("done", None)
    assert (done["receipts"], receipt.mode) == ([str(receipt.public_id)], "anonymise")
    assert api.post(f"{REQUESTS}{filed['id']}/fulfil/", {}).status_code == 409
    assert len(api.get(REQUESTS, {"state": "done"}).json()["data"]) == 1


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"kind": "access"}, 422, "external_id"),
        ({"email": "nobody@example.com", "kind": "access"}, 404, None),
        ({"email": "ada@example.com", "kind": "fame"}, 422, "kind"),
        ({"email": "ada@example.com", "kind": ["access"]}, 422, "kind"),
        ({"email": 7, "kind": "access"}, 422, "email"),
        ({"email": "ada@example.com", "kind": "access", "note": "x" * 3000}, 422, "note"),
        ({"email": "ada@example.com", "kind": "access", "by": "x"}, 422, "by"),
        ([], 422, None),
    ],
)
def test_what_is_wrong_is_said_and_nothing_filed(api, body, status, field) -> None:
    factories.customer("ada")
    refused = api.post(REQUESTS, body)
    assert (refused.status_code, refused.json()["error"]["field"]) == (status, field)
    assert api.get(REQUESTS).json()["data"] == []


def test_a_key_sees_and_does_only_what_its_scopes_say() -> None:
    ada = factories.customer("ada")
    body = {"email": ada.email, "kind": "access"}
    other = keyed("customers:read", "customers:write", "consents:read")
    reading = keyed("privacy:read")
    for path in (REQUESTS, f"{REQUESTS}{uuid4()}/", f"/api/v1/privacy/copies/{uuid4()}/"):
        assert other.get(path).status_code == 403
    assert other.post(REQUESTS, body).status_code == 403
    assert other.post("/api/v1/suppressions/", {"address": "x@example.com"}).status_code == 403
    assert reading.post(REQUESTS, body).status_code == 403
    assert reading.get(REQUESTS).status_code == 200
    assert reading.post(f"/api/v1/privacy/copies/{uuid4()}/file/").status_code == 403
    for role, status in (("admin", 200), ("marketer", 403), ("analyst", 403), ("integrator", 403)):
        signed = APIClient()
        signed.force_login(factories.user(role))
        assert signed.get(REQUESTS).status_code == status, role


def test_addresses_are_suppressed_listed_and_lifted(api) -> None:
    path = "/api/v1/suppressions/"
    assert api.post(path, {"address": "Ada@Example.com"}).json() == {"received": 1, "new": 1}
    many = [{"address": "ada@example.com"}, {"address": "+442079460958", "channel": "sms"}]
    assert api.post(path, many).json() == {"received": 2, "new": 1}
    found = api.get(path, {"address": "ADA@example.com"}).json()["data"]
    assert [(row["address"], row["reason"]) for row in found] == [("ada@example.com", "manual")]
    for wrong in ({"address": "x"}, {"address": "a@example.com", "channel": "pigeon"}, {"a": 1}):
        assert api.post(path, wrong).status_code == 422
    assert api.delete(f"{path}?address=ada@example.com").status_code == 204
    assert api.delete(f"{path}?address=ada@example.com").status_code == 404
    consent.veil(addresses=["ben@example.com"], channel="email", now=NOW)
    assert len(api.get(path).json()["data"]) == 1  # a hash is not listed
    assert api.delete(f"{path}?address=ben@example.com").status_code == 204
    assert not SuppressedDigest.objects.exists()


def test_what_came_after_an_erasure_by_api_may_not_be_mailed(api) -> None:
    body = {
        "external_id": "1",
        "email": "ada@example.com",
        "consent": {
            "email": {"granted": True, "at": "2026-11-20T10:00:00Z", "proof": {"form": "footer"}}
        },
    }
    api.post("/api/v1/customers/", body)
    assert api.get("/api/v1/customers/1/").json()["may_mail"] is True
    assert api.delete("/api/v1/customers/1/").status_code == 204
    api.post("/api/v1/customers/", body)
    assert api.get("/api/v1/customers/1/").json()["may_mail"] is False
    assert Customer.objects.count() == 1
    assert Consent.objects.get().granted

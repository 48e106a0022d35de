"""The API's frame refuses clearly and answers a repeat like the first time."""

import uuid

import pytest
from django.core.cache import cache
from django.test import override_settings
from rest_framework.test import APIClient

from marketing.core import auth, jobs
from marketing.core.models import IdempotencyKey, Job
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> APIClient:
    cache.clear()
    _key, secret = auth.create_key(name="all", scopes=list(auth.SCOPES), user=None)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def waiting_job(title: str = "Features") -> Job:
    return jobs.start(kind="features.build", title=title)


def post(client: APIClient, path: str, body: bytes, **headers: str):  # type: ignore[no-untyped-def]
    return client.generic("POST", path, body, content_type="application/json", headers=headers)


@pytest.mark.parametrize(
    "body", [b"{", b"[NaN]", b'{"a": Infinity}', b"\xff\xfe", b'{"a":1} x', b"[" * 5000]
)
def test_a_body_that_is_not_json_is_refused(client: APIClient, body: bytes) -> None:
    answer = post(client, "/api/v1/events/", body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "not_json"
    assert "NaN" in answer.json()["error"]["remedy"]


@override_settings(API_BODY_LIMIT_BYTES=100)
def test_a_body_that_is_too_large_is_refused_before_it_is_parsed(client: APIClient) -> None:
    answer = post(client, "/api/v1/customers/", b"[" + b"1," * 100 + b"1]")
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "body_too_large"


def test_pages_follow_each_other_without_gap_or_repeat(client: APIClient) -> None:
    made = [str(waiting_job(f"job {n}").public_id) for n in range(5)]
    seen: list[str] = []
    url: str | None = "/api/v1/jobs/?limit=2"
    while url:
        page = client.get(url).json()
        seen += [row["id"] for row in page["data"]]
        url = page["next"]
    assert seen == made[::-1]


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "x", "9" * 40, "½"])
def test_a_page_size_out_of_range_is_refused(client: APIClient, limit: str) -> None:
    answer = client.get("/api/v1/jobs/", {"limit": limit})
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, "limit")


def test_a_forged_cursor_is_refused(client: APIClient) -> None:
    assert client.get("/api/v1/jobs/?cursor=zzzz").status_code == 404


def test_a_cancelled_job_is_answered_with_its_address(client: APIClient) -> None:
    job = waiting_job()
    answer = client.post(f"/api/v1/jobs/{job.public_id}/cancel/")
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/api/v1/jobs/{job.public_id}/"
    assert answer.json()["job"]["state"] == "stopped"


def test_cancelling_an_ended_job_is_a_conflict_and_changes_nothing(client: APIClient) -> None:
    job = waiting_job()
    Job.objects.filter(pk=job.pk).update(state=Job.State.DONE)
    answer = client.post(f"/api/v1/jobs/{job.public_id}/cancel/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "job_ended")
    job.refresh_from_db()
    assert (job.state, job.cancel_requested) == (Job.State.DONE, False)


def test_a_repeat_with_the_same_key_gets_the_first_answer(client: APIClient) -> None:
    job = waiting_job()
    path = f"/api/v1/jobs/{job.public_id}/cancel/"
    first = post(client, path, b"{}", **{"Idempotency-Key": "k1"})
    again = post(client, path, b"{}", **{"Idempotency-Key": "k1"})
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == first.json()


def test_the_same_key_for_another_request_is_a_conflict(client: APIClient) -> None:
    one, two = waiting_job(), waiting_job()
    headers = {"Idempotency-Key": "k1"}
    post(client, f"/api/v1/jobs/{one.public_id}/cancel/", b"{}", **headers)
    answer = post(client, f"/api/v1/jobs/{two.public_id}/cancel/", b"{}", **headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "key_reused")
    two.refresh_from_db()
    assert two.state == Job.State.QUEUED
    assert IdempotencyKey.objects.count() == 1


def test_an_unknown_thing_is_404_in_the_one_error_shape(client: APIClient) -> None:
    answer = client.get(f"/api/v1/jobs/{uuid.uuid4()}/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_the_schema_is_openapi_3_1_and_names_every_address(client: APIClient) -> None:
    schema = client.get("/api/schema/", {"format": "json"})
    assert schema.status_code == 200
    document = schema.json()
    assert document["openapi"].startswith("3.1")
    assert "/api/v1/jobs/{public_id}/cancel/" in document["paths"]


def test_the_documentation_page_asks_for_nothing_from_outside(client: APIClient) -> None:
    page = client.get("/api/docs/").content.decode()
    assert "http://" not in page
    assert "https://" not in page
    assert "<style" not in page


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/api/v1/orders/1/?source=a%00b", 400),
        ("/api/v1/orders/a%00b/", 400),
        ("/api/v1/orders/1/?source=ab", 404),
    ],
)
def test_an_address_with_a_zero_byte_is_refused(
    client: APIClient, address: str, status: int
) -> None:
    assert client.get(address).status_code == status


def test_a_page_is_answered_as_if_no_zero_byte_had_been_asked(client: APIClient) -> None:
    client.force_login(factories.user("admin"))
    assert client.get("/people/?q=a%00da").status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["jobs/null,null/", "campaigns/1.5/", "no/such/thing/", "jobs"])
def test_an_address_that_is_none_is_answered_in_the_one_error_shape(client, address: str) -> None:
    answer = client.get(f"/api/v1/{address}")
    if answer.status_code == 301:  # a slash is missing, as browsers are told
        assert answer["Location"] == f"/api/v1/{address}/"
        return
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/json")
    assert answer.json()["error"]["code"] == "not_found"
    assert client.get("/no/such/page/")["Content-Type"].startswith("text/html")


@pytest.mark.django_db
def test_a_host_that_is_not_ours_is_told_in_the_one_error_shape(client, settings) -> None:
    settings.ALLOWED_HOSTS = ["shop.example"]
    answer = client.get("/api/v1/jobs/", HTTP_HOST="elsewhere.example")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")

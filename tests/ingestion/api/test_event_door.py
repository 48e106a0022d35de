"""The door for programs: keys, limits and strict bodies, each answered in the one error shape."""

import gzip
import time

import orjson
import pytest
from django.db import OperationalError, connection
from rest_framework.test import APIClient

from ingestion import events
from ingestion.events import writing
from ingestion.models import Event, Inbox, Refusal, RefusedName
from marketing.core import auth, passing

ADDRESS = "/api/v1/events/"
VIEW = {"type": "view", "external_id": "7"}


@pytest.fixture(autouse=True)
def nobody_known() -> None:
    passing.forget()


def send(api: APIClient, body: object, **headers: str):
    text = body if isinstance(body, bytes) else orjson.dumps(body)
    return api.generic("POST", ADDRESS, text, content_type="application/json", **headers)


def test_a_packed_body_is_taken_and_stored(api) -> None:
    answer = send(api, gzip.compress(orjson.dumps([VIEW])), HTTP_CONTENT_ENCODING="gzip")
    assert answer.json()["counts"] == {"stored": 1}
    events.drain()
    assert Event.objects.get().customer.external_id == "7"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"type":"view","type":"cart"}', 400, "duplicate_key"),
        (b"\xff\xfe[\x00]\x00", 400, "not_json"),
        (b"[" * 100_000, 400, "not_json"),
        (b"[" + b" " * 512_000 + b"]", 413, "body_too_large"),
        (orjson.dumps([VIEW] * 1001), 413, "too_many_items"),
        (b"[]", 422, "empty_list"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_whole(api, body, status, code) -> None:
    answer = send(api, body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert Inbox.objects.count() == 0


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"message_id": "x" * 101}, "too_long", "message_id"),
        ({"properties": {"x": "y" * 33_000}}, "too_large", "properties"),
        ({"properties": {"x": "a\0b"}}, "nul_byte", "properties"),
        ({"at": "yesterday"}, "not_a_date", "at"),
        ({"at": "2026-11-01T10:00:00"}, "no_zone", "at"),
        ({"at": "2999-01-01T00:00:00Z"}, "date_in_future", "at"),
        ({"type": ""}, "missing", "type"),
        ({"type": 5}, "not_text", "type"),
        ({"shoe": 1}, "unknown_field", "shoe"),
        ({"email": "no"}, "bad_email", "email"),
        ({"external_id": "undefined"}, "placeholder_name", "external_id"),
        ({"external_id": "", "phone": "0113 4960000"}, "no_country_code", "phone"),
    ],
)
def test_one_wrong_event_is_told_kept_and_counted_and_the_others_are_taken(
    api, change, code, field
) -> None:
    answer = send(api, [VIEW, {**VIEW, **change}])
    assert answer.status_code == 200
    good, bad = answer.json()["results"]
    assert (good["status"], bad["status"]) == ("stored", "invalid")
    assert (bad["error"]["code"], bad["error"]["field"]) == (code, field)
    events.drain()
    assert (Refusal.objects.get().code, Refusal.objects.get().field) == (code, field)
    assert events.ledger("API") == events.Ledger("API", 2, 1, 0, 1, 0)


NOBODY = {
    "external_id": "null",
    "email": "none@none.com",
    "phone": "+1111111111",
    "device_id": "unknown",
    "anonymous_id": "00000000-0000-0000-0000-000000000000",
}


@pytest.mark.parametrize("field", NOBODY)
def test_an_event_of_nobody_is_refused_until_somebody_allows_the_name(api, field: str) -> None:
    event = {"type": "view", field: NOBODY[field]}
    for _ in range(2):
        answer = send(api, event)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (422, "placeholder_name")
        assert error["field"] == field
    listed = RefusedName.objects.get()
    assert (listed.value, listed.reason, listed.source) == (NOBODY[field], "placeholder", "API")
    listed.allowed = True
    listed.save()
    assert send(api, event).status_code == 201
    events.drain()
    assert Event.objects.count() == 1
    assert (Event.objects.get().customer is not None) == (
        field in ("external_id", "email", "phone")
    )


def test_a_name_of_nobody_is_dropped_where_another_name_is_somebodys(api) -> None:
    answer = send(api, [{**NOBODY, "type": "view", "anonymous_id": "a1"}])
    assert answer.json()["counts"] == {"stored": 1}
    events.drain()
    row = Event.objects.get()
    assert (row.customer, row.anonymous_id) == (None, "a1")


def test_awkward_names_are_data(api) -> None:
    names = ["__proto__", "$set", "id", "a.b", "a__b", '"; drop', "x" * 1000, ""]
    properties = {name: n for n, name in enumerate(names)}
    send(api, [{**VIEW, "properties": properties}])
    events.drain()
    assert Event.objects.get().properties == properties


def test_a_clock_that_is_wrong_is_corrected_by_the_moment_of_sending(api) -> None:
    event = {**VIEW, "at": "2020-01-01T10:00:00Z", "sent_at": "2020-01-01T10:30:00Z"}
    send(api, [event])
    events.drain()
    row = Event.objects.get()
    assert row.flags == "corrected"
    assert abs((row.received_at - row.at).total_seconds() - 1_800) < 1
    found = api.get(ADDRESS).json()["data"][0]
    assert found["flags"] == ["corrected"]


def test_an_event_sent_again_later_is_a_duplicate_though_it_named_no_time(api) -> None:
    event = {**VIEW, "message_id": "m1", "properties": {"a": 1, "b": 2}}
    assert send(api, event).status_code == 201
    time.sleep(0.01)
    assert send(api, {**event, "properties": {"b": 2, "a": 1}}).status_code == 200


def test_equal_events_without_a_name_and_a_time_are_two_deeds(api) -> None:
    assert [send(api, VIEW).json()["status"] for _ in range(2)] == ["stored", "stored"]
    events.drain()
    assert Event.objects.count() == 2


def test_a_key_without_the_right_and_no_key_at_all_are_refused(api) -> None:
    _key, secret = auth.create_key(name="reader", scopes=["events:read"], user=None)
    reader = APIClient()
    reader.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert send(reader, VIEW).status_code == 403
    reader.credentials(HTTP_AUTHORIZATION="Bearer pk_none_such")
    answer = send(reader, VIEW)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="api"')
    assert send(APIClient(), VIEW).status_code in (401, 403)


def test_a_revoked_key_is_refused_within_seconds(api, monkeypatch) -> None:
    assert send(api, VIEW).status_code == 201
    from django.utils import timezone

    from marketing.core.models import ApiKey

    ApiKey.objects.update(revoked_at=timezone.now())
    clock = time.monotonic
    monkeypatch.setattr(passing.time, "monotonic", lambda: clock() + 5)
    assert send(api, VIEW).status_code == 401


def test_one_key_far_over_its_limit_is_told_when_to_come_back_and_others_go_on(
    api, settings
) -> None:
    rates = {"DEFAULT_THROTTLE_RATES": {"key": "10/min"}}
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, **rates}
    codes = [send(api, VIEW).status_code for _ in range(60)]
    assert codes.count(429) >= 49
    refused = send(api, VIEW)
    assert 1 <= int(refused.headers["Retry-After"]) <= 7
    assert refused.json()["error"]["code"] == "too_many_requests"
    _key, secret = auth.create_key(name="other", scopes=["events:write"], user=None)
    other = APIClient()
    other.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert [send(other, VIEW).status_code for _ in range(5)] == [201] * 5


def test_a_database_that_is_away_is_answered_with_503(api, monkeypatch) -> None:
    def away(*_: object) -> None:
        raise OperationalError("the server closed the connection")

    monkeypatch.setattr(writing, "_arguments", away)
    answer = send(api, VIEW)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert connection.in_atomic_block
    assert Inbox.objects.count() == 0


@pytest.mark.parametrize("number", [b"1e30", b"123456789012345678901234567890", b"-1e300"])
def test_a_number_larger_than_a_machine_word_is_read_back(api, number: bytes) -> None:
    body = b'{"type": "view", "external_id": "7", "properties": {"n": %b}}' % number
    assert send(api, body).status_code == 201
    events.drain()
    answer = api.get(ADDRESS)
    assert answer.status_code == 200
    found = orjson.loads(answer.content)["data"][0]
    assert found["properties"] == {"n": pytest.approx(float(number))}
    assert found["at"].endswith("+00:00")
    person = {"external_id": "7", "attributes": {"n": float(number)}}
    for key in ("1", "1"):
        made = api.generic(
            "POST",
            "/api/v1/customers/",
            orjson.dumps(person),
            content_type="application/json",
            HTTP_IDEMPOTENCY_KEY=key,
        )
        assert made.status_code == 200
        assert made.json()["attributes"] == {"n": pytest.approx(float(number))}

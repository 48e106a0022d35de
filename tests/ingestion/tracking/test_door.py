"""The requests of /v1/: which bodies are taken, which are refused, and what the client is told."""

import gzip
from typing import Any

import orjson
import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from ingestion.tracking import keys, storing
from marketing.core import passing
from tests.ingestion.tracking.conftest import VIEW

pytestmark = pytest.mark.django_db


def test_the_short_name_of_a_call_works_too(post, stored) -> None:
    assert post("t", VIEW).status_code == 200
    assert len(stored()) == 1


@pytest.mark.parametrize("call", ["batch", "b", "import"])
def test_a_batch_holds_calls_of_every_kind(post, stored, call: str) -> None:
    who = {"userId": "7", "anonymousId": "a1"}
    kinds = [
        {"type": "identify", "traits": {"email": "ada@example.com"}},
        {"type": "track", "event": "Signed Up"},
        {"type": "page", "name": "Home", "properties": {"path": "/"}},
        {"type": "screen", "name": "Start"},
        {"type": "group", "groupId": "club", "traits": {"size": 3}},
        {"type": "alias", "previousId": "a0"},
    ]
    answer = post(call, {"batch": [{**who, **kind} for kind in kinds]})
    assert answer.json() == {
        "success": True,
        "received": 6,
        "stored": 6,
        "duplicates": 0,
        "rejected": [],
    }
    rows = {event.type: event.properties for event in stored()}
    assert rows["Signed Up"] == {}
    assert rows["page"] == {"path": "/", "name": "Home"}
    assert rows["screen"] == {"name": "Start"}
    assert rows["group"]["size"] == 3


def test_a_batch_packed_with_gzip_is_unpacked(post, stored) -> None:
    assert post("batch", {"batch": [{**VIEW, "type": "track"}]}, packed=True).status_code == 200
    assert len(stored()) == 1


def test_a_beacon_carries_the_key_in_its_body_as_plain_text(post, stored, shop_source) -> None:
    body = {"writeKey": shop_source.write_key, "batch": [{**VIEW, "type": "track"}]}
    answer = post("batch", body, key="", content_type="text/plain;charset=UTF-8")
    assert answer.status_code == 200
    assert [event.context.get("writeKey") for event in stored() if event.context] == []


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (b"", 400, "not_json"),
        (b"{", 400, "not_json"),
        (b'{"userId":"7","event":"x"} trailing', 400, "not_json"),
        (b'{"userId":"7","event":"\\ud800"}', 400, "not_json"),
        ('{"userId":"7","event":"x"}'.encode("utf-16"), 400, "not_json"),
        (b'{"userId":"7","event":"x","properties":{"n":NaN}}', 400, "not_json"),
        (b'{"userId":"7","event":"x","properties":{"n":1e999}}', 400, "not_json"),
        (b'{"userId":"7","event":"x","properties":{"n":' + b"9" * 5000 + b"}}", 400, "not_json"),
        (b"[" * 100_000 + b"]" * 100_000, 400, "not_json"),
        (b'{"p":' * 500 + b"1" + b"}" * 500, 400, "too_deep"),
        (b"[]", 400, "not_an_object"),
        (b'"text"', 400, "not_an_object"),
        (b'{"userId":"7","event":"x\\u0000y"}', 400, "nul_byte"),
        (b'{"userId":"7","event":"x","properties":[1]}', 400, "not_an_object"),
        (b'{"userId":{"a":1},"event":"x"}', 400, "not_text"),
        (b'{"userId":true,"event":"x"}', 400, "not_text"),
        (b'{"userId":"7","event":"x","timestamp":"yesterday"}', 400, "not_a_date"),
        (b'{"userId":"7","event":""}', 400, "missing"),
    ],
)
def test_what_is_not_a_call_is_refused_with_a_reason(post, raw, status, code) -> None:
    answer = post("track", raw=raw)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["success"] is False


def test_an_event_of_33_kilobytes_is_too_large_and_one_of_31_is_not(post, stored) -> None:
    small = {**VIEW, "messageId": "m0", "properties": {"text": "x" * 31_000}}
    assert post("track", small).status_code == 200
    large = {**VIEW, "messageId": "m2", "properties": {"text": "x" * 33 * 1024}}
    answer = post("track", large)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    listed = post("batch", {"batch": [{**large, "type": "track"}, {**VIEW, "type": "page"}]})
    assert [r["code"] for r in listed.json()["rejected"]] == ["too_large"]
    assert [event.message_id for event in stored()] == ["m0", "m1"]


def test_a_body_above_500_kilobytes_is_refused_whole(post, stored) -> None:
    batch = [{**VIEW, "type": "track", "properties": {"text": "x" * 31_000}}] * 17
    body = orjson.dumps({"batch": batch})
    assert len(body) > 501 * 1024
    assert post("batch", raw=body).status_code == 413
    assert post("batch", raw=body, packed=True).status_code == 413
    assert stored() == []


def test_2500_calls_are_taken_at_once_and_2501_are_not(post, stored) -> None:
    calls = [
        {"type": "track", "event": "x", "userId": f"c{n % 50}", "messageId": f"m{n}"}
        for n in range(2501)
    ]
    answer = post("batch", {"batch": calls})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_many_items")
    assert post("batch", {"batch": calls[:2500]}).json()["stored"] == 2500
    assert len(stored()) == 2500


@pytest.mark.parametrize("body", [{}, {"batch": []}, {"batch": {}}, {"batch": "x"}])
def test_a_batch_needs_a_list_of_calls(post, body: dict[str, Any]) -> None:
    answer = post("batch", body)
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, "batch")


def test_a_context_is_not_copied_into_calls_without_measure(post, stored) -> None:
    calls = [
        {"type": "track", "userId": "7", "event": "x", "messageId": f"m{n}"} for n in range(99)
    ]
    answer = post("batch", {"batch": calls, "context": {"note": "x" * 21_000}})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["field"]) == (
        413,
        "context_too_large",
        "context",
    )
    assert stored() == []
    assert post("batch", {"batch": calls, "context": {"note": "x" * 20_000}}).status_code == 200
    assert {len(event.context["note"]) for event in stored()} == {20_000}


def test_three_thousand_properties_are_stored_and_ten_thousand_refused(post, stored) -> None:
    properties = {f"p{n}": n % 10 for n in range(3_000)}
    assert post("track", {**VIEW, "properties": properties}).status_code == 200
    many = {f"p{n}": n % 10 for n in range(10_000)}
    assert post("track", {**VIEW, "messageId": "m2", "properties": many}).status_code == 413
    assert stored()[0].properties == properties


def test_a_name_that_comes_twice_is_refused_since_nobody_knows_which_counts(post) -> None:
    raw = b'{"userId":"7","event":"x","properties":{"a":1,"a":2}}'
    answer = post("track", raw=raw)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "duplicate_key")


def test_a_gzip_bomb_is_cut_off(post, stored) -> None:
    bomb = gzip.compress(b'{"batch":[' + b" " * 200_000_000)
    answer = post("batch", raw=bomb, HTTP_CONTENT_ENCODING="gzip")
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(
    ("raw", "encoding", "status"),
    [
        (b"no gzip", "gzip", 400),
        (gzip.compress(b'{"userId":"7"}', mtime=0)[:-6], "gzip", 400),
        (b"{}", "br", 415),
        (b"{}", "gzip, gzip", 415),
    ],
)
def test_a_body_that_cannot_be_unpacked_is_refused(post, raw, encoding, status) -> None:
    answer = post("track", raw=raw, HTTP_CONTENT_ENCODING=encoding)
    assert (answer.status_code, answer.json()["success"]) == (status, False)


@pytest.fixture
def still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    now = passing.time.monotonic()
    monkeypatch.setattr(passing.time, "monotonic", lambda: now)


def test_too_many_requests_are_told_when_to_come_again(post, settings, still_clock) -> None:
    settings.TRACKING_RATE = 3
    assert [post("track", VIEW).status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    answer = post("track", VIEW)
    assert (answer["Retry-After"], answer.json()["error"]["code"]) == ("1", "too_many_requests")


def test_one_source_that_asks_too_often_holds_up_no_other(post, settings, still_clock) -> None:
    settings.TRACKING_RATE = 2
    other = keys.create(name="app", actor=None, now=timezone.now())
    for _ in range(5):
        post("track", VIEW)
    assert post("track", VIEW, key=other.write_key).status_code == 200


def test_other_methods_and_addresses_are_refused(post, db: None) -> None:
    assert Client().get("/v1/track").status_code == 405
    assert Client().put("/v1/track").status_code == 405
    assert post("dance", VIEW).status_code == 404


def test_any_page_may_send_and_credentials_are_never_asked_for(post) -> None:
    asked = Client().options(
        "/v1/batch",
        HTTP_ORIGIN="https://shop.example.com",
        HTTP_ACCESS_CONTROL_REQUEST_METHOD="POST",
        HTTP_ACCESS_CONTROL_REQUEST_HEADERS="authorization,content-type",
    )
    assert asked.status_code == 204
    for answer in (asked, post("track", VIEW), post("track", VIEW, key="wk_none")):
        assert answer["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in answer
        assert "Set-Cookie" not in answer
    assert "Authorization" in asked["Access-Control-Allow-Headers"]


def test_a_database_that_is_away_asks_the_client_to_come_again(
    post, monkeypatch: pytest.MonkeyPatch
) -> None:
    post("track", VIEW)  # the key is remembered

    def away(**_given: object) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(storing.events, "accept", away)
    answer = post("track", VIEW)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")

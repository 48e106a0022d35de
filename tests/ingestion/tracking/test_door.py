"""The requests of /v1/: what is taken, what is refused, and what the client is told."""

import gzip
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone

from ingestion import events
from ingestion.models import Customer, Event, Identity, Refusal, RefusedName, Source
from ingestion.tracking import keys, storing
from marketing.core import passing
from marketing.core.models import AuditEntry

pytestmark = pytest.mark.django_db
VIEW = {"userId": "7", "event": "Signed Up", "messageId": "m1", "properties": {"plan": "free"}}


def test_a_call_is_stored_with_its_person(post, stored, shop_source: Source) -> None:
    answer = post("track", VIEW)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    (event,) = stored()
    assert event.customer == Customer.objects.get(external_id="7")
    assert (event.type, event.properties, event.source, event.message_id) == (
        "Signed Up",
        {"plan": "free"},
        "shop.example.com",
        "m1",
    )


@pytest.mark.parametrize("short", ["t", "track"])
def test_short_names_of_calls_work_too(post, stored, short: str) -> None:
    assert post(short, VIEW).status_code == 200
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


def test_good_calls_of_a_batch_are_stored_and_bad_ones_kept_with_their_reason(post, stored) -> None:
    batch = [
        {**VIEW, "type": "track"},
        {"type": "track", "event": "Nobody did this", "messageId": "m2"},
        {"type": "dance", "userId": "7"},
        "no call at all",
        {"type": "identify", "userId": "8", "traits": {"email": "not an address"}},
    ]
    answer = post("batch", {"batch": batch}).json()
    assert (answer["success"], answer["received"], answer["stored"]) == (True, 5, 1)
    assert [(r["index"], r["code"], r["field"]) for r in answer["rejected"]] == [
        (1, "no_person", "userId"),
        (2, "bad_type", "type"),
        (3, "not_an_object", None),
        (4, "bad_email", "traits.email"),
    ]
    assert len(stored()) == 1
    kept = Refusal.objects.order_by("id")
    assert [(r.source, r.door, r.message_id, r.code, r.state) for r in kept] == [
        ("shop.example.com", "tracking", "m2", "no_person", "open"),
        ("shop.example.com", "tracking", "", "bad_type", "open"),
        ("shop.example.com", "tracking", "", "not_an_object", "open"),
        ("shop.example.com", "tracking", "", "bad_email", "open"),
    ]
    assert orjson.loads(kept[0].raw)["event"] == "Nobody did this"
    assert all(r.message for r in kept)
    ledger = events.ledger("shop.example.com")
    assert (ledger.received, ledger.stored, ledger.quarantined) == (5, 1, 4)
    assert ledger.adds_up


def test_a_batch_of_nothing_but_faults_is_refused_so_that_clients_notice(post, stored) -> None:
    answer = post("batch", {"batch": [{"type": "track", "userId": "7"}]})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["field"], error["items"][0]["index"]) == ("missing", "event", 0)
    assert stored() == []
    assert Refusal.objects.count() == 1


def test_the_same_call_again_is_a_duplicate_however_late_it_comes(post, stored) -> None:
    call = {**VIEW, "timestamp": "2026-11-01T10:00:00Z", "sentAt": "2026-11-01T10:00:01Z"}
    assert post("track", call).status_code == 200
    again = {**call, "sentAt": "2026-11-01T10:05:00Z"}
    assert post("track", again).json() == {"success": True}
    answer = post("batch", {"batch": [{**call, "type": "track"}], "sentAt": "2026-11-01T11:00:00Z"})
    assert answer.json()["duplicates"] == 1
    assert len(stored()) == 1


def test_another_call_under_a_used_number_is_refused_and_kept(post, stored) -> None:
    post("track", VIEW)
    answer = post("track", {**VIEW, "properties": {"plan": "paid"}})
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "conflict"
    assert [event.properties for event in stored()] == [{"plan": "free"}]
    assert Refusal.objects.get().code == "conflict"


def test_two_sources_may_use_the_same_number(post, stored) -> None:
    other = keys.create(name="app", actor=None, now=timezone.now())
    post("track", VIEW)
    assert post("track", {**VIEW, "properties": {}}, key=other.write_key).status_code == 200
    assert {event.source for event in stored()} == {"shop.example.com", "app"}


@pytest.mark.parametrize(("number", "status"), [("x" * 100, 200), ("x" * 101, 400)])
def test_a_message_number_has_at_most_100_characters(post, number: str, status: int) -> None:
    assert post("track", {**VIEW, "messageId": number}).status_code == status


def test_a_call_without_a_number_is_known_by_its_content(post, stored) -> None:
    call = {"userId": "7", "event": "Signed Up", "timestamp": "2026-11-01T10:00:00Z"}
    for number in ("", None):
        post("track", {**call, "messageId": number})
    post("track", call)
    (event,) = stored()
    assert len(event.message_id) == 32


def test_a_call_without_number_and_time_is_one_of_its_own(post, stored) -> None:
    """Without either, the same deed on two days would look like one."""
    for _ in range(2):
        assert post("track", {"userId": "7", "event": "Product Viewed"}).status_code == 200
    assert len({event.message_id for event in stored()}) == 2


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


def test_ten_thousand_properties_are_stored(post, stored) -> None:
    properties = {f"p{n}": n % 10 for n in range(3_000)}
    assert post("track", {**VIEW, "properties": properties}).status_code == 200
    many = {f"p{n}": n % 10 for n in range(10_000)}
    assert post("track", {**VIEW, "messageId": "m2", "properties": many}).status_code == 413
    assert stored()[0].properties == properties


def test_a_name_that_comes_twice_is_refused_since_nobody_knows_which_counts(post) -> None:
    raw = b'{"userId":"7","event":"x","properties":{"a":1,"a":2}}'
    answer = post("track", raw=raw)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "duplicate_key")


@pytest.mark.parametrize(
    "name",
    [
        "__proto__",
        "$set",
        "id",
        "a.b",
        "a__b",
        '"; DROP TABLE ingestion_event; --',
        "x" * 1000,
        "",
        "%s",
        "{0}",
        "naïve ☃",
    ],
)
def test_property_names_are_data_and_nothing_else(post, stored, name: str) -> None:
    traits = {name: "trait"} if name not in ("id", "") else {}
    post("identify", {"userId": "7", "traits": traits, "messageId": "i"})
    assert post("track", {**VIEW, "properties": {name: 1}}).status_code == 200
    assert [event.properties for event in stored() if event.type != "identify"] == [{name: 1}]
    if traits and len(name) < 100:
        assert Customer.objects.get().attributes[name] == "trait"


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


def test_an_unknown_key_is_refused(post) -> None:
    for key in ("wk_none", "", "x" * 1000, "\0" * 10, "ключ-ключ"):
        answer = post("track", VIEW, key=key)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "bad_write_key")
        assert "Basic" in answer["WWW-Authenticate"]
    assert post("track", VIEW, key="", HTTP_AUTHORIZATION="Basic !!!").status_code == 401


def test_a_key_that_is_turned_off_is_refused_and_may_be_turned_on_again(
    post, shop_source: Source
) -> None:
    assert post("track", VIEW).status_code == 200
    keys.switch(source=shop_source, enabled=False, actor=None)
    assert post("track", VIEW).status_code == 401
    keys.switch(source=shop_source, enabled=True, actor=None)
    assert post("track", VIEW).status_code == 200
    assert [entry.action for entry in AuditEntry.objects.order_by("id")] == [
        "write_key.created",
        "write_key.disabled",
        "write_key.enabled",
    ]


def test_another_process_turning_the_key_off_counts_within_seconds(
    post, shop_source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert post("track", VIEW).status_code == 200
    Source.objects.filter(pk=shop_source.pk).update(enabled=False)
    assert keys.REMEMBERED <= 5
    later = keys.time.monotonic() + keys.REMEMBERED
    monkeypatch.setattr(keys.time, "monotonic", lambda: later)
    assert post("track", VIEW).status_code == 401


def test_a_replaced_key_is_refused(post, shop_source: Source) -> None:
    old = shop_source.write_key
    assert post("track", VIEW).status_code == 200
    keys.rotate(source=shop_source, actor=None)
    assert post("track", VIEW, key=old).status_code == 401
    assert post("track", VIEW, key=shop_source.write_key).status_code == 200


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


def test_times_are_moved_onto_our_clock(post, stored) -> None:
    """A device three hours ahead that sent a minute after the fact: it happened a minute ago."""
    device = timezone.now() + timedelta(hours=3)
    call = {
        **VIEW,
        "timestamp": (device - timedelta(minutes=1)).isoformat(),
        "sentAt": device.isoformat(),
    }
    assert post("track", call).status_code == 200
    (event,) = stored()
    assert abs(timezone.now() - timedelta(minutes=1) - event.at) < timedelta(seconds=30)
    assert event.flags == "corrected"


@pytest.mark.parametrize(
    ("ahead", "outcome"),
    [
        (timedelta(days=3650), "date_in_future"),
        (timedelta(hours=25), "date_in_future"),
        (timedelta(hours=20), "clamped"),
        (timedelta(minutes=4), ""),
        (timedelta(days=-30 * 365), ""),
        (timedelta(days=-70 * 365), "date_too_old"),
    ],
)
def test_times_that_cannot_be_are_clamped_or_refused(post, stored, ahead, outcome) -> None:
    answer = post("track", {**VIEW, "timestamp": (timezone.now() + ahead).isoformat()})
    if outcome.startswith("date"):
        assert answer.status_code == 400
        assert (answer.json()["error"]["code"], answer.json()["error"]["field"]) == (
            outcome,
            "timestamp",
        )
    else:
        assert answer.status_code == 200
        (event,) = stored()
        assert event.flags == outcome
        if outcome == "clamped":
            assert event.at == event.received_at


def test_sent_before_it_happened_is_taken_by_their_difference(post, stored) -> None:
    now = timezone.now()
    call = {**VIEW, "timestamp": now.isoformat(), "sentAt": (now - timedelta(hours=2)).isoformat()}
    assert post("track", call).status_code == 200
    assert stored()[0].flags == "clamped"


def test_what_a_visitor_did_becomes_the_persons_when_they_sign_in(post, stored) -> None:
    post("page", {"anonymousId": "a1", "name": "Home", "messageId": "p"})
    (event,) = stored()
    assert event.customer is None
    post("identify", {"anonymousId": "a1", "userId": "7", "messageId": "i"})
    rows = stored()
    assert {row.customer.external_id for row in rows} == {"7"}


def test_addresses_of_machines_are_not_stored(post, stored) -> None:
    post("track", {**VIEW, "context": {"ip": "203.0.113.9", "locale": "en-GB"}})
    (event,) = stored()
    assert event.context == {"locale": "en-GB"}
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM ingestion_event e WHERE e::text LIKE '%203.0.113.9%'")
        assert cursor.fetchone() == (0,)


def test_ids_that_mean_nobody_glue_nobody(post, stored) -> None:
    for number, word in enumerate(("undefined", "null", "[object Object]", "0", "guest")):
        call = {"userId": word, "anonymousId": f"a{number}", "event": "x", "messageId": word}
        assert post("track", call).status_code == 200
    rows = stored()
    assert [row.customer for row in rows] == [None] * 5
    assert {row.context["ignored"][0] for row in rows} == {"userId"}
    assert not Identity.objects.filter(kind="external").exists()
    assert post("track", {"userId": "undefined", "event": "x"}).status_code == 400
    assert Event.objects.count() == 5


def test_what_means_nobody_is_the_same_at_every_door_and_may_be_allowed(
    post, stored, settings
) -> None:
    settings.IDENTITY_PLACEHOLDERS = frozenset({"kiosk"})
    nobody = {
        "userId": "Kiosk",
        "anonymousId": "00000000-0000-0000-0000-000000000000",
        "event": "x",
        "messageId": "1",
    }
    error = post("track", nobody).json()["error"]
    assert (error["code"], error["field"]) == ("placeholder_name", "userId")
    assert post("track", nobody | {"anonymousId": "a1"}).status_code == 200
    (row,) = stored()
    assert (row.customer, row.context["ignored"]) == (None, ["userId"])
    listed = RefusedName.objects.order_by("kind").values_list("kind", "value", "source")
    assert list(listed) == [
        ("anonymous", nobody["anonymousId"], "shop.example.com"),
        ("external", "Kiosk", "shop.example.com"),
    ]
    RefusedName.objects.filter(kind="external").update(allowed=True)
    assert post("track", nobody | {"messageId": "2"}).status_code == 200
    row = stored()[-1]
    assert row.customer.external_id == "Kiosk"
    assert (row.anonymous_id, row.context["ignored"]) == ("", ["anonymousId"])


def test_a_browser_or_an_address_that_stands_for_nobody_is_refused_alone(post, stored) -> None:
    zeros = {"anonymousId": "00000000-0000-0000-0000-000000000000", "event": "x"}
    error = post("track", zeros).json()["error"]
    assert (error["code"], error["field"]) == ("placeholder_name", "anonymousId")
    error = post("identify", {"traits": {"email": "none@none.com"}}).json()["error"]
    assert (error["code"], error["field"]) == ("placeholder_name", "traits.email")
    assert stored() == []
    listed = RefusedName.objects.order_by("kind").values_list("kind", "value")
    assert list(listed) == [("anonymous", zeros["anonymousId"]), ("email", "none@none.com")]

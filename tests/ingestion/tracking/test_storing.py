"""What becomes of the calls of a request: events of people, duplicates, and refusals kept."""

from datetime import timedelta

import orjson
import pytest
from django.db import connection
from django.utils import timezone

from ingestion import events
from ingestion.models import Customer, Event, Identity, Refusal, RefusedName, Source
from ingestion.tracking import keys
from tests.ingestion.tracking.conftest import VIEW

pytestmark = pytest.mark.django_db


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

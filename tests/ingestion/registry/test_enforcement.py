"""A plan is kept at the door and behind it, and what it kept out comes in once it was changed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from rest_framework.test import APIClient

from ingestion import events
from ingestion.events import Incoming, retrying, stream
from ingestion.models import Event, EventProperty, EventType, Identity, PlanBreach, Refusal
from ingestion.registry import discovery, plans
from marketing.core import auth
from marketing.core.errors import Conflict

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def agree(policy: str, **properties: Any) -> None:
    rules = properties or {"total": {"type": "number", "required": True}}
    plans.save(name="order", policy=policy, user=None, now=NOW, properties=rules)


def send(*payloads: dict[str, Any], name: str = "order", door: str = "tracking") -> list[str]:
    batch = [
        Incoming(
            type=name,
            at=NOW,
            message_id=f"{name}{i}.{''.join(sorted(p))[:30]}",
            email="a@example.com",
            properties=p,
        )
        for i, p in enumerate(payloads)
    ]
    told = events.accept(batch=batch, source="web", now=NOW, door=door)
    events.drain(now=NOW)
    return told


def test_what_a_plan_warns_of_is_stored_and_counted() -> None:
    agree("warn")
    send({"total": 3}, {"total": "x"}, {})
    discovery.fold(now=NOW)
    assert Event.objects.count() == 3
    assert sum(PlanBreach.objects.values_list("count", flat=True)) == 2
    assert not Refusal.objects.exists()


def test_what_a_plan_sets_aside_is_kept_with_its_reason() -> None:
    agree("quarantine")
    send({"total": 3}, {"total": "x"})
    row = Refusal.objects.get()
    assert (row.code, row.field, row.type) == ("plan_type", "total", "order")
    assert row.message == "“total” should be number and is string."
    assert Event.objects.get().properties == {"total": 3}
    ledger = events.ledger("web")
    assert (ledger.received, ledger.stored, ledger.quarantined) == (2, 1, 1)


def test_a_property_of_any_length_that_the_plan_does_not_know_stops_nobody_else() -> None:
    plans.save(
        name="order", policy="quarantine", user=None, now=NOW, properties={"a": {}}, closed=True
    )
    send({"a": 1}, {"p" * 150: 1}, {"q" * 300: 1})
    assert Event.objects.get().properties == {"a": 1}
    fields = [row.field for row in Refusal.objects.order_by("id")]
    assert [field[0] * 2 for field in fields] == ["pp", "qq"]
    assert {len(field) for field in fields} == {100}
    assert "p" * 150 in Refusal.objects.earliest("id").raw
    ledger = events.ledger("web")
    assert (ledger.received, ledger.stored, ledger.quarantined) == (3, 1, 2)


def test_once_the_plan_is_changed_they_come_in_exactly_once() -> None:
    agree("quarantine")
    send({"total": "x"}, {})
    refused = list(Refusal.objects.values_list("id", flat=True))
    assert retrying.retry(ids=refused, now=NOW) == 0
    assert Refusal.objects.filter(state="open").count() == 2
    agree("quarantine", total={"required": True})
    assert retrying.retry(ids=refused, now=NOW) == 1
    assert retrying.retry(ids=refused, now=NOW) == 0
    event = Event.objects.get()
    assert (event.properties, event.received_at) == ({"total": "x"}, NOW)
    assert event.customer is not None
    still = Refusal.objects.get(state="open")
    assert (still.code, still.field) == ("plan_missing", "total")
    ledger = events.ledger("web")
    assert (ledger.received, ledger.stored, ledger.quarantined) == (2, 1, 1)
    assert ledger.adds_up
    agree("allow")
    assert send({"total": "x"}, {}) == ["duplicate", "duplicate"]
    assert Event.objects.count() == 1


def test_an_event_that_was_no_event_cannot_be_tried_again() -> None:
    row = Refusal.objects.create(source="web", door="api", code="missing", message="-", raw="{")
    with pytest.raises(Conflict) as refusal:
        retrying.retry(ids=[row.pk], now=NOW)
    assert "send them again" in str(refusal.value)


def api() -> APIClient:
    cache.clear()
    _key, secret = auth.create_key(name="all", scopes=list(auth.SCOPES), user=None)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def post(client: APIClient, **properties: Any) -> Any:
    body = {
        "type": "order",
        "at": NOW.isoformat(),
        "email": "a@example.com",
        "message_id": "m1",
        "properties": properties,
    }
    return client.post("/api/v1/events/", body, format="json")


def test_the_api_says_at_once_what_the_plan_refuses() -> None:
    agree("refuse")
    client = api()
    answer = post(client, total="x")
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "plan_type"
    events.drain(now=NOW)
    assert not Event.objects.exists()
    assert Refusal.objects.get().code == "plan_type"
    assert post(client, total=3).status_code == 201


def test_an_event_refused_at_the_door_and_sent_again_is_stored_once() -> None:
    agree("refuse")
    client = api()
    post(client, total="x")
    events.drain(now=NOW)
    agree("allow")
    assert post(client, total="x").status_code == 201
    events.drain(now=NOW)
    refused = list(Refusal.objects.values_list("id", flat=True))
    assert retrying.retry(ids=refused, now=NOW) == 0
    assert Event.objects.count() == 1


def test_an_event_refused_at_the_door_can_be_tried_again() -> None:
    agree("refuse")
    post(api(), total="x")
    events.drain(now=NOW)
    agree("allow")
    refused = list(Refusal.objects.values_list("id", flat=True))
    assert retrying.retry(ids=refused, now=NOW) == 1
    assert Event.objects.get().properties == {"total": "x"}


@pytest.mark.parametrize("name", ["m1", ""])
def test_an_event_tried_again_is_known_when_its_sender_sends_it_again(name: str) -> None:
    agree("refuse")
    client = api()
    body = {
        "type": "order",
        "at": "2026-11-22T09:30:00Z",
        "email": "a@example.com",
        "properties": {"total": "x"},
    } | ({"message_id": name} if name else {})
    assert client.post("/api/v1/events/", body, format="json").status_code == 422
    events.drain(now=NOW)
    agree("allow")
    refused = list(Refusal.objects.values_list("id", flat=True))
    assert retrying.retry(ids=refused, now=NOW) == 1
    answer = client.post("/api/v1/events/", body, format="json")
    assert (answer.status_code, answer.json()["status"]) == (200, "duplicate")
    events.drain(now=NOW)
    assert Event.objects.count() == 1


def test_an_alias_tried_again_joins_its_people() -> None:
    plans.choose_unknown(policy="quarantine", user=None, now=NOW)
    alias = Incoming("alias", NOW, "m1", call="alias", external_id="7", previous_id="8")
    events.accept(batch=[alias], source="web", now=NOW, door="tracking")
    events.drain(now=NOW)
    assert not Event.objects.exists()
    plans.choose_unknown(policy="allow", user=None, now=NOW)
    assert retrying.retry(ids=[Refusal.objects.get().pk], now=NOW) == 1
    names = Identity.objects.filter(kind="external").values_list("value", "customer_id")
    assert {value for value, _customer in names} == {"7", "8"}
    assert len({customer for _value, customer in names}) == 1


def test_many_events_are_tried_again_with_few_questions(django_assert_max_num_queries) -> None:
    agree("quarantine")
    send(*[{f"p{n}": n} for n in range(40)])
    agree("allow")
    refused = list(Refusal.objects.values_list("id", flat=True))
    with django_assert_max_num_queries(40):
        assert retrying.retry(ids=refused, now=NOW) == 40


def test_events_of_files_and_of_our_own_are_listed_too() -> None:
    batch = [
        Incoming(type="old", at=NOW - timedelta(days=1), email="a@example.com", properties={"n": i})
        for i in range(2_400)
    ]
    events.record(batch=batch, source="file", now=NOW)
    events.record(batch=batch[:10], source="file", now=NOW)
    discovery.fold(now=NOW)
    assert EventType.objects.get().count == 2_400
    assert EventProperty.objects.get().count == 2_400


def test_drift_never_fails_an_insert() -> None:
    send(*[{"v": value} for value in ("1", 1, 1.5, {"a": 1}, [1], None, True, "2026-01-01")])
    send(
        {
            "__proto__": 1,
            "$set": 2,
            "id": 3,
            "a.b": 4,
            "a__b": 5,
            '"; drop': 6,
            "": 7,
            "x" * 1000: 8,
        }
    )
    discovery.fold(now=NOW)
    assert Event.objects.count() == 9
    kinds = EventProperty.objects.get(name="v").kinds
    assert sum(kinds.values()) == 8


def test_events_of_a_person_are_paged_by_when_they_happened() -> None:
    late = [
        Incoming("view", NOW - timedelta(days=day), f"m{day}{n}", external_id="c1")
        for day in (3, 1, 2)
        for n in (0, 1)
    ]
    events.record(batch=late, source="web", now=NOW)
    person = Event.objects.first().customer_id
    seen: list[str] = []
    before = None
    while True:
        wanted = stream.Wanted(customer_id=person, before=before)
        found = stream.newest(wanted=wanted, limit=3)
        seen += [event.message_id for event in found.rows]
        if not found.more:
            break
        before = found.rows[-1].id
    assert seen == ["m11", "m10", "m21", "m20", "m31", "m30"]
    assert stream.newest(wanted=stream.Wanted(customer_id=person, before=10**12)).rows == []


def test_the_newest_events_are_found_by_type_person_and_message_id() -> None:
    send({"total": 1}, {"total": 2, "more": 1})
    send({"total": 3}, name="refund")
    newest = stream.newest(wanted=stream.Wanted()).rows
    assert [e.type for e in newest] == ["refund", "order", "order"]
    found = stream.newest(wanted=stream.Wanted(type="order"), limit=1)
    assert (len(found.rows), found.more) == (1, True)
    older = stream.newest(wanted=stream.Wanted(type="order", before=found.rows[0].id))
    assert len(older.rows) == 1
    ada = found.rows[0].customer_id
    assert len(stream.newest(wanted=stream.Wanted(customer_id=ada)).rows) == 3
    (event,) = stream.by_message_id(message_id="order0.total", sources=["web", "shop"])[:1]
    assert event.message_id == "order0.total"
    assert stream.by_message_id(message_id="unknown", sources=["web"]) == []

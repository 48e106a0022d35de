"""Many clients at the same moment: each call is stored once, whoever tells it and how often."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from ingestion import events
from ingestion.models import Event, Order, Source
from ingestion.tracking import keys


@pytest.fixture
def source(transactional_db: None) -> Source:
    return keys.create(name="shop.example.com", actor=None, now=timezone.now())


def send_all(source: Source, bodies: list[dict[str, Any]], threads: int = 8) -> list[Any]:
    def send(body: dict[str, Any]) -> Any:
        try:
            content = orjson.dumps({**body, "writeKey": source.write_key})
            answer = Client().post("/v1/batch", content, content_type="application/json")
            assert answer.status_code == 200, answer.content
            return answer.json()
        finally:
            connection.close()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(send, bodies))


def test_ten_thousand_times_the_same_call_is_stored_once(source: Source) -> None:
    call = {
        "type": "track",
        "userId": "7",
        "event": "x",
        "messageId": "m1",
        "timestamp": "2026-11-01T10:00:00Z",
    }
    answers = send_all(source, [{"batch": [call] * 1_250}] * 8)
    assert sum(answer["stored"] for answer in answers) == 1
    assert sum(answer["duplicates"] for answer in answers) == 9_999
    events.drain()
    assert Event.objects.count() == 1
    ledger = events.ledger("shop.example.com")
    assert (ledger.received, ledger.stored, ledger.duplicate) == (10_000, 1, 9_999)


def test_one_order_told_by_page_and_server_at_once_is_one_order(source: Source) -> None:
    def told(number: int) -> dict[str, Any]:
        return {
            "type": "track",
            "userId": "7",
            "event": "Order Completed",
            "messageId": f"m{number}",
            "timestamp": "2026-11-01T10:00:00Z",
            "properties": {"order_id": "1001", "products": [{"sku": "A", "price": 2}]},
        }

    send_all(source, [{"batch": [told(number)]} for number in range(24)])
    events.drain()
    assert Order.objects.count() == 1
    assert Event.objects.count() == 24
    assert events.ledger("shop.example.com").adds_up

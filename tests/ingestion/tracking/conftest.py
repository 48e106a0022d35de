"""A web source, and requests as its clients send them."""

import base64
import gzip
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from django.test import Client
from django.utils import timezone

from ingestion import events
from ingestion.models import Event, Source
from ingestion.tracking import keys
from marketing.core import passing

Post = Callable[..., Any]
VIEW = {"userId": "7", "event": "Signed Up", "messageId": "m1", "properties": {"plan": "free"}}


@pytest.fixture(autouse=True)
def empty_buckets() -> None:
    passing.forget()


@pytest.fixture
def shop_source(db: None) -> Source:
    return keys.create(name="shop.example.com", actor=None, now=timezone.now())


@pytest.fixture
def post(shop_source: Source) -> Post:
    """post("track", {...}): the answer; `key`, `raw`, `packed` and headers as keywords."""

    def send(
        call: str,
        body: Any = None,
        *,
        key: str | None = None,
        raw: bytes | None = None,
        packed: bool = False,
        content_type: str = "application/json",
        **headers: str,
    ) -> Any:
        content = orjson.dumps(body) if raw is None else raw
        if packed:
            content = gzip.compress(content)
            headers["HTTP_CONTENT_ENCODING"] = "gzip"
        name = shop_source.write_key if key is None else key
        if name:
            basic = base64.b64encode(f"{name}:".encode()).decode()
            headers["HTTP_AUTHORIZATION"] = f"Basic {basic}"
        return Client().post(f"/v1/{call}", content, content_type=content_type, **headers)

    return send


@pytest.fixture
def stored() -> Callable[[], list[Event]]:
    """Let the inbox drain; every event stored, in order of moment and number."""

    def look() -> list[Event]:
        events.drain()
        return list(Event.objects.order_by("at", "id"))

    return look

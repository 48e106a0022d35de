"""Whatever is sent: no fault of the server, every call in exactly one place, the database unharmed.

FUZZ_SECONDS makes it run longer, with other bodies each time.
"""

import base64
import contextlib
import os
import time
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings

from ingestion import events
from ingestion.models import Event, Inbox, Refusal, Source
from ingestion.tracking import keys
from marketing.core import auth, passing
from tests.ingestion.tracking import bodies

pytestmark = pytest.mark.django_db
LONG = float(os.environ.get("FUZZ_SECONDS", "0"))
SETTINGS = settings(
    max_examples=1_000_000 if LONG else 120,
    deadline=None,
    derandomize=not LONG,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)
ALLOWED = {200, 201, 400, 401, 409, 413, 415, 422}


class _Over(BaseException):
    """The time for this run is over."""


class Watch:
    """Drains now and then, and checks that what was taken is somewhere."""

    def __init__(self) -> None:
        self.began, self.sent, self.codes = time.monotonic(), 0, dict[int, int]()
        self.client = Client(raise_request_exception=True)

    def see(self, answer: Any) -> None:
        self.sent += 1
        self.codes[answer.status_code] = self.codes.get(answer.status_code, 0) + 1
        assert answer.status_code in ALLOWED, answer.content
        answer.json()
        if self.sent % 25 == 0:
            self.settle()
        if LONG and time.monotonic() - self.began > LONG:
            raise _Over

    def settle(self) -> None:
        events.drain()
        assert not Inbox.objects.exists()
        for ledger in events.ledgers():
            assert ledger.adds_up, ledger
        kept = sum(ledger.stored for ledger in events.ledgers())
        assert kept == Event.objects.count()
        passing.forget()


def run(test: Any, watch: Watch) -> None:
    with contextlib.suppress(_Over):
        test()
    watch.settle()
    taken = sum(count for code, count in watch.codes.items() if code < 300)
    assert 0 < taken < watch.sent
    if LONG:
        print(watch.sent, "requests", watch.codes, Refusal.objects.count(), "refusals")  # noqa: T201


@pytest.fixture
def source(db: None) -> Source:
    return keys.create(name="shop.example.com", actor=None, now=timezone.now())


def test_no_body_breaks_the_tracking_door(source: Source) -> None:
    watch = Watch()
    basic = "Basic " + base64.b64encode(f"{source.write_key}:".encode()).decode()

    @SETTINGS
    @given(bodies.requests())
    def send(request: tuple[str, bytes, dict[str, str]]) -> None:
        call, body, headers = request
        watch.see(
            watch.client.post(
                f"/v1/{call}",
                body,
                content_type="application/json",
                **{"HTTP_AUTHORIZATION": basic, **headers},
            )
        )

    run(send, watch)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM ingestion_event e WHERE e::text LIKE '%203.0.113.9%'")
        assert cursor.fetchone() == (0,)


def test_no_body_breaks_the_event_api(db: None) -> None:
    watch = Watch()
    _key, secret = auth.create_key(name="fuzz", scopes=["events:write"], user=None)

    @SETTINGS
    @given(bodies.requests())
    def send(request: tuple[str, bytes, dict[str, str]]) -> None:
        _call, body, headers = request
        headers.pop("HTTP_AUTHORIZATION", None)
        watch.see(
            watch.client.post(
                "/api/v1/events/",
                body,
                content_type="application/json",
                HTTP_AUTHORIZATION=f"Bearer {secret}",
                **headers,
            )
        )

    run(send, watch)

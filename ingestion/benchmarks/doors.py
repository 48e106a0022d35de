"""Requests over HTTP, durable before the answer, against views that do almost nothing."""

import statistics
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import orjson
from django.utils import timezone

from ingestion import events
from ingestion.benchmarks import measuring, sending, serving
from ingestion.benchmarks.measuring import Line
from marketing.core import auth
from marketing.core.errors import Refused

RUNS = 5
BATCHES = {"small": 200, "full": 1_000}
SINGLES = {"small": 3_000, "full": 20_000}
PEOPLE = 20_000
BATCH = 50  # events in a request of everybody else
CLIENTS = 32  # kept connections that send one event at a time
ADDRESS = "/api/v1/events/"


def event(number: int, name: str, now: datetime) -> Line:
    """One event as a shop's page sends it."""
    return {
        "type": ("view", "cart", "search")[number % 3],
        "at": (now - timedelta(seconds=number % 600)).isoformat(),
        "message_id": name,
        "external_id": str(1 + number % PEOPLE),
        "properties": {"sku": f"{20_000 + number % 4_000}", "page": "/p/teapot", "price": 12.5},
    }


@contextmanager
def key() -> Iterator[str]:
    """An API key that may write events, for as long as it is needed."""
    row, secret = auth.create_key(name="bench", scopes=["events:write"], user=None)
    try:
        yield secret
    finally:
        row.delete()


@contextmanager
def others(port: int, secret: str, *, rate: int, connections: int) -> Iterator[threading.Event]:
    """Everybody else: so many events a second from a thread, which ends once the event is set."""
    stop = threading.Event()
    sender = threading.Thread(
        target=_send_others, args=(port, secret, rate, connections, stop), daemon=True
    )
    sender.start()
    try:
        yield stop
    finally:
        stop.set()
        sender.join()


def _send_others(
    port: int, secret: str, rate: int, connections: int, stop: threading.Event
) -> None:
    turn, a_second = 0, rate // BATCH
    while not stop.is_set():
        now = timezone.now()
        bodies = [
            orjson.dumps(
                [event(BATCH * (turn + n) + k, f"o{turn + n}-{k}", now) for k in range(BATCH)]
            )
            for n in range(a_second)
        ]
        turn += a_second
        requests = _make(port, ADDRESS, bodies, secret)
        sending.send(requests, port=port, connections=connections, per_second=rate / BATCH)


def run(requests: list[bytes], port: int, connections: int) -> float:
    """Seconds to have all of them answered. Refused when one was not taken."""
    sent = sending.send(requests, port=port, connections=connections)
    if set(sent.statuses) - {200, 201}:
        raise Refused(f"the server answered {sent.statuses}")
    return sent.seconds


def _make(port: int, address: str, bodies: list[bytes], secret: str) -> list[bytes]:
    return [sending.request(port=port, path=address, body=body, secret=secret) for body in bodies]


def _batches(count: int, mark: str) -> list[bytes]:
    now = timezone.now()
    return [
        orjson.dumps([event(100 * r + n, f"{mark}-{r}-{n}", now) for n in range(100)])
        for r in range(count)
    ]


def api_batch(*, size: str = "small") -> Line:
    """Bursts of 100 events a request; against decoding and COPY alone, and the usual framework."""
    measuring.refuse_if_filled()
    count = BATCHES[size]
    ours: list[float] = []
    bare: list[float] = []
    peer: list[float] = []
    with key() as secret, serving.web(serving.PLATFORM) as port, serving.web(serving.BARE) as other:
        for turn in range(RUNS + 1):
            took = run(_make(port, ADDRESS, _batches(count, f"o{turn}"), secret), port, 8)
            events.drain(seconds=600)
            limit = run(_make(other, "/door/copy/", _batches(count, f"b{turn}"), ""), other, 8)
            few = count // 5
            usual = 5 * run(
                _make(other, "/door/framework/", _batches(few, f"p{turn}"), ""), other, 8
            )
            if turn:  # the first turn warms both servers
                ours.append(took)
                bare.append(limit)
                peer.append(usual)
    found = events.ledger("API")
    if found.stored != (RUNS + 1) * count * 100 or not found.adds_up:
        raise Refused(f"not every event was stored once: {found}")
    measuring.empty()
    line = measuring.line(
        "api.batch", count * 100, ours, bare, "same server, orjson and COPY only", "events/s"
    )
    rate = count * 100 / statistics.median(peer)
    return {
        **line,
        "usual": "same server, REST framework serializer and bulk_create",
        "usual_rate": round(rate),
        "peer_ratio": round(line["value"] / rate, 2),
    }


def api_single(*, size: str = "small") -> Line:
    """One event a request; against an empty JSON view through the same stack."""
    measuring.refuse_if_filled()
    count = SINGLES[size]
    ours: list[float] = []
    empty: list[float] = []
    past: list[float] = []
    with key() as secret, serving.web(serving.PLATFORM) as port, serving.web(serving.BARE) as other:
        for turn in range(RUNS + 1):
            now = timezone.now()
            bodies = [orjson.dumps(event(n, f"s{turn}-{n}", now)) for n in range(count)]
            took = run(_make(port, ADDRESS, bodies, secret), port, CLIENTS)
            events.drain(seconds=600)
            page = run(_make(other, "/pages/empty/", bodies, secret), other, CLIENTS)
            door = run(_make(other, "/door/empty/", bodies, secret), other, CLIENTS)
            if turn:
                ours.append(took)
                empty.append(page)
                past.append(door)
    measuring.empty()
    line = measuring.line(
        "api.single", count, ours, empty, "an empty JSON view, same server and stack", "requests/s"
    )
    bare = count / statistics.median(past)
    return {
        **line,
        "past_middleware": round(bare),
        "past_middleware_ratio": round(line["value"] / bare, 3),
    }

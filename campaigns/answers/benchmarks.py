"""Openings and clicks over HTTP, durable before the answer, against an empty view of the server."""

import statistics
import uuid
from typing import Any

from django.db import connection

from campaigns.messaging import addresses
from campaigns.models import Hit
from ingestion.benchmarks import measuring, sending, serving
from marketing.core.errors import Refused

RUNS = 5
HITS = {"small": 6_000, "full": 60_000}
CLIENTS = 32
STEADY, STEADY_SECONDS = 1_000, {"small": 5, "full": 60}
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
TARGET = "https://shop.example/new?ref=mail"


def _get(port: int, path: str) -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: {serving.HOST}:{port}\r\nUser-Agent: {AGENT}\r\n\r\n"
    ).encode()


def _paths(count: int) -> list[str]:
    """One opening for each two clicks' worth of readers, as mails are read."""
    signer = addresses.signer()
    tail = signer.tail(TARGET)
    made = []
    for number in range(count):
        opened, clicked, _leave = signer.tokens(uuid.uuid4().bytes)
        made.append(f"/c/{clicked}/{tail}" if number % 3 == 0 else f"/o/{opened}.gif")
    return made


def _run(port: int, paths: list[str], per_second: float = 0.0) -> sending.Sent:
    sent = sending.send(
        [_get(port, path) for path in paths],
        port=port,
        connections=CLIENTS,
        per_second=per_second,
    )
    if set(sent.statuses) - {200, 302}:
        raise Refused(f"the server answered {sent.statuses}")
    return sent


def hit_door(*, size: str = "small") -> dict[str, Any]:
    """Signed openings and clicks, one row each, against an empty JSON view of the same server."""
    count = HITS[size]
    ours: list[float] = []
    empty: list[float] = []
    with serving.web(serving.PLATFORM) as port, serving.web(serving.BARE) as other:
        for turn in range(RUNS + 1):
            took = _run(port, _paths(count)).seconds
            page = _run(other, ["/pages/empty/"] * count).seconds
            if turn:  # the first turn warms both servers
                ours.append(took)
                empty.append(page)
        steady = _run(port, _paths(STEADY * STEADY_SECONDS[size]), STEADY)
    stored = Hit.objects.count()
    if stored != (RUNS + 1) * count + STEADY * STEADY_SECONDS[size]:
        raise Refused(f"not every hit was stored once: {stored}")
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE campaigns_hit")
    line = measuring.line(
        "hit.door", count, ours, empty, "an empty JSON view, same server and stack", "requests/s"
    )
    p99 = statistics.quantiles(steady.latencies, n=100)[98]
    return {**line, "p99_ms_at_1000": round(1_000 * p99, 1)}


WORKLOADS = {"hit.door": hit_door}

"""Minutes of events at a steady rate: stored, deduplicated, identified, and how far behind."""

import os
import statistics
import threading
import time
from collections.abc import Iterator

import orjson
from django.db import connection
from django.utils import timezone

from ingestion import events
from ingestion.benchmarks import doors, measuring, sending, serving
from ingestion.benchmarks.measuring import Line
from ingestion.models import Event
from marketing.core.errors import Refused

RATE = int(os.environ.get("BENCH_EVENTS_PER_SECOND", "22000"))
SECONDS = {"small": 30, "full": 300}
QUIET_SECONDS = {"small": 10, "full": 60}
GOAL = 20_000
CONNECTIONS = 16


class _Watch:
    """Samples how long the oldest event in the inbox has waited, four times a second."""

    def __init__(self) -> None:
        self.lags: list[float] = []
        self.megabytes = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "_Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(0.25):
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT coalesce(extract(epoch FROM clock_timestamp() - min(received_at)), 0)"
                    " FROM ingestion_inbox"
                )
                self.lags.append(float(cursor.fetchone()[0]))
            self.megabytes = max(self.megabytes, serving.megabytes("worker"))
        connection.close()


def ingest_sustained(*, size: str = "small") -> Line:
    """A steady rate of batches through web, inbox and worker; then half of it for the latencies."""
    measuring.refuse_if_filled()
    seconds, quiet = SECONDS[size], QUIET_SECONDS[size]
    with (
        doors.key() as secret,
        serving.web(serving.PLATFORM) as port,
        serving.worker(),
    ):
        warm = _send(port, secret, "w", 3, RATE // 4)
        before = serving.processor_seconds()
        with _Watch() as watch:
            full = _send(port, secret, "f", seconds, RATE)
            took = full.seconds + _settle()
        after = serving.processor_seconds()
        with _Watch() as calm:
            half = _send(port, secret, "h", quiet, RATE // 2)
            _settle()
    sent = 100 * sum(len(load.latencies) for load in (warm, full, half))
    found = events.ledger("API")
    people = Event.objects.filter(customer=None).count()
    if (found.received, found.stored, Event.objects.count(), people) != (sent, sent, sent, 0):
        raise Refused(f"of {sent} events not all were stored and identified: {found}")
    measuring.empty()
    value = 100 * len(full.latencies) / took
    return measuring.figure(
        "ingest.sustained", "events/s", 100 * len(full.latencies), [value], least=GOAL, digits=0,
        seconds=round(took, 1),
        lag_p95=round(_at(watch.lags, 95), 2),
        lag_max=round(max(watch.lags), 2),
        p99_ms_full=round(1000 * _at(full.latencies, 99), 1),
        p99_ms_half=round(1000 * _at(half.latencies, 99), 1),
        lag_max_half=round(max(calm.lags), 2),
        microseconds_an_event={
            name: round(1e4 * (after[name] - before[name]) / len(full.latencies), 1)
            for name in after
        },
        memory_mb=round(watch.megabytes),
    )  # fmt: skip


def _send(port: int, secret: str, mark: str, seconds: int, rate: int) -> sending.Sent:
    """So many seconds of batches at a rate, made a few seconds ahead so that memory stays flat."""
    total = sending.Sent()
    began = time.perf_counter()
    count = max(1, rate * seconds // 100)
    requests = _Lazy(port, secret, mark, count)
    load = sending.send(requests, port=port, connections=CONNECTIONS, per_second=rate / 100)
    if set(load.statuses) - {200}:
        raise Refused(f"the server answered {load.statuses}")
    total.latencies, total.seconds = load.latencies, time.perf_counter() - began
    return total


class _Lazy:
    """Requests made when they are needed, from bodies whose ids alone differ."""

    def __init__(self, port: int, secret: str, mark: str, count: int) -> None:
        self._count, self._mark = count, mark
        now = timezone.now()
        self._bodies = [
            orjson.dumps([doors.event(100 * r + n, f"@@@@@@@@{n:02}", now) for n in range(100)])
            for r in range(doors.PEOPLE // 100)
        ]
        self._port, self._secret = port, secret

    def __iter__(self) -> Iterator[bytes]:
        for number in range(self._count):
            body = self._bodies[number % len(self._bodies)]
            name = f"{self._mark}{number:07}".encode()
            yield sending.request(
                port=self._port,
                path=doors.ADDRESS,
                body=body.replace(b"@@@@@@@@", name),
                secret=self._secret,
            )


def _settle() -> float:
    """Seconds until the inbox is empty."""
    began = time.perf_counter()
    while events.waiting():
        if time.perf_counter() - began > 120:
            raise Refused("the inbox was not emptied within two minutes")
        time.sleep(0.05)
    return time.perf_counter() - began


def _at(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1] if len(values) > 1 else values[0]

"""One source far above its limit, and what the others notice of it."""

import multiprocessing
import statistics
import time
from contextlib import ExitStack

import orjson
from django.utils import timezone

from ingestion import events
from ingestion.benchmarks import doors, measuring, sending, serving
from ingestion.benchmarks.measuring import Line
from marketing.core.errors import Refused

A_SECOND = 10  # requests a key may send a second to each web process
PROCESSES = 2
TIMES = 50
OTHERS = 10
EACH = 5  # requests a second of each of the others
EVENTS = 10  # in each of their requests
ROUNDS = {"small": 3, "full": 10}
SECONDS = 8
GOAL = 1.2


def source_flood(*, size: str = "small") -> Line:
    """A key at 50 times its limit: the 95th percentile of the others, against without it."""
    measuring.refuse_if_filled()
    calm: list[float] = []
    under: list[float] = []
    turned_away = 0
    with ExitStack() as stack:
        secrets = [stack.enter_context(doors.key()) for _ in range(OTHERS)]
        loud = stack.enter_context(doors.key())
        port = stack.enter_context(serving.web(serving.PLATFORM, API_RATE=f"{A_SECOND}/s"))
        stack.enter_context(serving.worker())
        _others(port, secrets, "w")
        for turn in range(ROUNDS[size]):
            calm += _others(port, secrets, f"c{turn}").latencies
            with _Flood(port, loud) as flood:
                under += _others(port, secrets, f"u{turn}").latencies
            turned_away += flood.turned_away()
        _settle()
    measuring.empty()
    quiet, loaded = _p95(calm), _p95(under)
    return measuring.figure(
        "source.flood", "times the others' p95 without it", len(under), [loaded / quiet], most=GOAL,
        runs=ROUNDS[size], p95_ms_calm=round(1000 * quiet, 2), p95_ms_flood=round(1000 * loaded, 2),
        turned_away=turned_away,
    )  # fmt: skip


class _Flood:
    """The loud source, as a process of its own so that our clock does not wait for it."""

    def __init__(self, port: int, secret: str) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._told = spawn.Queue()
        self._ready = spawn.Event()
        body = orjson.dumps({"type": "view", "external_id": "1", "properties": {"page": "/"}})
        data = sending.request(port=port, path=doors.ADDRESS, body=body, secret=secret)
        rate = TIMES * A_SECOND * PROCESSES
        self._process = spawn.Process(
            target=sending.pour, args=(data, port, rate, SECONDS + 1, self._ready, self._told)
        )

    def __enter__(self) -> "_Flood":
        self._process.start()
        if not self._ready.wait(30):
            raise Refused("the loud source did not start")
        time.sleep(0.5)
        return self

    def __exit__(self, *_: object) -> None:
        self._statuses = self._told.get(timeout=60)
        self._process.join(10)

    def turned_away(self) -> int:
        return int(self._statuses.get(429, 0))


def _others(port: int, secrets: list[str], mark: str) -> sending.Sent:
    now = timezone.now()
    requests = [
        sending.request(
            port=port,
            path=doors.ADDRESS,
            body=orjson.dumps(
                [doors.event(EVENTS * n + k, f"{mark}-{n}-{k}", now) for k in range(EVENTS)]
            ),
            secret=secrets[n % len(secrets)],
        )
        for n in range(SECONDS * OTHERS * EACH)
    ]
    sent = sending.send(requests, port=port, connections=16, per_second=OTHERS * EACH)
    if set(sent.statuses) != {200}:
        raise Refused(f"the others were answered {sent.statuses}")
    return sent


def _settle() -> None:
    until = time.monotonic() + 60
    while events.waiting():
        if time.monotonic() > until:
            raise Refused("the inbox was not emptied within a minute")
        time.sleep(0.05)


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[94]

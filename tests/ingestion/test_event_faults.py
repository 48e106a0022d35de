"""Web, workers, PostgreSQL and Valkey are killed in turn: no event is lost, none is stored twice.

FAULTS=full sends 100,000 events through 20, 20, 3 and 2 kills, which takes some minutes.
"""

import contextlib
import http.client
import json
import os
import random
import shutil
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import orjson
import psutil
import psycopg2
import pytest

from marketing import embedded, startup
from tests.platform.conftest import Platform

FULL = os.environ.get("FAULTS") == "full"
EVENTS = 100_000 if FULL else 8_000
KILLS = (
    {"web": 20, "worker": 20, "postgres": 3, "valkey": 2}
    if FULL
    else {"web": 4, "worker": 4, "postgres": 1, "valkey": 1}
)
BATCH = 50
CLIENTS = 4
PEOPLE = 500
AGAIN = 10  # every tenth batch is sent a second time although it was answered
PATIENCE = 240.0


@pytest.fixture
def platform() -> Iterator[Platform]:
    var = embedded.reachable_temporary_folder()
    made = Platform(var, startup.free_port(0))
    made.environment["API_RATE"] = "100000000/min"
    yield made
    for log in [made.log, *sorted((var / "log").glob("*.log"))]:  # shown when the test failed
        if log.exists():
            sys.stdout.write(f"--- {log.name}\n{log.read_text(errors='replace')[-2000:]}\n")
    if made.process is not None and made.process.poll() is None:
        made.process.send_signal(signal.SIGINT)
        with contextlib.suppress(Exception):
            made.process.wait(timeout=30)
        made.process.kill()
        made.process.wait()
    for name in ("postgres", "valkey"):
        embedded.stop(var / name)
    shutil.rmtree(var, ignore_errors=True)


class Clients:
    """Senders that repeat a batch until it was answered with success."""

    def __init__(self, port: int, secret: str) -> None:
        self.port, self.secret = port, secret
        self.answered = 0
        self.statuses: Counter[str] = Counter()
        self.failures: list[str] = []
        self._batches = iter(range(EVENTS // BATCH))
        self._lock = threading.Lock()
        self._until = time.monotonic() + PATIENCE * (5 if FULL else 1)
        self.threads = [threading.Thread(target=self._send, daemon=True) for _ in range(CLIENTS)]

    def _send(self) -> None:
        line: http.client.HTTPConnection | None = None
        while True:
            with self._lock:
                number = next(self._batches, None)
            if number is None:
                return
            body = orjson.dumps(
                [
                    {
                        "type": "view",
                        "message_id": f"m{number * BATCH + n}",
                        "external_id": str(1 + (number * BATCH + n) % PEOPLE),
                        "properties": {"page": n},
                    }
                    for n in range(BATCH)
                ]
            )
            for _ in range(2 if number % AGAIN == 0 else 1):
                line = self._until_taken(line, body)
            with self._lock:
                self.answered += BATCH

    def _until_taken(
        self, line: http.client.HTTPConnection | None, body: bytes
    ) -> http.client.HTTPConnection | None:
        while time.monotonic() < self._until:
            try:
                line = line or http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
                line.request(
                    "POST",
                    "/api/v1/events/",
                    body,
                    {"Authorization": f"Bearer {self.secret}", "Content-Type": "application/json"},
                )
                answer = line.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException):
                if line is not None:
                    line.close()
                line = None
                time.sleep(0.05)
                continue
            with self._lock:
                self.statuses[str(answer.status)] += 1
            if answer.status == 200:
                counts = json.loads(content)["counts"]
                if set(counts) - {"stored", "duplicate"}:
                    self.failures.append(str(counts))
                return line
            if answer.status != 503:
                self.failures.append(f"{answer.status} {content[:300]!r}")
                return line
            time.sleep(0.05)
        self.failures.append("never taken")
        return line


def pids(platform: Platform, kind: str) -> list[int]:
    """The processes of a kind that may be killed now."""
    if kind in ("postgres", "valkey"):
        with contextlib.suppress(OSError, ValueError):
            return [json.loads((platform.var / kind / "server.json").read_text())["pid"]]
        return []
    assert platform.process is not None
    found = []
    for process in psutil.Process(platform.process.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            words, parent = " ".join(process.cmdline()), process.parent()
            above = " ".join(parent.cmdline()) if parent else ""
            if kind == "web" and "perennial-web worker" in words:
                found.append(process.pid)
            if kind == "worker" and "celery" in words and "celery" in above:
                found.append(process.pid)
    return found


def kill(platform: Platform, kind: str, chance: random.Random) -> bool:
    """Kill one process of this kind (PostgreSQL's whole server); whether there was one."""
    there = pids(platform, kind)
    if not there:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(chance.choice(there), signal.SIGKILL)
    return True


def ask(var: Path, statement: str) -> list[tuple]:
    url = (var / "postgres.url").read_text()
    with contextlib.closing(psycopg2.connect(url)) as line, line.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


@pytest.mark.faults
def test_every_accepted_event_is_stored_once_whatever_is_killed(platform, wait_for) -> None:
    platform.start()
    wait_for(lambda: platform.said("Running"), 120)
    wait_for(lambda: len(pids(platform, "worker")) >= 2 and pids(platform, "web"), 60)
    secret = json.loads((platform.var / "demo.json").read_text())["api_key"]
    clients = Clients(platform.port, secret)
    chance = random.Random(11)
    plan = [kind for kind, times in KILLS.items() for _ in range(times)]
    chance.shuffle(plan)
    for thread in clients.threads:
        thread.start()
    done: Counter[str] = Counter()
    for step, kind in enumerate(plan):
        due = EVENTS * (step + 1) // (len(plan) + 1)
        wait_for(lambda due=due: clients.answered >= due or clients.failures, PATIENCE)
        wait_for(lambda kind=kind: kill(platform, kind, chance), 60)
        done[kind] += 1
    for thread in clients.threads:
        thread.join(PATIENCE)
    assert clients.failures == []
    assert done == KILLS
    waiting = "SELECT count(*) FROM ingestion_inbox"

    def drained() -> bool:
        try:
            return ask(platform.var, waiting) == [(0,)]
        except psycopg2.Error:
            return False

    wait_for(drained, 120)
    assert ask(
        platform.var,
        "SELECT count(*), count(DISTINCT message_id), count(DISTINCT customer_id),"
        " count(*) FILTER (WHERE customer_id IS NULL) FROM ingestion_event",
    ) == [(EVENTS, EVENTS, PEOPLE, 0)]
    ((received, stored, duplicate, quarantined),) = ask(
        platform.var,
        "SELECT sum(received), sum(stored), sum(duplicate), sum(quarantined)"
        " FROM ingestion_eventtally WHERE source = 'API'",
    )
    assert received == stored + duplicate + quarantined
    assert (stored, quarantined) == (EVENTS, 0)
    assert duplicate >= EVENTS // AGAIN

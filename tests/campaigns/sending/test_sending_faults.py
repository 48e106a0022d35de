"""Senders, PostgreSQL and Valkey are killed under a large send: nobody is lost, copies are counted.

What arrived is counted by a mail server of the test's own, which knows nothing of our tables.
FAULTS=full writes to a million people, which takes some eight minutes on two free cores.
"""

import asyncio
import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator

import psutil
import psycopg2
import pytest
import redis

from campaigns.messaging.delivery import LINES
from marketing import embedded, startup
from tests.platform.conftest import ROOT, Platform

FULL = os.environ.get("FAULTS") == "full"
PEOPLE = 1_000_000 if FULL else 30_000
KILLS = {"sender": 20, "postgres": 3, "flush": 1}
SENDERS = 2
# From a kill to the next mail: the lease, the sweep, and a server's way back.
RESUME_SECONDS = 30.0
PATIENCE = 3_600.0 if FULL else 240.0
_ADDRESS = re.compile(rb"RCPT TO:<([^>]+)>", re.IGNORECASE)
_ID = re.compile(rb"^Message-ID: (\S+)", re.MULTILINE)
_PEOPLE = """
    INSERT INTO ingestion_customer (external_id, email, phone, first_name, last_name, country,
        language, timezone, attributes, is_demo, created_at, updated_at)
    SELECT 'f' || n, 'f' || n || '@example.com', '', 'Person' || n, '', 'GB', '', '', '{{}}', false,
        now(), now() FROM generate_series(1, {people}) AS n;
    INSERT INTO ingestion_consent (customer_id, channel, purpose, granted, at, source, proof,
        current)
    SELECT id, 'email', 'marketing', true, now() - interval '1 day', 'test', '{{}}', true
    FROM ingestion_customer WHERE external_id LIKE 'f%';
    ANALYZE ingestion_customer, ingestion_consent"""
START = """
import django
django.setup()
from django.utils import timezone
from campaigns.sending import runs
from campaigns.models import Campaign, Segment, Template
html = '<p>Hello {{ first_name }}, <a href="https://shop.example/new">new</a></p>'
html += '<p><a href="{{ unsubscribe_url }}">Leave</a></p>'
mail = Template.objects.create(name="News", subject="News", html=html, text="{{ unsubscribe_url }}")
who = Segment.objects.create(name="Everybody", rule={"all": []})
campaign = Campaign.objects.create(name="News", segment=who, template=mail, holdout_percent=0)
print(runs.start(campaign_id=campaign.pk, user=None, now=timezone.now()).pk)
"""


class Sink:
    """Takes every mail and writes down who got it, with which id, and when."""

    def __init__(self) -> None:
        self.copies: Counter[bytes] = Counter()
        self.ids: dict[bytes, set[bytes]] = defaultdict(set)
        self.taken = 0
        self.last = time.monotonic()
        self.longest_gap = 0.0
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        threading.Thread(target=self._run, args=(ready,), daemon=True).start()
        ready.wait(10)

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        made = self._loop.create_server(lambda: Session(self), "127.0.0.1", 0, backlog=64)
        self.port = self._loop.run_until_complete(made).sockets[0].getsockname()[1]
        ready.set()
        self._loop.run_forever()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)

    def take(self, recipient: bytes, mail: bytes) -> None:
        now = time.monotonic()
        self.longest_gap = max(self.longest_gap, now - self.last if self.taken else 0.0)
        self.last = now
        self.taken += 1
        self.copies[recipient] += 1
        found = _ID.search(mail)
        self.ids[recipient].add(found[1] if found else b"")


class Session(asyncio.Protocol):
    """One connection, in just enough SMTP."""

    def __init__(self, sink: Sink) -> None:
        self.sink, self.data, self.in_mail, self.recipient = sink, bytearray(), False, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        transport.write(b"220 sink\r\n")

    def data_received(self, chunk: bytes) -> None:
        self.data += chunk
        while (end := self.data.find(b"\r\n.\r\n" if self.in_mail else b"\r\n")) >= 0:
            said = bytes(self.data[:end])
            del self.data[: end + (5 if self.in_mail else 2)]
            if self.in_mail:
                self.in_mail = False
                self.sink.take(self.recipient, said)
                self.transport.write(b"250 taken\r\n")
                continue
            verb = said[:4].upper()
            if named := _ADDRESS.match(said):
                self.recipient = named[1]
            self.in_mail = verb == b"DATA"
            answer = {b"DATA": b"354 go on", b"EHLO": b"250-sink\r\n250 PIPELINING"}
            self.transport.write(answer.get(verb, b"250 ok") + b"\r\n")


@pytest.fixture
def sink() -> Iterator[Sink]:
    made = Sink()
    yield made
    made.close()


@pytest.fixture
def platform(sink) -> Iterator[Platform]:
    var = embedded.reachable_temporary_folder()
    made = Platform(var, startup.free_port(0))
    made.environment |= {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(sink.port)}
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


def url_of(platform: Platform, name: str) -> str:
    url = embedded.recorded_url(platform.var / name)
    assert url is not None
    return url


def ask(platform: Platform, statement: str) -> list[tuple]:
    with contextlib.closing(psycopg2.connect(url_of(platform, "postgres"))) as line:
        line.autocommit = True
        with line.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []


def senders(platform: Platform) -> list[int]:
    """The processes that may be sending: the children of the worker of quick tasks."""
    assert platform.process is not None
    found = []
    for process in psutil.Process(platform.process.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            parent = process.parent()
            above = " ".join(parent.cmdline()) if parent else ""
            if "-Q fast" in above:
                found.append(process.pid)
    return found


def strike(platform: Platform, kind: str, chance: random.Random) -> bool:
    """Kill or flush one thing; whether there was one."""
    with contextlib.suppress(OSError, ValueError):
        if kind == "flush":
            queues = redis.Redis.from_url(url_of(platform, "valkey"))
            for name in queues.scan_iter(count=1_000):  # our user may not say FLUSHALL
                queues.delete(name)
            return True
        if kind == "postgres":
            server = json.loads((platform.var / "postgres" / "server.json").read_text())
            os.kill(server["pid"], signal.SIGKILL)
            return True
        if there := senders(platform):
            os.kill(chance.choice(there), signal.SIGKILL)
            return True
    return False


@pytest.mark.faults
def test_a_large_send_loses_nobody_whatever_is_killed_and_copies_stay_few(
    platform, sink, wait_for
) -> None:
    platform.start()
    wait_for(lambda: platform.said("Running"), 120)
    wait_for(lambda: len(senders(platform)) >= SENDERS, 60)
    ask(platform, _PEOPLE.format(people=PEOPLE))
    done = subprocess.run(
        [sys.executable, "-c", START],
        cwd=ROOT,
        env={
            **platform.environment,
            "DATABASE_URL": url_of(platform, "postgres"),
            "REDIS_URL": url_of(platform, "valkey"),
            "DJANGO_SETTINGS_MODULE": "marketing.settings",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    chance = random.Random(7)
    plan = [kind for kind, times in KILLS.items() for _ in range(times)]
    chance.shuffle(plan)
    for step, kind in enumerate(plan):
        due = PEOPLE * (step + 1) // (len(plan) + 1)
        wait_for(lambda due=due: sink.taken >= due, PATIENCE)
        wait_for(lambda kind=kind: strike(platform, kind, chance), 60)

    def finished() -> bool:
        try:
            return ask(platform, "SELECT state FROM campaigns_run") == [("finished",)]
        except psycopg2.Error:
            return False

    wait_for(finished, PATIENCE)
    counted = dict(ask(platform, "SELECT state, count(*) FROM campaigns_message GROUP BY 1"))
    extra = sum(sink.copies.values()) - len(sink.copies)
    sys.stdout.write(
        f"{sink.taken} mails to {len(sink.copies)} people, {extra} extra, "
        f"longest gap {sink.longest_gap:.1f} s, states {counted}\n"
    )
    assert counted == {"sent": PEOPLE}
    assert len(sink.copies) == PEOPLE
    # A killed sender has so many connections; a dead database is noticed by those of all senders.
    assert extra <= LINES * KILLS["sender"] + LINES * SENDERS * KILLS["postgres"]
    assert max(sink.copies.values()) <= 1 + sum(KILLS.values())
    assert {len(ids) for ids in sink.ids.values()} == {1}
    assert sink.longest_gap <= RESUME_SECONDS

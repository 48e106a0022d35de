"""How soon an event that was answered stands on the person's page and counts in a segment."""

import random
import statistics
import threading
import time

import orjson
from django.utils import timezone

from campaigns.segments import compile as compiler
from campaigns.segments import membership
from ingestion import events, queries
from ingestion.benchmarks import doors, measuring, sending, serving
from ingestion.benchmarks.measuring import Line
from ingestion.models import Customer
from marketing.core.errors import Refused

PROBES = {"small": 60, "full": 300}
RATE = 2_000  # events a second of everybody else
BATCH = 50
GOAL = 2.0
LOOKS = 0.02  # seconds between two looks
RULE = {"did": "bench_seen", "at_least": 1, "days": 30}


def event_visible(*, size: str = "small") -> Line:
    """From the answer to the timeline and to a segment's count, while others send events."""
    measuring.refuse_if_filled()
    chance = random.Random(5)
    taken: list[float] = []
    with doors.key() as secret, serving.web(serving.PLATFORM) as port, serving.worker():
        stop = threading.Event()
        others = threading.Thread(target=_send_others, args=(port, secret, stop), daemon=True)
        others.start()
        try:
            _wait_for_people()
            for number in range(PROBES[size]):
                taken.append(_probe(port, secret, number))
                time.sleep(chance.uniform(0.0, 0.4))
        finally:
            stop.set()
            others.join()
        while events.waiting():
            time.sleep(0.05)
    measuring.empty()
    p95 = statistics.quantiles(taken, n=100)[94]
    return {
        "name": "event.visible",
        "value": round(p95, 3),
        "unit": "s, p95",
        "n": len(taken),
        "limit": {"what": "at most", "value": GOAL},
        "peer": None,
        "ratio": round(GOAL / p95, 2),
        "runs": 1,
        "spread": 0.0,
        "median": round(statistics.median(taken), 3),
        "slowest": round(max(taken), 3),
        "events_per_second": RATE,
    }


def _send_others(port: int, secret: str, stop: threading.Event) -> None:
    turn = 0
    while not stop.is_set():
        now = timezone.now()
        requests = [
            sending.request(
                port=port,
                path=doors.ADDRESS,
                body=orjson.dumps(
                    [
                        doors.event(BATCH * (turn + n) + k, f"o{turn + n}-{k}", now)
                        for k in range(BATCH)
                    ]
                ),
                secret=secret,
            )
            for n in range(RATE // BATCH)
        ]
        turn += len(requests)
        sending.send(requests, port=port, connections=8, per_second=RATE / BATCH)


def _wait_for_people() -> None:
    """Until the others' events have made the people of our own."""
    until = time.monotonic() + 60
    while Customer.objects.count() < doors.PEOPLE // 2:
        if time.monotonic() > until:
            raise Refused("the others' events were not stored within a minute")
        time.sleep(0.2)


def _probe(port: int, secret: str, number: int) -> float:
    """Seconds from the answer until one person's event is seen in both places."""
    person = str(1 + number * 7)
    body = orjson.dumps(
        {"type": RULE["did"], "external_id": person, "message_id": f"seen-{number}"}
    )
    data = sending.request(port=port, path=doors.ADDRESS, body=body, secret=secret)
    sent = sending.send([data], port=port, connections=1)
    answered = time.perf_counter()
    if sent.statuses != {201: 1}:
        raise Refused(f"the server answered {sent.statuses}")
    customer = Customer.objects.values_list("pk", flat=True).get(external_id=person)
    while not _seen(customer, number + 1):
        if time.perf_counter() - answered > 30:
            raise Refused("an event was not seen within 30 s of its answer")
        time.sleep(LOOKS)
    return time.perf_counter() - answered


def _seen(customer: int, people: int) -> bool:
    shown = queries.timeline(customer_id=customer, limit=10)
    if not any(moment.title == RULE["did"] for moment in shown):
        return False
    found = membership.count(compiler.read(RULE), as_of=timezone.now(), patience_ms=10_000)
    return found.people == people

"""How soon an answered event stands on the person's page, counts in a rule, and makes a member."""

import random
import statistics
import threading
import time
from collections.abc import Callable

import orjson
from django.conf import settings
from django.db import connection
from django.utils import timezone

from campaigns.models import Segment, SegmentMember
from campaigns.segments import compile as compiler
from campaigns.segments import membership, upkeep
from ingestion import events, queries
from ingestion.benchmarks import doors, measuring, sending, serving
from ingestion.benchmarks.measuring import Line
from ingestion.models import Customer
from marketing.core.errors import Refused

PROBES = {"small": 60, "full": 300}
RATE = 2_000  # events a second of everybody else
GOAL = 2.0
LOOKS = 0.02  # seconds between two looks
RULE = {"did": "bench_seen", "at_least": 1, "days": 30}


def event_visible(*, size: str = "small") -> Line:
    """From the answer to the timeline, to a rule's count and to stored membership, while others
    send events. Membership is refreshed at the pace of the platform's clock.
    """
    measuring.refuse_if_filled()
    chance = random.Random(5)
    taken: list[float] = []
    stored: list[float] = []
    segment = Segment.objects.create(name="Seen", rule=RULE)
    with doors.key() as secret, serving.web(serving.PLATFORM) as port, serving.worker():
        with doors.others(port, secret, rate=RATE, connections=8) as stop:
            clock = threading.Thread(target=_keep_members, args=(stop,), daemon=True)
            _wait_for_people()
            clock.start()
            for number in range(PROBES[size]):
                seen, member = _probe(port, secret, number, segment.pk)
                taken.append(seen)
                stored.append(member)
                time.sleep(chance.uniform(0.0, 0.4))
        clock.join()
        while events.waiting():
            time.sleep(0.05)
    segment.delete()
    measuring.empty()
    p95 = statistics.quantiles(stored, n=100)[94]
    return measuring.figure(
        "event.visible", "s, p95", len(taken), [p95], most=GOAL,
        median=round(statistics.median(stored), 3), slowest=round(max(stored), 3),
        on_the_page_p95=round(statistics.quantiles(taken, n=100)[94], 3), events_per_second=RATE,
    )  # fmt: skip


def _keep_members(stop: threading.Event) -> None:
    period, _queue = settings.PIPELINE.EVERY["campaigns.tasks.refresh_segments"]
    while not stop.wait(period):
        upkeep.refresh(now=timezone.now())
    connection.close()


def _wait_for_people() -> None:
    """Until the others' events have made the people of our own."""
    until = time.monotonic() + 60
    while Customer.objects.count() < doors.PEOPLE // 2:
        if time.monotonic() > until:
            raise Refused("the others' events were not stored within a minute")
        time.sleep(0.2)


def _probe(port: int, secret: str, number: int, segment: int) -> tuple[float, float]:
    """Seconds from the answer until one person's event is seen on the page and in a rule's count,
    and until the person is a stored member.
    """
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
    _wait_until(answered, lambda: _seen(customer, number + 1))
    seen = time.perf_counter() - answered
    member = SegmentMember.objects.filter(segment_id=segment, customer_id=customer)
    _wait_until(answered, member.exists)
    return seen, time.perf_counter() - answered


def _wait_until(answered: float, true: Callable[[], bool]) -> None:
    while not true():
        if time.perf_counter() - answered > 30:
            raise Refused("an event was not seen within 30 s of its answer")
        time.sleep(LOOKS)


def _seen(customer: int, people: int) -> bool:
    shown = queries.timeline(customer_id=customer, limit=10)
    if not any(moment.title == RULE["did"] for moment in shown):
        return False
    found = membership.count(compiler.read(RULE), as_of=timezone.now(), patience_ms=10_000)
    return found.people == people

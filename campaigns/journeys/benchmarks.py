"""How many steps of journeys a worker takes a second, and how soon an event becomes a message.

Needs a database of its own: people, events and journeys are made for it.
"""

import random
import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
from django.db import connection
from django.utils import timezone

from campaigns.journeys import bench_replay, entering, graphs, runner, versions
from campaigns.journeys.entering import Candidate
from campaigns.models import JourneyStep, Message
from ingestion.benchmarks import doors, measuring, sending, serving
from marketing.core.errors import Refused

PEOPLE = {"small": 10_000, "middle": 40_000, "full": 100_000}
PROBES = {"small": 60, "full": 300}
RUNS = 3
STEPS, SECONDS = 2_000, 2.0
RATE = 1_000


def _walked(template: int) -> dict[str, Any]:
    """Ten steps a person: waits that are over, splits by rule and by share, an update, a mail."""
    return {
        "start": "in",
        "nodes": {
            "in": {"kind": "api", "next": "minute"},
            "minute": {"kind": "wait_for", "for": {"minutes": 1}, "next": "near"},
            "near": {
                "kind": "split_rule",
                "rule": {"field": "customer.country", "op": "=", "value": "GB"},
                "branches": [{"key": "yes", "next": "lately"}, {"key": "no", "next": "lately"}],
            },
            "lately": {
                "kind": "split_rule",
                "rule": {"did": "view", "at_least": 1, "days": 30},
                "branches": [{"key": "yes", "next": "share"}, {"key": "no", "next": "share"}],
            },
            "share": {
                "kind": "split_percent",
                "branches": [
                    {"key": "a", "percent": 50, "next": "second"},
                    {"key": "b", "percent": 50, "next": "second"},
                ],
            },
            "second": {"kind": "wait_for", "for": {"minutes": 1}, "next": "noted"},
            "noted": {"kind": "attribute", "name": "bench", "value": "yes", "next": "mail"},
            "mail": {"kind": "send", "channel": "email", "template": template, "next": "third"},
            "third": {"kind": "wait_for", "for": {"minutes": 1}, "next": "asked"},
            "asked": {
                "kind": "split_rule",
                "rule": {"attribute": "bench", "op": "=", "value": "yes"},
                "branches": [{"key": "yes", "next": "out"}, {"key": "no", "next": "out"}],
            },
            "out": {"kind": "exit"},
        },
    }


def journey_steps(size: str) -> dict[str, Any]:
    """Steps a second of one process, with every row of moves, messages and logs committed."""
    measuring.refuse_if_filled()
    number = PEOPLE[size]
    people = bench_replay.some_people(number)
    rates = []
    template = bench_replay.template()
    for turn in range(RUNS):
        now = timezone.now()
        journey = versions.create(
            name=f"Bench {turn}", definition=_walked(template.pk), user=None, now=now
        )
        versions.publish(journey_id=journey.pk, user=None, now=now)
        (version,) = graphs.walked(journey_id=journey.pk)
        entering.enter(
            version=version,
            candidates=[Candidate(customer_id=one, key=str(one), at=now) for one in people],
            now=now,
        )
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE campaigns_enrollment")
        before = JourneyStep.objects.count()
        began = time.perf_counter()
        for minutes in range(4):
            moment = now + timedelta(minutes=minutes, seconds=1)
            while runner.batch(version=version, now=moment)[0]:
                pass
        seconds = time.perf_counter() - began
        taken = JourneyStep.objects.count() - before
        if taken != 11 * number or version_messages(version.run_id) != number:
            raise Refused(f"{taken} steps were written for {number} people")
        rates.append(taken / seconds)
        versions.close(journey_id=journey.pk, user=None, now=now)
    measuring.empty()
    return measuring.figure(
        "journey.steps", "steps/s", 11 * number, rates, least=STEPS, what="at least, per worker",
        digits=0,
    )  # fmt: skip


def version_messages(run_id: int) -> int:
    return Message.objects.filter(run_id=run_id).count()


def journey_reaction(size: str) -> dict[str, Any]:
    """From the answer to an event until its message stands in the ledger, while others send. One
    process stores events, one walks people, and the platform's own clock is beside them.
    """
    measuring.refuse_if_filled()
    chance, now, taken = random.Random(5), timezone.now(), []
    definition = {
        "start": "in",
        "nodes": {
            "in": {"kind": "event", "event": "bench_cart", "next": "asked"},
            "asked": {
                "kind": "split_rule",
                "rule": {"did": "bench_cart", "at_least": 1, "days": 1},
                "branches": [{"key": "yes", "next": "mail"}, {"key": "no"}],
            },
            "mail": {"kind": "send", "channel": "email", "template": bench_replay.template().pk},
        },
    }
    journey = versions.create(name="Bench", definition=definition, user=None, now=now)
    version = versions.publish(journey_id=journey.pk, user=None, now=now)
    with (
        doors.key() as secret,
        serving.web(serving.PLATFORM) as port,
        serving.worker("events"),
        serving.worker("fast"),
        doors.others(port, secret, rate=RATE, connections=4),
    ):
        for number in range(PROBES[size] + 1):
            taken.append(_probe(port, secret, number, version.run_id))
            time.sleep(chance.uniform(0.0, 0.4))
        del taken[0]  # the workers were still waking up
    measuring.empty()
    p95 = statistics.quantiles(taken, n=100)[94]
    return measuring.figure(
        "journey.reaction", "s, p95", len(taken), [p95], most=SECONDS,
        median=round(statistics.median(taken), 3), slowest=round(max(taken), 3),
        events_per_second=RATE,
    )  # fmt: skip


def _probe(port: int, secret: str, number: int, run_id: int) -> float:
    body = orjson.dumps(
        {"type": "bench_cart", "external_id": f"probe{number}", "message_id": f"probe-{number}"}
    )
    data = sending.request(port=port, path=doors.ADDRESS, body=body, secret=secret)
    sent = sending.send([data], port=port, connections=1)
    answered = time.perf_counter()
    if sent.statuses != {201: 1}:
        raise Refused(f"the server answered {sent.statuses}")
    while version_messages(run_id) <= number:
        if time.perf_counter() - answered > 60:
            raise Refused(f"event {number} did not become a message within a minute")
        time.sleep(0.02)
    return time.perf_counter() - answered


WORKLOADS: dict[str, Callable[[str], dict[str, Any]]] = {
    "journey.steps": journey_steps,
    "journey.reaction": journey_reaction,
    "journey.replay": bench_replay.journey_replay,
}

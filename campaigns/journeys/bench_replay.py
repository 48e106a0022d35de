"""How many who come in the time machine walks a second, and that it walks them truly.

Needs a database of its own: people and events are made for it.
"""

import random
import time
from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from campaigns.journeys import replay
from campaigns.models import Template
from ingestion import events
from ingestion.benchmarks import measuring
from ingestion.identity import identify, profile
from marketing.core.errors import Refused

REPLAYED = {"small": 1_000, "full": 20_000}
RUNS, AT_ONCE = 3, 2_000
TOGETHER = 3.0


def template() -> Template:
    """A short mail."""
    return Template.objects.create(
        name="Bench", subject="Hello", html="<p>Hello {{ first_name }}</p>", text="Hello"
    )


def some_people(number: int, at_once: int = 2_000) -> list[int]:
    """So many people with addresses, half of them in one country."""
    now = timezone.now()
    people: list[int] = []
    for first in range(0, number, at_once):
        named = [
            identify.Person(external_id=f"j{n}", email=f"j{n}@example.com", at=now)
            for n in range(first, min(first + at_once, number))
        ]
        found = identify.locate(people=named, source="bench", now=now)
        some = [one.customer_id for one in found if one.customer_id is not None]
        profile.apply(
            changes=[
                profile.Change(one, now, f"bench:{one}", {"country": "GB" if one % 2 else "DE"})
                for one in some
            ],
            now=now,
        )
        people += some
    return people


def journey_replay(size: str) -> dict[str, Any]:
    """Entries a second of the time machine, beside the same with each question asked as it comes;
    both must give the same log.
    """
    measuring.refuse_if_filled()
    people = some_people(REPLAYED[size])
    now = timezone.now()
    since = now - timedelta(days=21)
    chance = random.Random(7)
    facts = sorted(
        (
            since + timedelta(days=20 * chance.random()),
            one,
            chance.choice(["cart", "cart", "view", "view", "view", "view", "order"]),
        )
        for one in people
        for _time in range(12)
    )
    for first in range(0, len(facts), AT_ONCE):
        batch = [
            events.Incoming(
                type=type_,
                at=at,
                message_id=f"r{first + n}",
                customer_id=one,
                properties={"total": chance.randint(5, 40)},
            )
            for n, (at, one, type_) in enumerate(facts[first : first + AT_ONCE])
        ]
        events.record(batch=batch, source="bench", now=now)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE ingestion_event")
    asked: dict[str, Any] = {"definition": _replayed(template().pk), "since": since, "until": now}
    rates, logs = [], []
    for _run in range(RUNS):
        began = time.perf_counter()
        found = replay.run(imported=True, **asked)
        rates.append(found.summary()["entered"] / (time.perf_counter() - began))
        logs.append(found.timeline.lines)
    walks, replay.WALKS = replay.WALKS, 0
    try:
        began = time.perf_counter()
        found = replay.run(imported=True, **asked)
        alone = found.summary()["entered"] / (time.perf_counter() - began)
    finally:
        replay.WALKS = walks
    if any(log != found.timeline.lines for log in logs):
        raise Refused("asking together gave another log than asking one by one")
    measuring.empty()
    line = measuring.figure(
        "journey.replay", "entries/s", found.summary()["entered"], rates, least=TOGETHER * alone,
        what="at least, thrice of each question asked by itself", digits=0,
    )  # fmt: skip
    return line | {"peer": round(alone)}


def _replayed(template: int) -> dict[str, Any]:
    """A basket left: a rule of entry, a split by what was done, a limit, a mail, a wait."""
    return {
        "start": "cart",
        "nodes": {
            "cart": {
                "kind": "event",
                "event": "cart",
                "where": [{"property": "total", "op": ">=", "value": 10}],
                "next": "hour",
            },
            "hour": {"kind": "wait_for", "for": {"hours": 1}, "next": "seen"},
            "seen": {
                "kind": "split_rule",
                "rule": {"did": "view", "at_least": 2, "days": 7},
                "branches": [{"key": "yes", "next": "mail"}, {"key": "no", "next": "nine"}],
            },
            "nine": {"kind": "wait_local", "at": "09:00", "next": "mail"},
            "mail": {"kind": "send", "channel": "email", "template": template, "next": "back"},
            "back": {
                "kind": "wait_event",
                "event": "view",
                "for": {"days": 1},
                "branches": [{"key": "happened"}, {"key": "timeout"}],
            },
        },
        "goal": {"event": "order"},
        "entry": {
            "again": "after",
            "days": 2,
            "rule": {"field": "customer.country", "op": "=", "value": "GB"},
        },
        "caps": {"per_day": 5_000},
    }

"""Refreshers that are killed, and several at once: nobody is lost and no move is told twice."""

import os
import random
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from campaigns.models import Segment, SegmentMember, SegmentMove
from campaigns.segments import compile as compiler
from campaigns.segments import membership, upkeep
from ingestion import events
from ingestion.models import Customer
from tests import factories

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]
REFRESHER = """
import django
django.setup()
from campaigns.segments import upkeep
while True:
    upkeep.refresh()
"""
RULES: list[dict[str, Any]] = [
    {"field": "customer.country", "op": "=", "value": "GB"},
    {"not": {"did": "page", "at_least": 2}},
    {"did": "search", "days": 30},
    {"field": "can_email", "op": "=", "value": True},
]


def test_killed_refreshers_lose_and_double_nothing(
    start_process: Callable[..., Any],
) -> None:
    draw = random.Random(3)
    people = [factories.customer() for _ in range(60)]
    segments = [factories.segment(str(number), rule) for number, rule in enumerate(RULES)]
    named = [{"in_segment": segment.pk} for segment in segments[:2]]
    segments.append(factories.segment("both", {"all": named}))
    number = 0
    for _kill in range(5):
        running = [start_process("-c", REFRESHER) for _ in range(2)]
        told = SegmentMove.objects.count()
        until = time.monotonic() + 20
        while SegmentMove.objects.count() < told + 40 and time.monotonic() < until:
            number += 1
            chosen = draw.sample(people, 5)
            country = draw.choice(["GB", "FR"])
            Customer.objects.filter(pk__in=[p.pk for p in chosen]).update(country=country)
            said = [
                {
                    "type": draw.choice(["page", "search"]),
                    "customer_id": person.pk,
                    "at": factories.now(),
                    "message_id": f"{number}-{person.pk}",
                }
                for person in chosen[:2]
            ]
            events.record(batch=said, source="shop", now=factories.now())
        for process in running:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    while upkeep.refresh().more:
        pass
    for segment in segments:
        rule = compiler.read(Segment.objects.get(pk=segment.pk).rule)
        meant = set(membership.members(rule).values_list("pk", flat=True))
        stored = SegmentMember.objects.filter(segment=segment)
        assert set(stored.values_list("customer_id", flat=True)) == meant
        inside: set[int] = set()
        for move in SegmentMove.objects.filter(segment=segment).order_by("pk"):
            assert (move.customer_id in inside) != move.entered, "a move that moved nobody"
            inside ^= {move.customer_id}
        assert inside == meant
    assert SegmentMove.objects.filter(cause="change").count() > 50

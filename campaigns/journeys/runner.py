"""People who are due are walked on: a batch, one transaction, one write of each kind.

A batch locks its rows and skips those that others hold, so any number of workers share the work. A
worker that is killed leaves its batch as it was: no move, no message, no line of the log. Whatever
looks at facts for journeys (`triggers`) waits until no batch is under way, so nobody comes to wait
for an event while that event is being told.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from django.db import connection, transaction
from django.utils import timezone

from campaigns.journeys import clock, graphs
from campaigns.journeys.acts import Deeds
from campaigns.journeys.asked import Answers
from campaigns.journeys.walking import Line, Walker, walk
from marketing.core import brand

BATCH = 1_000
SECONDS = 8.0
FACTS = 0x4A464143  # taken together by batches, alone by whoever tells them of facts

_DUE = """
SELECT e.id, e.customer_id, e.node, e.arrived_at, e.heard_at, e.steps, e.goal_at,
       campaigns_zone(c.timezone, c.country), {context}
FROM campaigns_enrollment e JOIN ingestion_customer c ON c.id = e.customer_id
WHERE e.version_id = %s AND e.ended_at IS NULL AND e.wake_at <= %s
ORDER BY e.wake_at LIMIT %s FOR UPDATE OF e SKIP LOCKED
"""
_MOVE = """
UPDATE campaigns_enrollment e
SET node = n.node, arrived_at = n.arrived_at, wake_at = n.wake_at, heard_at = NULL,
    goal_at = n.goal_at, ended_at = n.ended_at, outcome = n.outcome, steps = n.steps
FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[],
            %s::timestamptz[], %s::text[], %s::int[])
    AS n (id, node, arrived_at, wake_at, goal_at, ended_at, outcome, steps)
WHERE e.id = n.id
"""
_LOG = """
INSERT INTO campaigns_journeystep (enrollment_id, n, version_id, node, branch, what, at)
SELECT id, n, %s, node, branch, what, at
FROM unnest(%s::bigint[], %s::int[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])
    AS l (id, n, node, branch, what, at)
"""


@dataclass
class Woken:
    """What one waking did; `more` when its time was over before everybody was walked on."""

    people: int = 0
    steps: int = 0
    more: bool = False


def wake(*, now: datetime | None = None, seconds: float = SECONDS, limit: int = BATCH) -> Woken:
    """Walk on everybody who is due, batch by batch, until nobody is or the time is up."""
    began = time.monotonic()
    done = Woken()
    for version in graphs.walked():
        while True:
            if time.monotonic() - began > seconds:
                done.more = True
                return done
            people, steps = batch(version=version, now=now or timezone.now(), limit=limit)
            done.people += people
            done.steps += steps
            if people < limit:
                break
    return done


def batch(*, version: graphs.Walked, now: datetime, limit: int = BATCH) -> tuple[int, int]:
    """One batch of one version, in one transaction: how many people, and how many steps."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [FACTS])
        # Paused or closed meanwhile: the lock waits for whoever is doing that.
        cursor.execute("SELECT state FROM campaigns_run WHERE id = %s FOR SHARE", [version.run_id])
        row = cursor.fetchone()
        if row is None or row[0] != "running":
            return 0, 0
        people = _due(cursor, version, now, limit)
        if not people:
            return 0, 0
        answers = Answers(graph=version.graph, version_id=version.id, now=now)
        deeds = Deeds(version=version, now=now)
        lines = walk(
            graph=version.graph,
            key=version.key,
            people=people,
            now=now,
            ask=lambda _node, question, ids: answers.of(question, ids),
            act=deeds.act,
        )
        deeds.finish()
        _write(cursor, version, people, lines)
    return len(people), len(lines)


def _due(cursor: Any, version: graphs.Walked, now: datetime, limit: int) -> list[Walker]:
    text = _DUE.format(context="e.context, e.waited" if version.graph.remembers else "NULL, NULL")
    cursor.execute(text, [version.id, now, limit])
    home = brand.now().zone
    zones: dict[str | None, ZoneInfo] = {}
    found = []
    for id_, customer, node, arrived, heard, steps, goal, zone, event, waited in cursor.fetchall():
        if zone not in zones:
            zones[zone] = clock.zone_of(zone, home)
        found.append(
            Walker(
                id=id_,
                customer_id=customer,
                node=node,
                arrived_at=arrived,
                heard_at=heard,
                zone=zones[zone],
                n=steps,
                goal_at=goal,
                context=orjson.loads(event) if event else {},
                waited=orjson.loads(waited) if waited else {},
            )
        )
    return found


def _write(
    cursor: Any, version: graphs.Walked, people: Sequence[Walker], lines: Sequence[Line]
) -> None:
    cursor.execute(
        _MOVE,
        [
            [w.id for w in people],
            [w.node for w in people],
            [w.arrived_at for w in people],
            [w.wake_at for w in people],
            [w.goal_at for w in people],
            [w.ended_at for w in people],
            [w.outcome for w in people],
            [w.n for w in people],
        ],
    )
    if lines:
        log(version_id=version.id, lines=lines)


def log(*, version_id: int, lines: Sequence[Line]) -> None:
    """Write lines of logs."""
    with connection.cursor() as cursor:
        cursor.execute(
            _LOG,
            [
                version_id,
                [line.enrollment_id for line in lines],
                [line.n for line in lines],
                [line.node for line in lines],
                [line.branch for line in lines],
                [line.what for line in lines],
                [line.at for line in lines],
            ],
        )

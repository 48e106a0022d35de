"""What happened, told to journeys: who comes in, whose wait ends, who reached the goal or leaves.

One process at a time looks, and while it does no batch of people is under way.
"""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.db import connection, transaction
from django.utils import timezone

from campaigns.journeys import entering, graphs, hearing, matching
from campaigns.journeys.entering import Candidate, Entered
from campaigns.journeys.graph import Graph, Sign
from campaigns.journeys.graphs import Walked
from campaigns.journeys.hearing import Happened
from campaigns.journeys.runner import FACTS
from campaigns.models import SegmentMove
from marketing.core import bus

# Kept of an event for the messages of the stay that it began.
MOST_CONTEXT = 8_000

_HEARD = """
UPDATE campaigns_enrollment e SET heard_at = h.at, wake_at = %(now)s, waited = h.said
FROM (
    SELECT DISTINCT ON (e.id) e.id, n.at, n.said
    FROM unnest(%(people)s::bigint[], %(ats)s::timestamptz[], %(slots)s::text[],
        %(said)s::jsonb[]) AS n (customer, at, slot, said)
    JOIN campaigns_enrollment e ON e.customer_id = n.customer AND e.version_id = %(version)s
        AND e.node = %(node)s AND e.ended_at IS NULL AND e.heard_at IS NULL
        AND n.at > e.arrived_at AND (n.slot = '' OR e.slot = '' OR n.slot = e.slot)
    ORDER BY e.id, n.at) AS h
WHERE e.id = h.id
"""
_SIGNED = """
SELECT e.id, e.node, e.steps, min(n.at), e.goal_at
FROM unnest(%(people)s::bigint[], %(ats)s::timestamptz[], %(slots)s::text[])
    AS n (customer, at, slot)
JOIN campaigns_enrollment e ON e.customer_id = n.customer AND e.version_id = %(version)s
    AND e.ended_at IS NULL AND n.at > e.entered_at
    AND (n.slot = '' OR e.slot = '' OR n.slot = e.slot)
GROUP BY e.id, e.node, e.steps, e.goal_at
"""
_ENDED = """
WITH gone AS (
    UPDATE campaigns_enrollment e
    SET ended_at = n.at, outcome = %(what)s, wake_at = NULL, steps = e.steps + 1,
        goal_at = CASE WHEN %(goal)s THEN coalesce(e.goal_at, n.at) ELSE e.goal_at END
    FROM unnest(%(ids)s::bigint[], %(ats)s::timestamptz[]) AS n (id, at)
    WHERE e.id = n.id AND e.ended_at IS NULL
    RETURNING e.id, e.steps - 1 AS n, e.version_id, e.node, e.ended_at)
INSERT INTO campaigns_journeystep (enrollment_id, n, version_id, node, branch, what, at)
SELECT id, n, version_id, node, '', %(what)s, ended_at FROM gone
"""


@dataclass
class Told:
    """What one look found: facts, and how many people came in, heard, or left."""

    facts: int = 0
    entered: int = 0
    heard: int = 0
    ended: int = 0
    more: bool = False


def react(*, now: datetime | None = None) -> Told:
    """Look at what happened since the last look. Answers at once while somebody else is looking."""
    now = now or timezone.now()
    told = Told()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [zlib.crc32(b"journeys.react")])
        if not cursor.fetchone()[0]:
            return told
        versions = graphs.walked()
        listened = {type for version in versions for type in version.graph.listens()}
        watched = {segment for version in versions for segment in version.graph.watches()}
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [FACTS])
        happened = hearing.events(types=listened, now=now)
        moved, told.more = hearing.moves(segments=watched, now=now)
        told.facts = len(happened) + len(moved)
        if told.facts:
            facts = sorted([*happened, *moved], key=lambda one: one.at)
            for version in versions:
                _tell(version, facts, now, told)
    return told


def _tell(version: Walked, facts: Sequence[Happened], now: datetime, told: Told) -> None:
    graph = version.graph
    for node in graph.nodes.values():
        if node.kind == "wait_event":
            sign = Sign(event=node.settings["event"], where=node.settings["where"])
            told.heard += _heard(version, node.id, _of(sign, facts), now)
    if graph.goal is not None and (reached := _of(graph.goal, facts)):
        told.ended += _sign(version, reached, "goal" if graph.goal_ends else "")
    for sign in graph.exits:
        if left := _of(sign, facts):
            told.ended += _sign(version, left, "exit")
    if version.open:
        candidates = entries(graph, [one for one in facts if one.at > version.since])
        told.entered += entering.enter(version=version, candidates=candidates, now=now).entered
    if told.heard:
        bus.announce("journeys.due")


def _of(sign: Sign, facts: Iterable[Happened]) -> list[Happened]:
    """The facts that are this sign. That a rule was changed is no deed of anybody's."""
    if sign.event:
        return [
            one
            for one in facts
            if one.type == sign.event and matching.passes(sign.where, one.properties or {})
        ]
    return [
        one
        for one in facts
        if one.segment == sign.segment
        and one.entered == sign.entered
        and one.cause not in (SegmentMove.Cause.ERASED, SegmentMove.Cause.RULE)
    ]


def entries(graph: Graph, facts: Iterable[Happened]) -> list[Candidate]:
    """Whom these facts bring in."""
    trigger = graph.trigger
    match trigger.kind:
        case "event":
            sign = Sign(event=trigger.settings["event"], where=trigger.settings["where"])
        case "segment_enter" | "segment_leave":
            sign = Sign(
                segment=trigger.settings["segment"], entered=trigger.kind == "segment_enter"
            )
        case _:
            return []
    return [
        Candidate(
            customer_id=one.customer_id,
            key=f"event:{one.id}" if one.type else f"move:{one.id}",
            at=one.at,
            slot=_slot(graph, one),
            context=_context(one),
        )
        for one in _of(sign, facts)
    ]


def _slot(graph: Graph, one: Happened) -> str:
    said = (one.properties or {}).get(graph.entry.key) if graph.entry.key else None
    return "" if said is None else matching.as_text(said)[:200]


def _context(one: Happened) -> dict[str, object]:
    """The properties that fit; one that is too large leaves room for the others."""
    kept: dict[str, object] = {}
    size = 0
    for name, value in (one.properties or {}).items():
        more = len(name) + len(matching.as_text(value))
        if size + more <= MOST_CONTEXT:
            size += more
            kept[name] = value
    return kept


def _columns(version: Walked, facts: Sequence[Happened]) -> dict[str, Any]:
    return {
        "version": version.id,
        "people": [one.customer_id for one in facts],
        "ats": [one.at for one in facts],
        "slots": [_slot(version.graph, one) for one in facts],
    }


def _heard(version: Walked, node: str, facts: Sequence[Happened], now: datetime) -> int:
    if not facts:
        return 0
    with connection.cursor() as cursor:
        said = [orjson.dumps(_context(one)).decode() for one in facts]
        cursor.execute(_HEARD, {**_columns(version, facts), "said": said, "node": node, "now": now})
        return int(cursor.rowcount)


def _sign(version: Walked, facts: Sequence[Happened], what: str) -> int:
    """Note the goal of whoever is inside, or end their stay; how many stays ended."""
    with connection.cursor() as cursor:
        cursor.execute(_SIGNED, _columns(version, facts))
        rows = cursor.fetchall()
        if not rows:
            return 0
        ids, ats = [row[0] for row in rows], [row[3] for row in rows]
        if not what:
            cursor.execute(
                "UPDATE campaigns_enrollment e SET goal_at = n.at"
                " FROM unnest(%s::bigint[], %s::timestamptz[]) AS n (id, at)"
                " WHERE e.id = n.id AND e.goal_at IS NULL",
                [ids, ats],
            )
            return 0
        cursor.execute(_ENDED, {"ids": ids, "ats": ats, "what": what, "goal": what == "goal"})
        return int(cursor.rowcount)


def by_api(
    *, version: Walked, customer_id: int, key: str, context: dict[str, object], now: datetime
) -> Entered:
    """Let somebody in whom another system sends. The same key brings them in once."""
    slot = context.get(version.graph.entry.key) if version.graph.entry.key else None
    return entering.enter(
        version=version,
        candidates=[
            Candidate(
                customer_id=customer_id,
                key=f"api:{key}",
                at=now,
                slot="" if slot is None else matching.as_text(slot)[:200],
                context=context,
            )
        ],
        now=now,
    )

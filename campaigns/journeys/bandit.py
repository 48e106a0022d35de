"""Shares of ways that follow how often each led to the goal, with a floor under each.

Thompson sampling over the ends of stays: everybody draws a rate for each way from what is known of
it, and takes the way whose rate came out highest. What is drawn hangs on the person and the step,
so a batch that is done again draws the same.
"""

import hashlib
import random
from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from campaigns.journeys.graph import Graph

# A way whose stay has not ended yet says nothing; one that began long ago and reached no goal does.
_RESULTS = """
SELECT s.branch, count(*) FILTER (WHERE e.goal_at IS NOT NULL),
       count(*) FILTER (WHERE e.goal_at IS NULL AND e.ended_at IS NOT NULL)
FROM campaigns_journeystep s JOIN campaigns_enrollment e ON e.id = s.enrollment_id
WHERE s.version_id = %s AND s.node = %s AND s.branch <> ''
GROUP BY s.branch
"""


def results(*, version_id: int, node: str) -> dict[str, tuple[int, int]]:
    """By way: how many stays reached the goal, and how many ended without."""
    with connection.cursor() as cursor:
        cursor.execute(_RESULTS, [version_id, node])
        return {branch: (reached, missed) for branch, reached, missed in cursor.fetchall()}


def draw(
    *, graph: Graph, version_id: int, node: str, people: Sequence[int], now: datetime
) -> dict[int, str]:
    """The way that each of these people tries."""
    known = results(version_id=version_id, node=node)
    ways = [branch.key for branch in graph.nodes[node].branches]
    floor = min(graph.nodes[node].settings["floor"] / 100, 1 / len(ways))
    return {person: _one(ways, known, floor, f"{version_id}:{node}:{person}") for person in people}


def _one(ways: Sequence[str], known: dict[str, tuple[int, int]], floor: float, seed: str) -> str:
    dice = random.Random(hashlib.blake2b(seed.encode(), digest_size=8).digest())
    if dice.random() < floor * len(ways):
        return ways[dice.randrange(len(ways))]
    rates = {}
    for way in ways:
        reached, missed = known.get(way, (0, 0))
        rates[way] = dice.betavariate(1 + reached, 1 + missed)
    return max(ways, key=rates.__getitem__)

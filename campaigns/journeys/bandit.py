"""Shares of ways that follow how often each led to the goal, with a floor under each."""

from collections.abc import Sequence

from django.db import connection

from campaigns.experiments import assignment, bandits
from campaigns.experiments.winners import Arm
from campaigns.journeys.graph import Graph

# A way says nothing of whoever is still inside and has not reached the goal: their time is not up.
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


def shares(*, graph: Graph, version_id: int, node: str) -> dict[str, float]:
    """The share of people that each way gets now."""
    known = results(version_id=version_id, node=node)
    arms = {}
    for branch in graph.nodes[node].branches:
        reached, missed = known.get(branch.key, (0, 0))
        arms[branch.key] = Arm(reached + missed, reached)
    return bandits.thompson(arms, floor=graph.nodes[node].settings["floor"] / 100)


def draw(*, graph: Graph, version_id: int, node: str, people: Sequence[int]) -> dict[int, str]:
    """The way that each of these people tries."""
    found = shares(graph=graph, version_id=version_id, node=node)
    ways, ceilings = list(found), assignment.edges(list(found.values()))
    key = f"bandit:{version_id}:{node}"
    return {
        person: ways[assignment.side(key=key, unit=person, ceilings=ceilings)] for person in people
    }

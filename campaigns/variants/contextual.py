"""Whom each variant suits: chances for each person, from people like them. For workers.

A round learns from everybody who was sent something before, each with what was known of them then
and the chance by which they got it. Before it may choose, it is held against the shares that would
be taken otherwise, by what both would have earned: learned on one half of the people and valued on
the other, doubly robustly. Where it earns no more, the shares are taken.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import orjson
from django.db import connection

from campaigns.experiments import offpolicy
from campaigns.experiments.linear import Linear
from campaigns.manners.tried import ANSWER
from campaigns.models import Run, Trial
from campaigns.recipients import audience, routes
from campaigns.reporting import settled
from campaigns.variants.giving import Part
from campaigns.variants.profiles import COLUMNS, chances_of, features, may_get, with_ways
from campaigns.variants.shares import SHARED, SUITED, Chosen, Sets

MOST = 200_000
LEAST = 200
_ANSWER = {
    Trial.Metric.CLICKED: "(m.clicked_at IS NOT NULL)",
    Trial.Metric.OPENED: "(m.opened_at IS NOT NULL)",
    Trial.Metric.ORDERED: """EXISTS (SELECT 1 FROM ingestion_order AS o
        WHERE o.customer_id = m.customer_id AND o.placed_at >= r.started_at
          AND o.status <> 'cancelled')""",
}
_SEEN = """
    SELECT {slot}, m.variant, {answer}::int, coalesce(m.chance, c.chance), c.known, m.reach,
           {columns}
    FROM campaigns_message AS m JOIN campaigns_run AS r ON r.id = m.run_id
    LEFT JOIN campaigns_choice AS c ON c.run_id = m.run_id AND c.customer_id = m.customer_id
    LEFT JOIN models_ml_traits AS t ON t.customer_id = m.customer_id
    WHERE m.run_id = %s AND {settled} AND {slot} < %s
    ORDER BY md5(m.id::text) LIMIT %s"""


def release(
    *, run: Run, trial: Trial, number: int, shares: dict[str, float], sets: Sets | None = None,
    most: Mapping[str, int] | None = None,
) -> Chosen:  # fmt: skip
    """Choose for everybody of this round, if that earns more than everybody's shares would.

    Of several channels `sets` are the shares by those that reach people, and it is chosen for whom
    more than one of them reaches. `most`: how many a variant with a limit may still be given to;
    whom nothing pays for is skipped.
    """
    draw = audience.Draw.of_json(run.snapshot["draw"])
    slot, of_slot = audience.slot_sql("m.customer_id", draw)
    names = [name for name, weight in draw.variants if weight > 0]
    floor = min(trial.floor_percent / 100, 1 / len(names))
    total = sum(weight for _name, weight in draw.variants)
    first = {name: weight / total for name, weight in draw.variants}
    answer, had_time = _ANSWER[Trial.Metric(trial.metric)], "m.state = 'sent'"
    of_answer: list[Any] = []
    of_time: list[Any] = []
    free = routes.choices(draw.routes) if sets is not None else [""]
    if sets is not None:
        goal = run.snapshot.get("goal") or ""
        metric = routes.metric_of(draw.routes, trial.metric)
        answer, of_answer = settled.person_sql(metric=metric, goal=goal)
        answer = f"m.state = 'sent' AND {answer}"
        due = run.started_at + number * timedelta(hours=run.snapshot["hours"])
        had_time, of_time = settled.ended_sql(now=due)
    elif settled.hours_of(run.snapshot):
        goal = run.snapshot.get("goal") or ""
        answer, of_answer = settled.answer_sql(metric=trial.metric, goal=goal)
        due = run.started_at + number * timedelta(hours=run.snapshot["hours"])
        had_time, of_time = "m.state = 'sent' AND m.sent_at <= %s", [due - ANSWER]
    with connection.cursor() as cursor:
        cursor.execute(
            _SEEN.format(answer=f"({answer})", columns=COLUMNS, slot=f"({slot})",
                         settled=had_time),
            [*of_slot, *of_answer, run.pk, *of_time, *of_slot, number, MOST],
        )  # fmt: skip
        seen = [row for row in cursor.fetchall() if row[1] in names and row[5] in free]
    if len(seen) < LEAST:
        return Chosen(None, shares, {}, SHARED)
    ways = routes.channels(draw.routes)
    x = with_ways(features([row[6:] for row in seen]), [row[5] for row in seen], ways)
    for i, row in enumerate(seen):
        if row[4]:
            x[i] = orjson.loads(row[4])
    arm = np.array([names.index(row[1]) for row in seen])
    reward = np.array([row[2] for row in seen], dtype=float)
    # Who was given it in a round of shares has no row of their own: the shares are in the round.
    rounds = {0: first, **dict(run.rounds.values_list("number", "shares"))}
    had = np.array([row[3] or rounds[row[0]][row[1]] for row in seen])
    reached, given_by = [row[5] for row in seen], sets or {"": shares}
    said = valued(
        x=x, arm=arm, reward=reward, had=had, names=names, floor=floor,
        usual=_usual(reached, names, given_by), may=may_get(reached, names, given_by),
        way=trial.learner,
    )  # fmt: skip
    if said["suited"]["value"] <= said["shares"]["value"]:
        return Chosen(None, shares, said, SHARED)
    learner = Linear(arms=names, size=x.shape[1])
    learner.learn(x=x, arm=[names[i] for i in arm], reward=reward)
    turn = Part(run, trial, number, draw, learner, floor, given_by, dict(most or {}))
    counts = turn.choose()
    people = sum(counts.values())
    given = {name: counts.get(name, 0) / people if people else 0.0 for name in shares or names}
    return Chosen(people, given, said, SUITED)


def _usual(reached: Sequence[str], names: Sequence[str], sets: Sets) -> np.ndarray:
    """Chances per person and variant by the shares of their set; none for what reaches them not."""
    rows = {reach: [given.get(name, 0.0) for name in names] for reach, given in sets.items()}
    return np.array([rows[reach] for reach in reached]).reshape(len(reached), len(names))


def valued(
    *, x: np.ndarray, arm: np.ndarray, reward: np.ndarray, had: np.ndarray,
    names: Sequence[str], usual: np.ndarray, may: np.ndarray, floor: float,
    way: str = Trial.Learner.DRAWS,
) -> dict[str, dict[str, float]]:  # fmt: skip
    """What choosing by person, everybody's shares and each variant alone would have earned.

    `usual`: chances per person and variant by the shares. Whom a variant cannot reach (`may`) keeps
    the shares where it is taken alone. `way`: how doubt counts.
    """
    n, k = len(arm), len(names)
    half = np.random.default_rng(n).permutation(n) % 2
    chances, said = np.empty((n, k)), np.empty((n, k))
    for side in (0, 1):
        train, test = half != side, half == side
        learner = Linear(arms=names, size=x.shape[1])
        learner.learn(x=x[train], arm=[names[i] for i in arm[train]], reward=reward[train])
        chances[test] = chances_of(learner, way, x[test], may[test], floor, seed=side, draws=100)
        said[test] = learner.means(x[test])
    policies = {"suited": chances, "shares": usual}
    for i, name in enumerate(names):
        policies[f"all {name}"] = np.where(may[:, [i]], np.eye(k)[i], usual)
    found = {}
    for policy, wanted in policies.items():
        weight = offpolicy.weights(wanted=wanted[np.arange(n), arm], had=had)
        robust = offpolicy.dr(reward=reward, weight=weight, said=said, policy=wanted, arm=arm)
        found[policy] = {
            "value": robust.value, "low": robust.low, "high": robust.high, "rows": robust.rows,
            "ips": offpolicy.ips(reward=reward, weight=weight).value,
            "snips": offpolicy.snips(reward=reward, weight=weight).value,
        }  # fmt: skip
    return found

"""Whom each variant suits: chances for each person, from people like them. For workers.

A round learns from everybody who was sent something before, each with what was known of them then
and the chance by which they got it. Before it may choose, it is held against the shares that would
be taken otherwise, by what both would have earned: learned on one half of the people and valued on
the other, doubly robustly. Where it earns no more, the shares are taken.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import orjson
from django.db import connection
from psycopg2.extras import execute_values

from campaigns.experiments import assignment, offpolicy
from campaigns.experiments.linear import Linear, choose
from campaigns.manners.tried import ANSWER
from campaigns.models import Choice, Run, Trial
from campaigns.recipients import audience, routes
from campaigns.reporting import settled
from campaigns.variants import routed
from campaigns.variants.shares import SHARED, SUITED, Chosen, Sets

# A trait and by how much its logarithm is divided, so that all are about as large.
FEATURES = (
    ("recency_days", 6.0), ("orders", 3.0), ("revenue", 8.0), ("avg_order_value", 5.0),
    ("tenure_days", 7.0),
)  # fmt: skip
MOST = 200_000
AT_ONCE = 20_000
LEAST = 200
_ANSWER = {
    Trial.Metric.CLICKED: "(m.clicked_at IS NOT NULL)",
    Trial.Metric.OPENED: "(m.opened_at IS NOT NULL)",
    Trial.Metric.ORDERED: """EXISTS (SELECT 1 FROM ingestion_order AS o
        WHERE o.customer_id = m.customer_id AND o.placed_at >= r.started_at
          AND o.status <> 'cancelled')""",
}
_COLUMNS = ", ".join(f"t.{name}" for name, _scale in FEATURES)
_SEEN = """
    SELECT {slot}, m.variant, {answer}::int, coalesce(m.chance, c.chance), c.known, m.reach,
           {columns}
    FROM campaigns_message AS m JOIN campaigns_run AS r ON r.id = m.run_id
    LEFT JOIN campaigns_choice AS c ON c.run_id = m.run_id AND c.customer_id = m.customer_id
    LEFT JOIN models_ml_traits AS t ON t.customer_id = m.customer_id
    WHERE m.run_id = %s AND {settled} AND {slot} < %s
    ORDER BY md5(m.id::text) LIMIT %s"""
_WAITING = """
    SELECT m.customer_id, m.reach, {columns} FROM campaigns_message AS m
    LEFT JOIN models_ml_traits AS t ON t.customer_id = m.customer_id
    WHERE m.run_id = %s AND m.state = 'queued' AND m.first_try_at IS NULL AND {slot} = %s
      AND m.customer_id > %s AND m.reach = ANY(%s) ORDER BY m.customer_id LIMIT %s"""
_RELEASE = """
    UPDATE campaigns_message AS m SET variant = v.variant, next_try_at = NULL{also}
    FROM (VALUES %s) AS v (customer_id, variant, chance){people}
    WHERE m.run_id = {run} AND m.customer_id = v.customer_id AND m.state = 'queued'
      AND m.first_try_at IS NULL{mine}"""


def features(rows: Sequence[Sequence[Any]]) -> np.ndarray:
    """One, each trait's logarithm on a like scale, and whether there were any traits."""
    found = np.zeros((len(rows), len(FEATURES) + 2))
    found[:, 0] = 1.0
    for i, row in enumerate(rows):
        found[i, -1] = float(any(value is not None for value in row))
        for j, (value, (_name, scale)) in enumerate(zip(row, FEATURES, strict=True), start=1):
            found[i, j] = np.log1p(max(float(value or 0), 0.0)) / scale
    return found


def release(
    *, run: Run, trial: Trial, number: int, shares: dict[str, float], sets: Sets | None = None
) -> Chosen:
    """Choose for everybody of this round, if that earns more than everybody's shares would.

    Of several channels `sets` are the shares by those that reach people, and it is chosen for whom
    more than one of them reaches.
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
            _SEEN.format(answer=f"({answer})", columns=_COLUMNS, slot=f"({slot})",
                         settled=had_time),
            [*of_slot, *of_answer, run.pk, *of_time, *of_slot, number, MOST],
        )  # fmt: skip
        seen = [row for row in cursor.fetchall() if row[1] in names and row[5] in free]
    if len(seen) < LEAST:
        return Chosen(None, shares, {}, SHARED)
    ways = routes.channels(draw.routes)
    x = _with_ways(features([row[6:] for row in seen]), [row[5] for row in seen], ways)
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
        usual=_usual(reached, names, given_by), may=_may(reached, names, given_by),
    )  # fmt: skip
    if said["suited"]["value"] <= said["shares"]["value"]:
        return Chosen(None, shares, said, SHARED)
    learner = Linear(arms=names, size=x.shape[1])
    learner.learn(x=x, arm=[names[i] for i in arm], reward=reward)
    counts = _choose(run, number, learner, floor, f"({slot})", of_slot, draw, given_by)
    people = sum(counts.values())
    given = {name: counts.get(name, 0) / people if people else 0.0 for name in shares}
    return Chosen(people, given, said, SUITED)


def _with_ways(x: np.ndarray, reached: Sequence[str], ways: Sequence[str]) -> np.ndarray:
    """The features with one for each of several channels: whether it reaches the person."""
    if not ways:
        return x
    there = [[way in reach.split() for way in ways] for reach in reached]
    return np.hstack([x, np.array(there, dtype=float).reshape(len(x), len(ways))])


def _usual(reached: Sequence[str], names: Sequence[str], sets: Sets) -> np.ndarray:
    """Chances per person and variant by the shares of their set; none for what reaches them not."""
    rows = {reach: [given.get(name, 0.0) for name in names] for reach, given in sets.items()}
    return np.array([rows[reach] for reach in reached]).reshape(len(reached), len(names))


def _may(reached: Sequence[str], names: Sequence[str], sets: Sets) -> np.ndarray:
    """Which variants can reach each person."""
    rows = {reach: [name in given for name in names] for reach, given in sets.items()}
    return np.array([rows[reach] for reach in reached]).reshape(len(reached), len(names))


def valued(
    *, x: np.ndarray, arm: np.ndarray, reward: np.ndarray, had: np.ndarray,
    names: Sequence[str], usual: np.ndarray, may: np.ndarray, floor: float,
) -> dict[str, dict[str, float]]:  # fmt: skip
    """What choosing by person, everybody's shares and each variant alone would have earned.

    `usual`: chances per person and variant by the shares. Whom a variant cannot reach (`may`) keeps
    the shares where it is taken alone.
    """
    n, k = len(arm), len(names)
    half = np.random.default_rng(n).permutation(n) % 2
    chances, said = np.empty((n, k)), np.empty((n, k))
    for side in (0, 1):
        train, test = half != side, half == side
        learner = Linear(arms=names, size=x.shape[1])
        learner.learn(x=x[train], arm=[names[i] for i in arm[train]], reward=reward[train])
        chances[test] = learner.thompson(
            x[test], floor=floor, seed=side, draws=100, allowed=may[test]
        )
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


def _choose(
    run: Run,
    number: int,
    learner: Linear,
    floor: float,
    slot: str,
    of_slot: Sequence[Any],
    draw: audience.Draw,
    sets: Sets,
) -> dict[str, int]:
    """Give everybody of the round a variant by their chances, and write the chances down."""
    counts: dict[str, int] = {}
    last = 0
    ways = routes.channels(draw.routes)
    sql = _release_sql(run, draw)
    with connection.cursor() as cursor:
        while True:
            cursor.execute(
                _WAITING.format(columns=_COLUMNS, slot=slot),
                [run.pk, *of_slot, number, last, _reaches(draw), AT_ONCE],
            )
            rows = cursor.fetchall()
            if not rows:
                return counts
            last = rows[-1][0]
            reached = [row[1] for row in rows]
            x = _with_ways(features([row[2:] for row in rows]), reached, ways)
            may = _may(reached, learner.arms, sets)
            chances = learner.thompson(x, floor=floor, seed=number, allowed=may)
            salt = f"{draw.key}:round{number}"
            own = [int(assignment.bucket(key=salt, unit=row[0]), 16) / 2**32 for row in rows]
            arm = choose(chances, uniform=np.array(own))
            given = [learner.arms[i] for i in arm]
            execute_values(
                cursor,
                sql,
                [
                    (row[0], name, float(chances[i, arm[i]]))
                    for i, (row, name) in enumerate(zip(rows, given, strict=True))
                ],
                page_size=AT_ONCE,
            )
            Choice.objects.bulk_create(
                [
                    Choice(
                        run=run, customer_id=row[0], number=number, variant=name,
                        chance=float(chances[i, arm[i]]), known=np.round(x[i], 5).tolist(),
                    )
                    for i, (row, name) in enumerate(zip(rows, given, strict=True))
                ],
                ignore_conflicts=True,
            )  # fmt: skip
            for name in given:
                counts[name] = counts.get(name, 0) + 1


def _reaches(draw: audience.Draw) -> list[str]:
    """Whom a choice is made for: everybody, or of several channels those whom more than one
    reaches."""
    return routes.choices(draw.routes) if draw.routes else [""]


def _release_sql(run: Run, draw: audience.Draw) -> str:
    """What gives people what was chosen; where it goes by another channel, with its address."""
    if not draw.routes:
        return _RELEASE.format(run=int(run.pk), also="", people="", mine="")
    pairs = ", ".join(f"('{key}', '{channel}')" for key, channel in draw.routes)
    address = routed.ADDRESS.format(channel="way.channel")
    return _RELEASE.format(
        run=int(run.pk),
        also=f", channel = way.channel, chance = v.chance, address = {address}",
        people=f", ingestion_customer AS c, (VALUES {pairs}) AS way (variant, channel)",
        mine=" AND c.id = m.customer_id AND way.variant = v.variant",
    )

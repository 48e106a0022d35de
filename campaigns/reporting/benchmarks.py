"""How often reports are right, and how fast they are made.

Simulated campaigns whose truth is known, two public trials whose results are published, and the
sums of a send to many people beside the same question written by hand.
"""

import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
from django.db import connection

from campaigns.experiments import cuped, difference, means, offpolicy, sequential, simulated
from campaigns.reporting import planted, tallies
from models_ml.benchmarks import shops
from models_ml.benchmarks.data import Line, find, line, skipped

NOW, START = planted.NOW, planted.START
CAMPAIGNS = {"small": 500, "full": 2_000}
PEOPLE = {"small": 100_000, "full": 1_000_000}
RUNS = 3
BANDIT = "open_bandit_sample/{log}_all_all.csv.gz"
GOAL = "the project's own"


def trials(size: str = "small") -> list[Line]:
    """A/A campaigns and planted lifts: how often the truth is outside, at the end or any day."""
    n = CAMPAIGNS[size]
    lines = []
    for lift, name in ((0.0, "aa"), (0.2, "planted")):
        last, ever = _outside(
            simulated.shop(campaigns=n, people=5_000, held=0.1, lift=lift, seed=5),
                              lift)  # fmt: skip
        for i, what in enumerate(("share", "money", "cuped")):
            lines.append(
                line(
                    f"cause.{name}.{what}", "share wrong", n, [last[i]],
                    most=("at most", 0.06 if lift == 0 else 0.07), origin=GOAL,
                )
            )  # fmt: skip
            lines.append(
                line(
                    f"cause.{name}.{what}.daily", "share wrong on any day", n, [ever[i]],
                    most=("at most", 0.05), origin=GOAL,
                )
            )  # fmt: skip
    return lines


def _outside(drawn: simulated.Shop, lift: float) -> tuple[list[float], list[float]]:
    count = len(drawn.n)
    last, ever = np.zeros((count, 3)), np.zeros((count, 3))
    for campaign in range(count):
        treated, control = (int(n) for n in drawn.n[campaign])
        past = drawn.sums(campaign, 0, 0) + drawn.sums(campaign, 0, 1)
        of_money = sequential.planned_money(
            treated=treated, control=control, variance=past.variance_before, typical=50
        )
        of_share = sequential.planned_share(treated=treated, control=control, rate=0.09)
        for day in range(simulated.DAYS):
            a, b = (int(n) for n in drawn.converted[campaign, day])
            share = difference(
                treated=treated, treated_converted=a, control=control, control_converted=b
            )
            sides = {
                "treated": drawn.sums(campaign, day, 0),
                "control": drawn.sums(campaign, day, 1),
            }
            money, adjusted = means(**sides), cuped.adjust(**sides)
            assert share is not None
            assert money is not None
            assert adjusted is not None
            rate = max(a / treated, b / control)
            of_share_true, of_money_true = simulated.truths(lift, day)
            truth = (of_share_true, of_money_true, of_money_true)
            daily = (
                sequential.always(lift=share, planned=of_share, converted=rate),
                sequential.always(lift=money, planned=of_money),
                sequential.always(lift=adjusted.lift, planned=of_money),
            )
            for i, (one, true) in enumerate(zip(daily, truth, strict=True)):
                ever[campaign, i] = max(ever[campaign, i], not one.low <= true <= one.high)
            for i, (one, true) in enumerate(zip((share, money, adjusted.lift), truth, strict=True)):
                last[campaign, i] = not one.low <= true <= one.high
    return list(last.mean(axis=0)), list(ever.mean(axis=0))


def bandit(size: str = "small") -> list[Line]:
    """What Thompson sampling would have earned, told from the random log, beside what it earned.

    Its chances are those with which it showed each article at each place.
    """
    random, thompson = (find(BANDIT.format(log=name)) for name in ("random", "bts"))
    if random is None or thompson is None:
        return [skipped("cause.bandit", BANDIT.format(log="random"))]
    log, own = pd.read_csv(random), pd.read_csv(thompson)
    place, other = (
        table["position"].rank(method="dense").astype(int).to_numpy() - 1 for table in (log, own)
    )
    arms = int(max(log["item_id"].max(), own["item_id"].max())) + 1
    policy = np.zeros((int(other.max()) + 1, arms))
    np.add.at(policy, (other, own["item_id"].to_numpy()), 1.0)
    policy /= policy.sum(axis=1, keepdims=True)
    arm, reward = log["item_id"].to_numpy(), log["click"].to_numpy(dtype=float)
    had = log["propensity_score"].to_numpy()
    truth = float(own["click"].mean())
    lines = []
    theirs = _theirs(log, policy, place) if find_spec("obp") else {}
    weight = offpolicy.weights(wanted=policy[place, arm], had=had)
    said = offpolicy.crossed(reward=reward, arm=arm, arms=arms)
    found = {
        "ips": offpolicy.ips(reward=reward, weight=weight),
        "snips": offpolicy.snips(reward=reward, weight=weight),
        "dr": offpolicy.dr(reward=reward, weight=weight, said=said, policy=policy[place], arm=arm),
    }
    for name, value in found.items():
        lines.append(
            line(
                f"cause.bandit.{name}", "clicks an article", len(log), [value.value],
                least=("its interval's lower end", value.low), origin="its own interval",
                peer=("obp", theirs[name]) if name in theirs else None,
                interval=[round(value.low, 5), round(value.high, 5)], on_policy=truth,
                inside=value.low <= truth <= value.high,
            )
        )  # fmt: skip
    return lines


def _theirs(log: pd.DataFrame, policy: np.ndarray, place: np.ndarray) -> dict[str, float]:
    """The same by obp's estimators, on the same chances."""
    from obp.ope import (  # noqa: PLC0415
        InverseProbabilityWeighting,
        SelfNormalizedInverseProbabilityWeighting,
    )

    given = {
        "reward": log["click"].to_numpy(),
        "action": log["item_id"].to_numpy(),
        "pscore": log["propensity_score"].to_numpy(),
        "position": place,
        "action_dist": np.repeat(policy.T[None], len(log), axis=0),
    }
    return {
        "ips": float(InverseProbabilityWeighting().estimate_policy_value(**given)),
        "snips": float(SelfNormalizedInverseProbabilityWeighting().estimate_policy_value(**given)),
    }


# The same question in one hand-written statement, of orders alone.
_BY_HAND = """
    SELECT m.reason = 'holdout', count(*), count(s.x), coalesce(sum(s.x), 0),
           coalesce(sum(s.x * s.x), 0)
    FROM campaigns_message AS m LEFT JOIN (
        SELECT customer_id, sum(total::float8) AS x FROM ingestion_order
        WHERE placed_at >= %s AND placed_at < %s AND status <> 'cancelled'
        GROUP BY customer_id) AS s ON s.customer_id = m.customer_id
    WHERE m.run_id = %s AND (m.state <> 'skipped' OR m.reason = 'holdout') GROUP BY 1"""


def report(size: str = "small") -> Line:
    """All sums of a report with a tenth held out, beside the plain question written by hand."""
    people = PEOPLE[size]
    ours: list[float] = []
    hand: list[float] = []
    with planted.undone():
        shops.plant(people, people * 10, now=NOW)
        run = planted.send(holdout=10)
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE TEMP TABLE planted ON COMMIT DROP AS SELECT external_id AS name,"
                " CASE WHEN id %% 10 = 0 THEN 'holdout' ELSE 'a' END AS arm"
                " FROM ingestion_customer WHERE external_id LIKE 'bench-%%'".replace("%%", "%")
            )
            cursor.execute(planted.MESSAGES, [run.pk, START])
            cursor.execute("ANALYZE campaigns_message")
            for _round in range(RUNS):
                until = START + tallies.WINDOW
                began = time.perf_counter()
                cursor.execute(_BY_HAND, [START, until, run.pk])
                cursor.fetchall()
                hand.append(time.perf_counter() - began)
                began = time.perf_counter()
                tallies.of_run(run=run, until=until)
                ours.append(time.perf_counter() - began)
    return line(
        "cause.report", "s", people, [statistics.median(ours)],
        most=("twice a count of orders by hand", 2 * statistics.median(hand)), origin=GOAL,
    )  # fmt: skip


WORKLOADS: dict[str, Callable[[str], Any]] = {
    "cause.trials": trials,
    "cause.bandit": bandit,
    "cause.hillstrom": planted.hillstrom,
    "cause.report": report,
}

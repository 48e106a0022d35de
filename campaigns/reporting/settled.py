"""Answers to variants that go out at different hours or by different channels: each counted as long
after it was sent."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import connection

from campaigns.answers import humans
from campaigns.experiments.winners import Arm
from campaigns.manners.tried import ANSWER
from campaigns.models import Run, Trial
from campaigns.recipients import audience

_COUNTS = """
    SELECT m.variant, count(*), count(*) FILTER (WHERE {answer})
    FROM campaigns_message AS m
    WHERE m.run_id = %s AND m.state = 'sent' AND m.sent_at <= %s AND {slot} < %s
    GROUP BY m.variant"""
_ORDERED = """EXISTS (SELECT FROM ingestion_order AS o
    WHERE o.customer_id = m.customer_id AND o.placed_at >= m.sent_at
      AND o.placed_at < m.sent_at + %s::interval AND o.status <> 'cancelled')"""
_DID = """EXISTS (SELECT FROM ingestion_event AS e
    WHERE e.customer_id = m.customer_id AND e.type = %s AND e.at >= m.sent_at
      AND e.at < m.sent_at + %s::interval)"""
# Of several channels a message that did not arrive counts as well: to reach people is a part of
# what a channel can do. What was not sent for a reason of its own says nothing of it.
_OF_SETS = """
    SELECT m.reach, m.variant, count(*), count(*) FILTER (WHERE m.state = 'sent' AND {answer})
    FROM campaigns_message AS m
    WHERE m.run_id = %s AND {ended} AND {slot} < %s GROUP BY m.reach, m.variant"""
_ENDED = """m.message_id IS NOT NULL AND CASE m.state WHEN 'sent' THEN m.sent_at <= %s
    WHEN 'skipped' THEN m.reason NOT IN ('cancelled', 'budget', 'duplicate_address', 'gone')
    ELSE m.state IN ('failed', 'unknown') END"""


def hours_of(snapshot: Mapping[str, Any]) -> dict[str, int]:
    """The hours that a run's variants go out at; empty where none has one."""
    return dict(snapshot.get("at_hours") or {})


def answer_sql(*, metric: str, goal: str) -> tuple[str, list[Any]]:
    """Whether a message `m` that was sent was answered in time."""
    if metric == Trial.Metric.ORDERED:
        return (_DID, [goal, ANSWER]) if goal else (_ORDERED, [ANSWER])
    column = "opened_at" if metric == Trial.Metric.OPENED else "clicked_at"
    return f"coalesce(m.{column} < m.sent_at + %s::interval, false)", [ANSWER]


def ended_sql(*, now: datetime) -> tuple[str, list[Any]]:
    """Whether a message `m` of several channels has had its time, or will never be sent."""
    return _ENDED, [now - ANSWER]


def person_sql(*, metric: str, goal: str) -> tuple[str, list[Any]]:
    """As `answer_sql`, by people alone: gateways follow the links of mails and of nothing else."""
    answer, of_answer = answer_sql(metric=metric, goal=goal)
    if metric == Trial.Metric.CLICKED:
        answer = f"({answer} AND coalesce(m.clicked_human, 0) >= {humans.LIKELY})"
    return answer, of_answer


def of_sets(
    *, run: Run, metric: str, before_round: int, now: datetime
) -> dict[tuple[str, str], Arm]:
    """By the channels that people could be reached by, and by variant, how many had it and how many
    answered within a day, in the rounds before one."""
    draw = audience.Draw.of_json(run.snapshot["draw"])
    slot, of_slot = audience.slot_sql("m.customer_id", draw)
    answer, of_answer = person_sql(metric=metric, goal=run.snapshot.get("goal") or "")
    ended, of_ended = ended_sql(now=now)
    with connection.cursor() as cursor:
        cursor.execute(
            _OF_SETS.format(answer=answer, ended=ended, slot=f"({slot})"),
            [*of_answer, run.pk, *of_ended, *of_slot, before_round],
        )
        return {(reach, variant): Arm(n, did) for reach, variant, n, did in cursor.fetchall()}


def counts(*, run: Run, metric: str, before_round: int, now: datetime) -> dict[str, Arm]:
    """How many of each variant had time to answer, and how many did, in the rounds before one."""
    draw = audience.Draw.of_json(run.snapshot["draw"])
    slot, of_slot = audience.slot_sql("m.customer_id", draw)
    answer, of_answer = answer_sql(metric=metric, goal=run.snapshot.get("goal") or "")
    with connection.cursor() as cursor:
        cursor.execute(
            _COUNTS.format(answer=answer, slot=f"({slot})"),
            [*of_answer, run.pk, now - ANSWER, *of_slot, before_round],
        )
        return {variant: Arm(n, answered) for variant, n, answered in cursor.fetchall()}

"""Answers to variants that go out at different hours: each counted as long after it was sent."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import connection

from campaigns import audience
from campaigns.experiments.winners import Arm
from campaigns.manners.tried import ANSWER
from campaigns.models import Run, Trial

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


def hours_of(snapshot: Mapping[str, Any]) -> dict[str, int]:
    """The hours that a run's variants go out at; empty where none has one."""
    return dict(snapshot.get("at_hours") or {})


def answer_sql(*, metric: str, goal: str) -> tuple[str, list[Any]]:
    """Whether a message `m` that was sent was answered in time."""
    if metric == Trial.Metric.ORDERED:
        return (_DID, [goal, ANSWER]) if goal else (_ORDERED, [ANSWER])
    column = "opened_at" if metric == Trial.Metric.OPENED else "clicked_at"
    return f"coalesce(m.{column} < m.sent_at + %s::interval, false)", [ANSWER]


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

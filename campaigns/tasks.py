"""Celery doors of campaigns."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from campaigns import runs
from campaigns.messaging import claims, delivery
from campaigns.segments import definitions

LINES = 4
# Short, so that sweeps and other quick work wait behind a long campaign for moments only.
BUDGET_SECONDS = 8.0


@shared_task(name="campaigns.tasks.deliver")
def deliver(run_id: int, **_: Any) -> None:
    """Send what is due of one run for a while, then make room for others."""
    done = delivery.deliver(run_id=run_id, lines=LINES, budget_seconds=BUDGET_SECONDS)
    if done.more:
        deliver.delay(run_id=run_id)


@shared_task(name="campaigns.tasks.sweep")
def sweep(**_: Any) -> None:
    """Free messages of dead senders and look after every run that is not finished."""
    for run_id in claims.sweep():
        deliver.delay(run_id=run_id)


@shared_task(name="campaigns.tasks.start_due_runs")
def start_due_runs(**_: Any) -> None:
    """Start scheduled campaigns whose time has come."""
    runs.start_due(now=timezone.now())


@shared_task(name="campaigns.tasks.count_segments")
def count_segments(**_: Any) -> None:
    """Count every segment again: the numbers its rule asks about were renewed."""
    definitions.recount_all(now=timezone.now())

"""Celery doors of the roof."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from marketing import demo, turnover


@shared_task(name="marketing.tasks.advance_demo", queue="fast")
def advance_demo(**_: Any) -> None:
    """Start the next step of the demo when the one before it is done."""
    demo.advance(now=timezone.now())


@shared_task(name="marketing.tasks.add_up_orders", queue="bulk")
def add_up_orders(**_: Any) -> None:
    """Keep the sums of the home page at hand, where adding them up takes long."""
    turnover.renew(now=timezone.now())

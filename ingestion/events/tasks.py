"""The drain as a task: alone in its module, so that the worker that runs it stays small."""

from typing import Any

from celery import shared_task

from ingestion.events import draining, nudging


@shared_task(name="ingestion.events.tasks.drain_inbox")
def drain_inbox(**_: Any) -> None:
    """Store the events that wait in the inbox."""
    nudging.heard()
    draining.drain(seconds=30.0, linger=0.3)

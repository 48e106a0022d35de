"""Celery doors of the floor."""

from typing import Any

from celery import shared_task
from celery.signals import task_prerun, task_unknown, worker_ready
from django.utils import timezone

from marketing.core import beats, brand, jobs, refusals, sealing, shared, strangers


# Long work acknowledges early: the leased row, not the message, brings it back after a crash. Its
# time limit is a day, since the row's heartbeat already tells a stuck worker from a busy one.
@shared_task(
    name="marketing.core.tasks.run_job", acks_late=False, time_limit=86_400, soft_time_limit=86_000
)
def run_job(job_id: int, **_: Any) -> None:
    """Run one job row."""
    jobs.run(job_id=job_id)


@shared_task(name="marketing.core.tasks.sweep")
def sweep(**_: Any) -> None:
    """Find jobs whose worker died or whose nudge was lost."""
    jobs.sweep(now=timezone.now())


@shared_task(name="marketing.core.tasks.seal_audit")
def seal_audit(**_: Any) -> None:
    """Tell what sign-ins were refused, and take what was added to the trail into its chain."""
    refusals.tell(now=timezone.now())
    sealing.seal()


@shared_task(name="marketing.core.tasks.check_audit", soft_time_limit=1500, time_limit=1600)
def check_audit(**_: Any) -> None:
    """Look over the whole audit trail, and keep what was found for the page."""
    sealing.check(now=timezone.now())


@shared_task(name="marketing.core.tasks.canary", soft_time_limit=10, time_limit=15)
def canary(queue_name: str, **_: Any) -> None:
    """Prove that this queue is being worked off."""
    beats.record(queue=queue_name, now=timezone.now())


worker_ready.connect(shared.tell)


@task_prerun.connect
def at_home(**_: Any) -> None:
    """Days and hours in background work are those of the business."""
    timezone.activate(brand.now().zone)


@task_unknown.connect
def set_aside(name: str = "", message: Any = None, **_: Any) -> None:
    """A nudge by a name of another version: what it was about is found by sweeps."""
    strangers.note(task=name, payload=getattr(message, "payload", None), now=timezone.now())

"""What workers do for this app: each entry parses, makes one domain call, and answers."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from ingestion import events
from ingestion.events import claims, tallies
from ingestion.imports import running
from marketing.core import jobs


def run_import(job: jobs.Running) -> dict[str, Any]:
    """Do or continue the import named in the job's params."""
    return running.run(import_job_id=job.params["import_id"], job=job, now=timezone.now())


@shared_task(name="ingestion.tasks.drain_inbox")
def drain_inbox(**_: Any) -> None:
    """Store the events that wait in the inbox."""
    events.drain(seconds=30.0, linger=0.3)


@shared_task(name="ingestion.tasks.tidy_events")
def tidy_events(**_: Any) -> None:
    """Forget message ids that are old enough, and add up what came in by the hour."""
    now = timezone.now()
    claims.prune(now=now)
    tallies.merge(now=now)

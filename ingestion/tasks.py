"""What workers do for this app: each entry parses, makes one domain call, and answers."""

from typing import Any

from celery import shared_task
from django.utils import timezone
from django.utils.translation import gettext_lazy

from ingestion.connectors import pulling, schedule
from ingestion.events import claims, partitions, tallies
from ingestion.identity import history, suggestions, twins
from ingestion.imports import archive, running, trial
from ingestion.privacy import confirmations, exports, retention, storage, sweeping
from ingestion.quality import alerts, fields, problems
from ingestion.recipes import repeating
from ingestion.registry import discovery
from ingestion.webhooks import processing
from marketing.core import jobs


def run_import(job: jobs.Running) -> dict[str, Any]:
    """Do or continue the import named in the job's params."""
    return running.run(import_job_id=job.params["import_id"], job=job, now=timezone.now())


def export_person(job: jobs.Running) -> dict[str, Any]:
    """Make the copy of a person's data."""
    return exports.run(export_id=job.params["export_id"], job=job, now=timezone.now())


def let_go(job: jobs.Running) -> dict[str, Any]:
    """Remove what may no longer be kept."""
    return dict(retention.run(now=timezone.now(), job=job).removed)


@shared_task(name="ingestion.tasks.look_after_privacy")
def look_after_privacy(**_: Any) -> None:
    """Note the sizes of tables, begin the night's retention, complete erasures left half done,
    and forget links whose time ran out.
    """
    now = timezone.now()
    storage.measure(now=now)
    retention.start_due(now=now)
    sweeping.resume(now=now)
    confirmations.prune(now=now)
    exports.prune(now=now)


def sweep_erased(job: jobs.Running) -> dict[str, Any]:
    """Look through files and texts for the person whose rows were erased."""
    return sweeping.run(erasure_id=job.params["erasure_id"], job=job, now=timezone.now())


def try_import(job: jobs.Running) -> dict[str, Any]:
    """Do a dry run of the import named in the job's params."""
    return trial.run(
        import_job_id=job.params["import_id"],
        rows=job.params.get("rows"),
        job=job,
        now=timezone.now(),
    )


def pull_source(job: jobs.Running) -> dict[str, Any]:
    """Do or continue the fetch named in the job's params."""
    return pulling.run(pull_id=job.params["pull_id"], job=job, now=timezone.now())


@shared_task(name="ingestion.tasks.begin_fetches")
def begin_fetches(**_: Any) -> None:
    """Begin the fetches that are due."""
    schedule.begin_due(now=timezone.now())


@shared_task(name="ingestion.tasks.keep_files")
def keep_files(**_: Any) -> None:
    """Pack the raw files of imports that are done, and delete those kept long enough."""
    now = timezone.now()
    archive.pack_due(now=now)
    archive.prune(now=now)


@shared_task(name="ingestion.tasks.tidy_events")
def tidy_events(**_: Any) -> None:
    """Make the months that are due, forget message ids that are old enough, and add up what came
    in by the hour.
    """
    now = timezone.now()
    partitions.prepare(now=now)
    claims.prune(now=now)
    tallies.merge(now=now)


def run_quality(job: jobs.Running) -> dict[str, Any]:
    """Measure the quality of all data now."""
    job.step(1, gettext_lazy("Measuring"), total=len(fields.TABLES) + 5, unit="steps")
    return problems.measure(now=timezone.now(), report=lambda done, _label: job.progress(done))


@shared_task(name="ingestion.tasks.fold_observations")
def fold_observations(**_: Any) -> None:
    """Add up what was seen of events since the last time."""
    discovery.fold(now=timezone.now())


@shared_task(name="ingestion.tasks.measure_quality")
def measure_quality(**_: Any) -> None:
    """Keep the figures of quality and the problems up to date."""
    problems.keep_current(now=timezone.now())


@shared_task(name="ingestion.tasks.deliver_alerts")
def deliver_alerts(**_: Any) -> None:
    """Send the alerts that wait."""
    alerts.deliver(now=timezone.now())


def repeat_recipe(job: jobs.Running) -> dict[str, Any]:
    """Do or continue the run named in the job's params."""
    return repeating.run(run_id=job.params["run_id"], job=job, now=timezone.now())


@shared_task(name="ingestion.tasks.store_webhook")
def store_webhook(receipt_id: int, **_: Any) -> None:
    """Store one delivery of a webhook."""
    processing.process(receipt_id=receipt_id, now=timezone.now())


@shared_task(name="ingestion.tasks.sweep_webhooks")
def sweep_webhooks(**_: Any) -> None:
    """Store deliveries whose nudge was lost, and forget old ones."""
    now = timezone.now()
    processing.sweep(now=now)
    processing.prune(now=now)


@shared_task(name="ingestion.tasks.settle_people")
def settle_people(**_: Any) -> None:
    """Give visitors' events to whoever they turned out to be, where two moments crossed."""
    history.adopt_lately(now=timezone.now())


@shared_task(name="ingestion.tasks.look_for_twins")
def look_for_twins(**_: Any) -> None:
    """Compare people every night."""
    suggestions.start(user=None)


def compare_people(job: jobs.Running) -> dict[str, Any]:
    """Look for people who seem to be one."""
    return twins.run(job=job, now=timezone.now())


def merge_certain(job: jobs.Running) -> dict[str, Any]:
    """Merge the pairs that are certain."""
    return suggestions.merge_certain(job=job, now=timezone.now())

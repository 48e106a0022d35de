"""Imports started, tried out beforehand, or given up."""

from datetime import datetime

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from ingestion.imports import choosing, uploads
from ingestion.models import ImportJob
from marketing.core import audit, jobs
from marketing.core.errors import Conflict
from marketing.core.models import Job, User


def forget(*, record: ImportJob, user: User | None = None, now: datetime) -> None:
    """Delete an upload that was never started, with its file."""
    with transaction.atomic():
        locked = ImportJob.objects.select_for_update(of=("self",)).get(pk=record.pk)
        if locked.job_id is not None:
            raise Conflict(_("This import has already been started."), code="import_started")
        uploads.stop_trial(locked, now)
        audit.record(actor=user, action="import.discarded", obj=locked, detail={})
        uploads.discard(locked)
        locked.delete()


def try_out(
    *, record: ImportJob, rows: int | None = None, user: User | None = None, now: datetime
) -> Job:
    """Queue a dry run of the first `rows` rows, or of all. One at a time: the newest counts."""
    with transaction.atomic():
        locked = ImportJob.objects.select_for_update(of=("self",)).get(pk=record.pk)
        if locked.job_id is not None:
            raise Conflict(_("This import has already been started."), code="import_started")
        uploads.stop_trial(locked, now)
        job = jobs.start(
            kind="import.try",
            title=_("Dry run of %(name)s") % {"name": locked.original_name},
            params={"import_id": locked.pk, "rows": rows},
            user=user,
            result_url=reverse("ingestion:import-map", args=[locked.public_id]),
        )
        locked.trial, locked.trial_job = {}, job
        locked.save(update_fields=["trial", "trial_job"])
    record.trial, record.trial_job = {}, job
    return job


def start(*, record: ImportJob, user: User | None = None, now: datetime) -> Job:
    """Queue the import. A second start gives back the job of the first."""
    with transaction.atomic():
        locked = ImportJob.objects.select_for_update().select_related("source").get(pk=record.pk)
        if locked.job is not None:
            return locked.job
        if locked.state == ImportJob.State.UPLOADED:
            choosing.choose(
                record=locked,
                kind=locked.kind,
                mapping=locked.mapping,
                options=locked.options,
                now=now,
            )
        uploads.stop_trial(locked, now)
        job = jobs.start(
            kind="import.run",
            title=_("Import %(name)s") % {"name": locked.original_name},
            params={"import_id": locked.pk},
            user=user,
            steps=2,
            result_url=reverse("ingestion:import-detail", args=[locked.public_id]),
        )
        locked.job = record.job = job
        locked.save(update_fields=["job"])
        header = locked.options["header"]
        if locked.mends_id is None:
            locked.source.mapping[locked.kind] = {
                name: header[index] for name, index in locked.mapping.items()
            }
            locked.source.save(update_fields=["mapping"])
        audit.record(actor=user, action="import.started", obj=locked, detail={"kind": locked.kind})
    return job

"""Ask for a stored file to be run again. The web process may import this."""

from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from ingestion.imports import uploads
from ingestion.models import ImportJob, RecipeRun, RecipeVersion
from marketing.core import audit, jobs
from marketing.core.errors import Conflict
from marketing.core.models import User


def may_repeat(record: ImportJob) -> bool:
    """Whether the rows of an import can be cleaned again: it is done and its file is kept."""
    return record.state == ImportJob.State.DONE and uploads.is_kept(record)


def repeat(*, record: ImportJob, version: RecipeVersion | None, user: User | None) -> RecipeRun:
    """Queue the file of an import to be run again with a version; None: without a recipe.

    Asked for again while such a run is open, it gives back that one.
    """
    if not may_repeat(record):
        raise Conflict(
            _(
                "The rows of “%(name)s” cannot be run again: the file is no longer kept, or the"
                " import is not done. Nothing was changed."
            )
            % {"name": record.original_name},
            code="not_repeatable",
            remedy=_("Upload the file once more; new imports use the newest version."),
        )
    try:
        with transaction.atomic():
            again = RecipeRun.objects.create(
                import_job=record, before=record.recipe_version, after=version
            )
            again.job = jobs.start(
                kind="recipe.repeat",
                title=_("Run %(name)s again") % {"name": record.original_name},
                params={"run_id": again.pk},
                user=user,
                steps=2,
                result_url=reverse("ingestion:import-detail", args=[record.public_id]),
            )
            again.save(update_fields=["job"])
            audit.record(
                actor=user,
                action="recipe.repeated",
                obj=record,
                detail={"version": version.number if version else 0},
            )
            return again
    except IntegrityError:
        open_run = RecipeRun.objects.select_related("after", "job").get(
            import_job=record, finished_at=None
        )
        if open_run.after_id != (version.pk if version else None):
            raise Conflict(
                _("This file is being run again with another version. Nothing was changed."),
                code="run_open",
                remedy=_("Wait for that run to end, or continue it if it was stopped."),
            ) from None
        return open_run

"""A stored file run again with another version: the rows that differ are exchanged, none doubles.

A chunk is one transaction that also moves `offset` on the RecipeRun row, so a kill between two
chunks loses nothing and does nothing twice. While a run is open the import belongs to it.
"""

from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ingestion import rollups
from ingestion.imports import finishing, rejects, running, uploads
from ingestion.models import ImportJob, RecipeRun, RecipeVersion, Reject
from ingestion.preprocess import findings
from ingestion.recipes import using
from ingestion.recipes.exchanging import EXCHANGES, mend_status
from marketing.core import bus, jobs
from marketing.core.errors import Conflict, NotFound

COUNTS = ("added", "removed", "changed", "same")


def run(*, run_id: int, job: jobs.Running, now: datetime) -> dict[str, Any]:
    """Do or continue one repetition; what it changed."""
    found = RecipeRun.objects.select_related("import_job__source", "before", "after")
    again = found.filter(pk=run_id).first()
    if again is None:
        raise NotFound(_("This run is gone; nothing was changed."), code="run_unknown")
    if again.finished_at is not None:
        return _counts(again)
    record = again.import_job
    uploads.path_of(record)
    job.step(1, gettext_lazy("Comparing rows"), total=record.received or None, unit="rows")
    _exchange_all(again, record, job, now)
    job.step(2, gettext_lazy("Adding up"), unit="rows")
    _finish(again, record, now)
    return _counts(again)


def _counts(again: RecipeRun) -> dict[str, Any]:
    return {name: again.report.get(name, 0) for name in COUNTS}


def _exchange_all(again: RecipeRun, record: ImportJob, job: jobs.Running, now: datetime) -> None:
    handler = running.HANDLERS[record.kind]
    frozen = dict(again.frozen)
    known = frozen.get("before") or record.options.get("recipe", {})
    before, frozen["before"] = using.prepare_version(record, again.before, known, check=job.check)
    after, frozen["after"] = using.prepare_version(
        record, again.after, frozen.get("after", {}), check=job.check
    )
    if frozen != again.frozen:
        again.frozen = frozen
        again.save(update_fields=["frozen"])
    # Both readers start where this run stands; the import's own row is not saved with it.
    stand = record.offset
    record.offset = again.offset
    pairs = zip(
        running.clean_chunks(record, handler, now, recipe=before),
        running.clean_chunks(record, handler, now, recipe=after),
        strict=True,
    )
    for old, new in pairs:
        job.check()
        _exchange(again, record, old, new, now)
        job.progress(again.offset, max(record.received, again.offset))
    record.offset = stand


def _exchange(
    again: RecipeRun, record: ImportJob, old: running.Chunk, new: running.Chunk, now: datetime
) -> None:
    """Exchange the rows of one chunk and move on, or do neither."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
            cursor.execute("SELECT pg_advisory_xact_lock(7321, %s)", [record.source_id])
        stand = RecipeRun.objects.select_for_update().values_list("offset", flat=True)
        if stand.get(pk=again.pk) != again.offset:
            raise Conflict(_("Another worker went on with this run."), code="run_taken")
        done = EXCHANGES[record.kind](before=old.clean, after=new.clean, record=record, now=now)
        using.keep_originals(source_id=record.source_id, originals=new.recipe.originals)
        faults = [*new.clean.faults, *done.stored.faults]
        lines = [fault.line for fault in (*old.clean.faults, *faults)] + done.judged_anew
        gone, _by = Reject.objects.filter(import_job=record, line__in=lines).delete()
        rejects.store(import_job_id=record.pk, faults=faults)
        finishing.touch(import_job_id=record.pk, customer_ids=sorted(done.customer_ids))
        report = again.report
        for name in COUNTS:
            report[name] = report.get(name, 0) + getattr(done, name)
        moves = {
            "quarantined": len(faults) - gone,
            "left_out": new.recipe.left_out - old.recipe.left_out,
            "duplicate": new.clean.duplicates - old.clean.duplicates,
        }
        for name, by in moves.items():
            report[name] = report.get(name, 0) + by
        report["examples"] = [*report.get("examples", []), *done.examples][:10]
        rules = findings.merge(report.get("rules", {}), new.clean.findings.rules)
        report["rules"] = findings.merge(rules, done.stored.rules)
        again.report = report
        again.offset += new.received
        again.save(update_fields=["report", "offset"])


def _finish(again: RecipeRun, record: ImportJob, now: datetime) -> None:
    """Add up what changed, and let the import say what it now holds."""
    rules = dict(again.report.get("rules", {}))
    if record.kind == ImportJob.Kind.ORDERS:
        matches = finishing.match_returns(import_job_id=record.pk)
        if matches.matched:
            rules["returns_matched"] = {"rows": matches.matched, "examples": matches.examples}
        rules |= finishing.flag_outliers(source_id=record.source_id)
        ids = finishing.touched(import_job_id=record.pk)
        mend_status(customer_ids=ids)
        rollups.renew(customer_ids=ids)
    with transaction.atomic():
        locked = ImportJob.objects.select_for_update().get(pk=record.pk)
        for name in ("quarantined", "left_out", "duplicate"):
            setattr(locked, name, max(getattr(locked, name) + again.report.get(name, 0), 0))
        locked.stored = locked.received - locked.quarantined - locked.left_out - locked.duplicate
        locked.report = {**locked.report, "rules": rules}
        locked.recipe_version = again.after
        locked.options["recipe"] = again.frozen.get("after", {})
        locked.save(
            update_fields=[
                "quarantined",
                "left_out",
                "duplicate",
                "stored",
                "report",
                "recipe_version",
                "options",
            ]
        )
        again.finished_at = timezone.now()
        again.report = {name: value for name, value in again.report.items() if name != "rules"}
        again.save(update_fields=["finished_at", "report"])
        if again.after is not None and (values := again.frozen["after"].get("values")):
            RecipeVersion.objects.filter(pk=again.after.pk).update(statistics=values)
        finishing.forget_touched(import_job_id=record.pk)
        bus.announce("import.finished", import_id=record.pk)

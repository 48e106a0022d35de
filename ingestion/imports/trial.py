"""A dry run: the real reading, cleaning and storing of a file, each chunk rolled back.

What it counts is what the import will count, save for rows that repeat one of an earlier chunk:
those are known by their content. Returns and outliers are found at the end of an import only.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
from django.db import connection, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from numpy.typing import NDArray
from pandas.util import hash_array

from ingestion.imports import running, uploads, wording
from ingestion.imports.outcome import Stored
from ingestion.models import ImportJob
from ingestion.preprocess import findings
from ingestion.preprocess.faults import Fault, Unreadable
from ingestion.preprocess.texts import Column
from ingestion.recipes import using
from marketing.core import jobs
from marketing.core.errors import NotFound

SHOWN = 40  # reasons that are told
Hashes = NDArray[np.uint64]


def run(
    *, import_job_id: int, rows: int | None, job: jobs.Running, now: datetime
) -> dict[str, Any]:
    """Try the first `rows` rows, or all; what it came to, kept on the import, too."""
    record = ImportJob.objects.select_related("source").filter(pk=import_job_id).first()
    if record is None:
        raise NotFound(_("This import is gone; nothing was changed."), code="import_unknown")
    job.step(1, gettext_lazy("Trying rows"), total=rows, unit="rows")
    counts = dict.fromkeys(("received", "stored", "duplicate", "quarantined", "left_out"), 0)
    reasons: dict[tuple[str, str, str], dict[str, Any]] = {}
    rules: dict[str, Any] = {}
    seen: Hashes = np.zeros(0, np.uint64)
    handler = running.HANDLERS[record.kind]
    try:
        recipe = using.try_out(record)
        for chunk in running.clean_chunks(record, handler, now, recipe=recipe, first=rows):
            job.check()
            done = _store_and_undo(handler, chunk.clean, record, now)
            hashes = np.unique(_hashes(chunk.columns))
            again = min(int(np.isin(hashes, seen, assume_unique=True).sum()), done.stored)
            seen = np.union1d(seen, hashes)
            faults = [*chunk.clean.faults, *done.faults]
            counts["received"] += chunk.received
            counts["stored"] += done.stored - again
            counts["duplicate"] += chunk.clean.duplicates + done.duplicate + again
            counts["quarantined"] += len(faults)
            counts["left_out"] += chunk.recipe.left_out
            _gather(reasons, faults)
            rules = findings.merge(findings.merge(rules, chunk.clean.findings.rules), done.rules)
            job.progress(counts["received"], rows)
    except Unreadable as error:
        raise uploads.refusal(error) from error
    told = sorted(reasons.values(), key=lambda reason: -reason["rows"])[:SHOWN]
    trial = {
        **counts, "whole": rows is None or counts["received"] < rows, "reasons": told,
        "rules": rules, "at": now.isoformat(),
    }  # fmt: skip
    ImportJob.objects.filter(pk=record.pk).update(trial=trial)
    return counts


def _store_and_undo(handler: Any, clean: Any, record: ImportJob, now: datetime) -> Stored:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
            cursor.execute("SELECT pg_advisory_xact_lock(7321, %s)", [record.source_id])
        done: Stored = handler.store_chunk(clean=clean, record=record, now=now)
        transaction.set_rollback(True)
    return done


def _hashes(columns: Mapping[str, Column]) -> Hashes:
    """One number for the mapped texts of each row."""
    total: Hashes = np.zeros(0, np.uint64)
    for place, name in enumerate(sorted(columns)):
        column = columns[name]
        if not len(column.codes):
            return total
        texts = np.array(column.texts, dtype=object)
        mixed = hash_array(texts, categorize=False)[column.codes] * np.uint64(2 * place + 3)
        total = mixed if not len(total) else (total * np.uint64(1_000_003)) ^ mixed
    return total


def _gather(reasons: dict[tuple[str, str, str], dict[str, Any]], faults: list[Fault]) -> None:
    """Count faults by reason, with the first line of each as an example."""
    for fault in faults:
        reason = (fault.code, fault.field, fault.facts.get("event", ""))
        found = reasons.get(reason)
        if found is not None:
            found["rows"] += 1
            continue
        message, remedy = wording.fault(fault.code, fault.field, fault.facts)
        reasons[reason] = {
            "rows": 1,
            "code": fault.code,
            "field": fault.field,
            "message": message,
            "remedy": remedy,
            "line": fault.line,
            "raw": fault.raw[:300],
        }

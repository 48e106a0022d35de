"""Trainings that are still running, on disk: a job whose worker was killed goes on from here.

A job has one folder under MODEL_DIR, with a folder for each training and a note of the moment it
trains as of. Nobody's number is in it: weights, an optimiser's state and a digest of the data.
"""

import json
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from marketing.core.models import Job

FOLDER, MOMENT = "trainings", "as_of.json"


def folder(job_id: int) -> Path:
    return Path(settings.MODEL_DIR) / FOLDER / str(job_id)


def as_of(*, job_id: int, now: datetime) -> datetime:
    """The moment the job began to train as of; `now` when it has just begun."""
    note = folder(job_id) / MOMENT
    try:
        return datetime.fromisoformat(json.loads(note.read_bytes()))
    except (OSError, ValueError, TypeError):
        note.parent.mkdir(parents=True, exist_ok=True)
        draft = note.with_suffix(".draft")
        draft.write_text(json.dumps(now.isoformat()), encoding="utf-8")
        draft.replace(note)
        return now


def keep(*, job_id: int | None, name: str, part: str) -> Any:
    """Where one training of the job is kept (a `loop.Keep`); None outside a job."""
    if job_id is None:
        return None
    made = import_string("models_ml.algorithms.recommenders.sequential.loop.Keep")
    return made(folder(job_id) / name / part)


def finish(*, job_id: int) -> None:
    """Let go of the job's trainings, and of those of jobs that nobody goes on with."""
    shutil.rmtree(folder(job_id), ignore_errors=True)
    whole = folder(job_id).parent
    held = [one for one in whole.iterdir() if one.name.isdigit()] if whole.is_dir() else []
    open_ = set(
        Job.objects.filter(pk__in=[int(one.name) for one in held], state__in=Job.OPEN).values_list(
            "pk", flat=True
        )
    )
    for one in held:
        if int(one.name) not in open_:
            shutil.rmtree(one, ignore_errors=True)

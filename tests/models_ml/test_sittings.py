"""A training job whose worker is killed goes on from what it had written down."""

import json
import os
import signal
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from marketing.core import jobs
from marketing.core.models import Job
from models_ml import registry, sittings
from models_ml.models import ModelVersion
from tests.models_ml.algorithms.shops import two_tastes
from tests.recommendations.conftest import fill

MORNING = datetime(2026, 6, 30, 8, tzinfo=UTC)


def test_a_job_goes_on_as_of_the_moment_it_began(tmp_path, settings):
    settings.MODEL_DIR = tmp_path
    assert sittings.as_of(job_id=3, now=MORNING) == MORNING
    assert sittings.as_of(job_id=3, now=MORNING + timedelta(hours=2)) == MORNING
    (sittings.folder(3) / sittings.MOMENT).write_bytes(b"torn")
    later = MORNING + timedelta(hours=3)
    assert sittings.as_of(job_id=3, now=later) == later


def test_trainings_of_jobs_that_are_over_are_let_go(db, tmp_path, settings):
    settings.MODEL_DIR = tmp_path
    over, open_, mine = (
        Job.objects.create(kind="recommenders.train", title="Train", queue="train", state=state)
        for state in ("failed", "queued", "running")
    )
    for job in (over, open_, mine):
        sittings.as_of(job_id=job.pk, now=MORNING)
    sittings.finish(job_id=mine.pk)
    assert [one.name for one in (tmp_path / sittings.FOLDER).iterdir()] == [str(open_.pk)]


@pytest.mark.faults
@pytest.mark.django_db(transaction=True)
def test_a_killed_worker_loses_no_epoch_of_a_sequence_model(start_worker, wait_for):
    fill(two_tastes())
    job = jobs.start(kind="recommenders.train", title="Train")
    worker = start_worker("train")
    begun = sittings.folder(job.pk) / "next_product_sasrec" / "chosen" / "training.safetensors"
    wait_for(begun.exists, seconds=180)
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
    kept = json.loads((sittings.folder(job.pk) / sittings.MOMENT).read_bytes())
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now())
    jobs.sweep(now=timezone.now() + timedelta(seconds=1))
    start_worker("train")
    sasrec = ModelVersion.objects.filter(job_id=job.pk, name="next_product_sasrec")
    wait_for(lambda: sasrec.exclude(state="candidate").exists(), seconds=180)
    history = sasrec.get().details["history"]
    assert history["resumed"]
    # Two hundred people in batches of 32, read until at least as many steps are taken.
    assert history["resumed"][0] % 35 == 0
    assert len(history["epochs"]) * 35 == history["steps"]
    began = datetime.fromisoformat(kept).replace(microsecond=0)
    assert datetime.fromisoformat(sasrec.get().details["split"]["until"]) == began
    # What was stored before the kill was kept, not trained again.
    stored = ModelVersion.objects.filter(job_id=job.pk, name="next_product_ease")
    assert stored.count() == 1
    assert registry.folder(stored.get()).is_dir()

"""The second half of an erasure, and a folder of the test for what it writes."""

from pathlib import Path

import pytest

from ingestion.models import Erasure
from marketing.core import jobs
from marketing.core.models import Job


@pytest.fixture
def own_var(settings, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    settings.VAR_DIR = tmp_path
    settings.MEDIA_ROOT.mkdir(parents=True, exist_ok=True)


def sweep(receipt: Erasure) -> Erasure:
    job = Job.objects.get(kind="privacy.sweep", params__erasure_id=receipt.pk)
    jobs.run(job_id=job.pk)
    job.refresh_from_db()
    assert job.state == "done", job.error
    receipt.refresh_from_db()
    return receipt

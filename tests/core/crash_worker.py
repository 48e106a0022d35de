"""The platform's Celery app with two more kinds of job, for tests that kill its workers."""

import time
from typing import Any

from marketing import pipeline
from marketing.celery import app

pipeline.JOBS["test.slow"] = pipeline.JobKind("tests.core.crash_worker.run_slowly", "bulk", 3)
pipeline.JOBS["test.poison"] = pipeline.JobKind("tests.core.crash_worker.run_slowly", "bulk", 1)

__all__ = ["app"]


def run_slowly(job: Any) -> dict[str, int]:
    """Count to `rows`; the first try never gets past `stuck_at`."""
    rows, stuck_at = job.params["rows"], job.params["stuck_at"]
    job.step(1, "Counting", total=rows)
    for row in range(rows + 1):
        if row == stuck_at:
            job.log("halfway")
        while row == stuck_at and job.attempt <= job.params.get("stuck_tries", 1):
            job.check()
            time.sleep(0.1)
        job.progress(row, rows)
        time.sleep(0.05)
    return {"rows": rows, "attempt": job.attempt}

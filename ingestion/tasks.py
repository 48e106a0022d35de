"""What workers do for this app: each entry parses, makes one domain call, and answers."""

from typing import Any

from django.utils import timezone

from ingestion.imports import running
from marketing.core import jobs


def run_import(job: jobs.Running) -> dict[str, Any]:
    """Do or continue the import named in the job's params."""
    return running.run(import_job_id=job.params["import_id"], job=job, now=timezone.now())

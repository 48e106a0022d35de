"""Long work of demand: forecast what will be sold, or let a version speak again."""

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from marketing.core import jobs
from marketing.core.errors import NotFound
from models_ml.demand import forecasting, reading
from models_ml.models import ModelVersion


def forecast(job: jobs.Running) -> dict[str, Any]:
    """Learn, judge, publish or refuse; with a version named, only let it speak."""
    if number := job.params.get("version"):
        version = ModelVersion.objects.filter(pk=number, name=reading.NAME).first()
        if version is None:
            raise NotFound(_("There is no such model version."), code="model_unknown")
        job.step(2, gettext_lazy("Writing the forecast"), unit="products")
        served = forecasting.serve(version=version)
        job.progress(served, served)
        return {"version": version.version, "state": version.state}
    # A worker that died after storing had done the learning.
    stored = ModelVersion.objects.filter(job_id=job.id, name=reading.NAME)
    made = stored.exclude(state=ModelVersion.State.CANDIDATE).first()
    if made is None:
        job.step(
            1, gettext_lazy("Rolling through the past and judging on what came"), unit="moments"
        )
        made = forecasting.make(
            now=timezone.now(),
            job_id=job.id,
            report=lambda _name, done, total: job.progress(done, total),
        )
    job.log(made.verdict)
    return {"version": made.version, "state": made.state, "metrics": made.metrics}

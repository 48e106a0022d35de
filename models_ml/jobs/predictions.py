"""Long work of predictions: train, score everyone, look after those in use."""

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from marketing.core import jobs
from marketing.core.errors import NotFound, Refused
from models_ml.models import ModelVersion, Prediction
from models_ml.predictions import scoring, training, watching


def _prediction(job: jobs.Running) -> Prediction:
    found = Prediction.objects.filter(pk=job.params["prediction"]).first()
    if found is None:
        raise NotFound(_("There is no such prediction any more."), code="prediction_unknown")
    return found


def train(job: jobs.Running) -> dict[str, Any]:
    """Learn, judge, publish or refuse; then score everyone if the new version serves."""
    prediction = _prediction(job)
    # A worker that died after storing had done the learning.
    version = (
        ModelVersion.objects.filter(job_id=job.id, name=prediction.key)
        .exclude(state=ModelVersion.State.CANDIDATE, reason="")
        .first()
    )
    if version is None:
        version = training.train(
            prediction=prediction, now=timezone.now(), job_id=job.id, report=job.step
        )
    if url := training.url_of(prediction):
        job.set_url(url)
    scored = 0
    if version.state == ModelVersion.State.LIVE:
        job.step(3, gettext_lazy("Scoring everyone"), unit="people")
        scored = scoring.score(prediction=prediction)
        job.progress(scored, scored)
    job.log(version.verdict)
    return {
        "version": version.version,
        "state": version.state,
        "metrics": version.metrics,
        "scored": scored,
    }


def score(job: jobs.Running) -> dict[str, Any]:
    """Everyone's score by the version in use."""
    prediction = _prediction(job)
    job.step(1, gettext_lazy("Scoring everyone"), unit="people")
    try:
        scored = scoring.score(prediction=prediction)
    except Refused as refusal:
        training.note(prediction=prediction, refusal=refusal, now=timezone.now())
        raise
    job.progress(scored, scored)
    return {"scored": scored}


def watch(job: jobs.Running) -> dict[str, Any]:
    """Whether people changed since the training, and whether what was said came true."""
    prediction = _prediction(job)
    job.step(1, gettext_lazy("Comparing people with those it learned from"))
    found = watching.look(prediction=prediction, now=timezone.now())
    return {one.kind: one.level for one in found}

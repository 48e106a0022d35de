"""From a question to a judged version: asked for by a person, or because it is due."""

from datetime import datetime
from typing import Any

from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from marketing.core import jobs
from marketing.core.errors import Conflict, Refused
from marketing.core.models import Job, User
from models_ml import queries
from models_ml.models import ModelVersion, Prediction
from models_ml.predictions import definitions, engines
from models_ml.predictions.engines import Report

TRAIN, SCORE = definitions.TRAIN, "prediction.score"
STEPS = 3


def start(*, prediction: Prediction, user: User | None = None) -> Job:
    """Queue a training; Conflict while one is open or when the prediction is archived."""
    if prediction.state != Prediction.State.ACTIVE:
        raise Conflict(
            _("This prediction is archived; nothing was started."), code="prediction_archived"
        )
    if open_job(prediction=prediction, kind=TRAIN) is not None:
        raise Conflict(
            _("This prediction is being trained already."),
            code="already_training",
            remedy=_("Wait until it has ended, or stop it on the page of jobs."),
        )
    return jobs.start(
        kind=TRAIN,
        title=_("Train: %(title)s") % {"title": prediction.title},
        params={"prediction": prediction.pk},
        user=user,
        steps=STEPS,
        result_url=url_of(prediction),
    )


def start_scoring(*, prediction: Prediction, user: User | None = None) -> Job:
    """Queue the scoring of everyone; the open job where one waits already."""
    waiting = open_job(prediction=prediction, kind=SCORE, state=Job.State.QUEUED)
    if waiting is not None:
        return waiting
    return jobs.start(
        kind=SCORE,
        title=_("Score everyone: %(title)s") % {"title": prediction.title},
        params={"prediction": prediction.pk},
        user=user,
        result_url=url_of(prediction),
    )


def open_job(*, prediction: Prediction, kind: str, state: str = "") -> Job | None:
    """The newest job of this kind for a prediction that has not ended."""
    found = Job.objects.filter(kind=kind, params__prediction=prediction.pk, state__in=Job.OPEN)
    if state:
        found = found.filter(state=state)
    return found.order_by("-id").first()


def url_of(prediction: Prediction) -> str:
    """The page of a prediction; empty where there are no pages."""
    try:
        return reverse("models_ml:prediction", args=[prediction.key])
    except NoReverseMatch:
        return ""


def train(
    *,
    prediction: Prediction,
    now: datetime,
    job_id: int | None = None,
    report: Report = lambda step, label: None,
) -> ModelVersion:
    """Learn as of the data's now, judge, publish or refuse.

    What kept anything from being learned is noted on the prediction and raised; what serves goes on
    serving.
    """
    engine = engines.of(definitions.read_wishes(prediction.settings).engine)
    try:
        version = engine.learn(
            prediction=prediction,
            as_of=queries.data_now(now=now),
            now=now,
            job_id=job_id,
            report=report,
        )
    except Refused as refusal:
        note(prediction=prediction, refusal=refusal, now=now)
        raise
    note(prediction=prediction, refusal=None, now=now)
    return version


def note(*, prediction: Prediction, refusal: Refused | None, now: datetime) -> None:
    """Keep on the prediction what went wrong last, or that nothing did."""
    trouble: dict[str, Any] = {}
    if refusal is not None:
        trouble = {
            "code": refusal.code,
            "message": refusal.message,
            "remedy": refusal.remedy or "",
            "at": now.isoformat(),
            "known": refusal.items,
        }
    Prediction.objects.filter(pk=prediction.pk).update(trouble=trouble)
    prediction.trouble = trouble

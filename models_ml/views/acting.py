"""What is done on the page of a prediction. Each answers with that page and says what happened."""

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from marketing.core.auth import page
from marketing.core.errors import Refused
from models_ml.models import ModelVersion, Prediction
from models_ml.predictions import life, training


@require_POST
@page("edit")
def train(request: HttpRequest, key: str) -> HttpResponse:
    """Learn again as a job; what serves goes on serving until the new version is judged."""
    prediction = get_object_or_404(Prediction, key=key)

    def act() -> str:
        training.start(prediction=prediction, user=request.user)  # type: ignore[arg-type]
        return _("The training has been queued. What is in use stays until it is judged.")

    return _done(request, prediction, act)


@require_POST
@page("edit")
def roll_back(request: HttpRequest, key: str) -> HttpResponse:
    """Let the version speak that spoke before."""
    prediction = get_object_or_404(Prediction, key=key)

    def act() -> str:
        version = life.roll_back(
            prediction=prediction,
            actor=request.user,  # type: ignore[arg-type]
            now=timezone.now(),
        )
        prediction.refresh_from_db(fields=["scored_version"])
        if life.is_served_by(prediction=prediction, version=version):
            return _("Version %(n)d is in use again, with the scores it gave last.") % {
                "n": version.version
            }
        return _("Version %(n)d is in use again. Everyone is being scored by it.") % {
            "n": version.version
        }

    return _done(request, prediction, act)


@require_POST
@page("edit")
def publish(request: HttpRequest, key: str, number: int) -> HttpResponse:
    """Let a version speak that somebody vouches for."""
    prediction = get_object_or_404(Prediction, key=key)
    version = get_object_or_404(ModelVersion, name=key, version=number)

    def act() -> str:
        life.publish(
            version=version,
            actor=request.user,  # type: ignore[arg-type]
            reason=request.POST.get("reason", "").strip(),
            now=timezone.now(),
        )
        return _("Version %(n)d is in use. Everyone is being scored by it.") % {"n": number}

    return _done(request, prediction, act)


@require_POST
@page("edit")
def shade(request: HttpRequest, key: str, number: int) -> HttpResponse:
    """Let a version score beside the one in use."""
    prediction = get_object_or_404(Prediction, key=key)
    version = get_object_or_404(ModelVersion, name=key, version=number)

    def act() -> str:
        life.shade(version=version, actor=request.user)  # type: ignore[arg-type]
        return _("Version %(n)d is tried in the shadow: it scores beside and decides nothing.") % {
            "n": number
        }

    return _done(request, prediction, act)


@require_POST
@page("edit")
def look(request: HttpRequest, key: str) -> HttpResponse:
    """Compare people with those it learned from now, as a job."""
    prediction = get_object_or_404(Prediction, key=key)

    def act() -> str:
        if training.open_job(prediction=prediction, kind=life.WATCH) is None:
            life.start_watching(prediction=prediction)
        return _("A look at drift and calibration has been queued.")

    return _done(request, prediction, act)


@require_POST
@page("edit")
def archive(request: HttpRequest, key: str) -> HttpResponse:
    """Put the prediction away: no scores, no trainings; its versions stay to be read."""
    prediction = get_object_or_404(Prediction, key=key)

    def act() -> str:
        life.archive(
            prediction=prediction,
            actor=request.user,  # type: ignore[arg-type]
            now=timezone.now(),
        )
        return _("The prediction is archived. Its scores are taken away; it can be taken up again.")

    return _done(request, prediction, act)


@require_POST
@page("edit")
def restore(request: HttpRequest, key: str) -> HttpResponse:
    """Take an archived prediction up again, and score everyone if a version can."""
    prediction = get_object_or_404(Prediction, key=key)

    def act() -> str:
        back = life.restore(
            prediction=prediction,
            actor=request.user,  # type: ignore[arg-type]
            now=timezone.now(),
        )
        training.start_scoring(prediction=back, user=request.user)  # type: ignore[arg-type]
        return _("The prediction is in use again.")

    return _done(request, prediction, act)


def _done(request: HttpRequest, prediction: Prediction, act: Callable[[], str]) -> HttpResponse:
    try:
        messages.success(request, act())
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("models_ml:prediction", key=prediction.key)

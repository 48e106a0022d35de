"""What becomes of versions: published by hand, taken back, tried in the shadow; and what is due.

Light enough for the web process: the work itself is jobs.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from marketing.core import audit, jobs
from marketing.core.db import advisory_lock
from marketing.core.errors import Conflict
from marketing.core.models import ApiKey, Job, User
from models_ml import queries, registry
from models_ml.models import ModelVersion, Prediction, Watch
from models_ml.predictions import definitions, engines, scoring, training

State = ModelVersion.State
WATCH = "prediction.watch"
DAILY = timedelta(days=1)
# A training that changed nothing is not tried again before.
REST = timedelta(days=3)


def versions(*, prediction: Prediction) -> list[ModelVersion]:
    """Its versions, newest first, without their details."""
    return list(ModelVersion.objects.filter(name=prediction.key).defer("details"))


def publish(
    *,
    version: ModelVersion,
    actor: User | ApiKey | None,
    reason: str = "",
    now: datetime | None = None,
) -> ModelVersion:
    """Let a version speak from now on, whatever the gate said of it.

    If what it said last was kept it serves at once; the scoring that follows brings it up to date.
    Conflict when its files are gone.
    """
    prediction = Prediction.objects.filter(key=version.name).first()
    if prediction is not None and _asked_otherwise(prediction, version):
        raise Conflict(
            _("This version answers another question than is asked now; nothing was changed."),
            code="other_question",
            remedy=_("Train again."),
        )
    with transaction.atomic():
        was = version.state
        made = registry.promote(version=version)
        audit.record(
            actor=actor,
            action="model.promoted",
            obj=made,
            detail={"from": was, "reason": reason[:300]},
        )
    if prediction is not None:
        scoring.take_back(prediction=prediction, version=made, now=now or timezone.now())
    return made


def _asked_otherwise(prediction: Prediction, version: ModelVersion) -> bool:
    """Whether the question was changed after this version had learned it."""
    return any(
        name in version.details and version.details[name] != getattr(prediction, name)
        for name in ("target", "horizon_days", "population")
    )


def roll_back(
    *, prediction: Prediction, actor: User | ApiKey | None, now: datetime | None = None
) -> ModelVersion:
    """Let the version speak that spoke before the present one. Conflict when there is none."""
    former = previous(prediction=prediction)
    if former is None:
        raise Conflict(
            _("There is no earlier version to go back to; nothing was changed."),
            code="no_former_version",
        )
    return publish(version=former, actor=actor, reason="roll back", now=now)


def previous(*, prediction: Prediction) -> ModelVersion | None:
    """The version that a roll back would publish."""
    live = registry.live(prediction.key)
    former = ModelVersion.objects.filter(name=prediction.key, state=State.RETIRED)
    if live is not None:
        former = former.filter(version__lt=live.version)
    return former.order_by("-version").first()


def archive(*, prediction: Prediction, actor: User | ApiKey | None, now: datetime) -> Prediction:
    """Stop training and scoring it; its versions stay to be read.

    Its scores are taken away at once, or by a job when they are being written or read right now.
    """
    row = _set_state(prediction, Prediction.State.ARCHIVED, "prediction.archived", actor, now)
    if not scoring.clear(prediction=row):
        training.start_scoring(prediction=row)
    row.refresh_from_db()
    return row


def restore(*, prediction: Prediction, actor: User | ApiKey | None, now: datetime) -> Prediction:
    """Take an archived prediction up again; scores come with the next scoring."""
    return _set_state(prediction, Prediction.State.ACTIVE, "prediction.restored", actor, now)


def _set_state(
    prediction: Prediction, state: str, action: str, actor: User | ApiKey | None, now: datetime
) -> Prediction:
    with transaction.atomic():
        row = Prediction.objects.select_for_update().get(pk=prediction.pk)
        if row.state != state:
            row.state, row.updated_at = state, now
            row.save(update_fields=["state", "updated_at"])
            audit.record(actor=actor, action=action, obj=row)
    return row


def is_served_by(*, prediction: Prediction, version: ModelVersion | None) -> bool:
    """Whether the scores that are read now are this version's."""
    return version is None or prediction.scored_version in (None, version.version)


def shade(*, version: ModelVersion, actor: User | ApiKey | None) -> ModelVersion:
    """Let a version score beside the one in use; what it says decides nothing."""
    with advisory_lock(f"model:{version.name}"):
        row = ModelVersion.objects.select_for_update().get(pk=version.pk)
        if row.state == State.LIVE:
            raise Conflict(
                _("This version is in use already; nothing was changed."), code="version_live"
            )
        ModelVersion.objects.filter(name=row.name, state=State.SHADOW).update(state=State.CANDIDATE)
        row.state = State.SHADOW
        row.save(update_fields=["state"])
        audit.record(actor=actor, action="model.shaded", obj=row)
    return row


@dataclass(frozen=True, slots=True)
class Due:
    """Why a training should start: `code` age, drift, calibration or erasure, and in words."""

    code: str
    reason: str


def due(*, prediction: Prediction, now: datetime) -> Due | None:
    """Why the prediction should be trained again, if it should."""
    if prediction.state != Prediction.State.ACTIVE:
        return None
    live = registry.live(prediction.key)
    if live is None:
        return None
    latest = ModelVersion.objects.filter(name=prediction.key).order_by("-version").first()
    if latest is not None and now - latest.trained_at < REST:
        return None
    if prediction.trouble and now - datetime.fromisoformat(prediction.trouble["at"]) < REST:
        return None
    if live.forgotten:
        return Due(
            "erasure",
            _("%(people)d people it learned from have been erased since.")
            % {"people": live.forgotten},
        )
    for kind, code, text in (
        (Watch.Kind.DRIFT, "drift", _("People are no longer like those it learned from.")),
        (Watch.Kind.CALIBRATION, "calibration", _("What it says no longer comes true.")),
    ):
        seen = Watch.objects.filter(version=live, kind=kind).first()
        if seen is not None and seen.level == Watch.Level.ALARM:
            return Due(code, text)
    days = definitions.read_wishes(prediction.settings).retrain_days
    fresh = queries.data_now(now=now) - timedelta(days=days)
    if live.data_until is not None and live.data_until < fresh:
        return Due("age", _("It has learned nothing for %(days)d days.") % {"days": days})
    return None


def look_after(*, now: datetime) -> list[Job]:
    """Start what is due for all predictions: trainings, a daily look, and renewed scores."""
    started: list[Job] = []
    with advisory_lock("predictions.look_after", wait=False) as ours:
        if not ours:
            return []
        as_of = queries.data_now(now=now)
        for prediction in Prediction.objects.filter(state=Prediction.State.ACTIVE):
            started += _look_after(prediction, as_of, now)
    return started


def _look_after(prediction: Prediction, as_of: datetime, now: datetime) -> list[Job]:
    live = registry.live(prediction.key)
    if live is None or training.open_job(prediction=prediction, kind=training.TRAIN):
        return []
    if due(prediction=prediction, now=now) is not None:
        return [training.start(prediction=prediction)]
    started = []
    stale = prediction.scored_as_of is None or as_of - prediction.scored_as_of >= DAILY
    stale = stale or not is_served_by(prediction=prediction, version=live)
    if stale and not _busy_or_failed(prediction, training.SCORE, now):
        started.append(training.start_scoring(prediction=prediction))
    if why_unwatched(version=live):
        return started
    seen = Watch.objects.filter(version=live, kind=Watch.Kind.DRIFT).first()
    looked = seen is not None and as_of - seen.as_of < DAILY
    if not looked and not _busy_or_failed(prediction, WATCH, now):
        started.append(start_watching(prediction=prediction))
    return started


def why_unwatched(*, version: ModelVersion) -> str:
    """Why a version is not looked after (see `watching.look`); empty when it is."""
    if why := engines.why_unwatched(str(version.details.get("engine", ""))):
        return why
    if not version.details.get("profile"):
        return _("It was trained before such models were looked after. Train again.")
    return ""


def _busy_or_failed(prediction: Prediction, kind: str, now: datetime) -> bool:
    """Whether such a job is open, or failed less than a day ago: the next would fail as well."""
    if training.open_job(prediction=prediction, kind=kind) is not None:
        return True
    failed = Job.objects.filter(
        kind=kind,
        params__prediction=prediction.pk,
        state=Job.State.FAILED,
        finished_at__gt=now - DAILY,
    )
    return failed.exists()


def start_watching(*, prediction: Prediction) -> Job:
    """Queue a look at the version in use."""
    return jobs.start(
        kind=WATCH,
        title=_("Look after: %(title)s") % {"title": prediction.title},
        params={"prediction": prediction.pk},
        result_url=training.url_of(prediction),
    )


def score_after_promotion(*, name: str) -> Job | None:
    """Queue the scoring by a version that has just begun to speak."""
    prediction = Prediction.objects.filter(key=name, state=Prediction.State.ACTIVE).first()
    if prediction is None:
        return None
    live = registry.live(name)
    running = training.open_job(prediction=prediction, kind=training.TRAIN)
    if live is not None and running is not None and live.job_id == running.pk:
        return None  # its own training scores everyone as its last step
    return training.start_scoring(prediction=prediction)

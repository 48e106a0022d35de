"""Everybody's score by the version in use, written whole and switched in one transaction.

A set is copied into a part of its own beside the table and exchanged for the part that serves (see
`parts`), so nobody ever reads half of two sets, and writing costs little more than a bare COPY.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from django.db import OperationalError, transaction
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils import timezone
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from ingestion import changes
from marketing.core import bus
from marketing.core.db import COPY_HEAD, COPY_TAIL, advisory_lock
from marketing.core.errors import Conflict
from models_ml import queries, registry
from models_ml.algorithms import artifacts
from models_ml.models import ModelVersion, Prediction
from models_ml.predictions import engines, parts
from models_ml.predictions.engines import Answers

SCORED = ("scored_at", "scored_as_of", "scored_people", "scored_version")
# A press of a button waits this long for former scores to be looked through.
MOST_MS, TOO_LONG = 8_000, "57014"


def score(
    *,
    prediction: Prediction,
    now: datetime | None = None,
    as_of: datetime | None = None,
    version: ModelVersion | None = None,
) -> int:
    """Score everyone in the population by the version in use; how many people.

    Without one the scores are taken away: an old word about new people would be wrong.
    """
    now = now or timezone.now()
    as_of = as_of or queries.data_now(now=now)
    version = version or registry.live(prediction.key)
    if version is None or prediction.state != Prediction.State.ACTIVE:
        clear(prediction=prediction, must=True)
        return 0
    engine = engines.of(version.details.get("engine", "contest"))
    try:
        answers = engine.answer(prediction=prediction, version=version, as_of=as_of)
    except artifacts.Damaged as fault:
        raise Conflict(
            _("The files of %(version)s are damaged, so nobody was scored again.")
            % {"version": version},
            code="model_damaged",
            remedy=_(
                "The scores of the last good run go on being used. Go back to an earlier version,"
                " or train again."
            ),
        ) from fault
    write(prediction=prediction, version=version, answers=answers, as_of=as_of, now=now)
    return len(answers)


def write(
    *,
    prediction: Prediction,
    version: ModelVersion,
    answers: Answers,
    as_of: datetime,
    now: datetime,
) -> None:
    """Replace all scores of a prediction by these, at once, unless it was archived meanwhile."""
    body = encode(prediction_id=prediction.pk, version_id=version.pk, answers=answers)
    with advisory_lock(f"scores:{prediction.pk}"):
        if not Prediction.objects.filter(pk=prediction.pk, state=Prediction.State.ACTIVE).exists():
            return  # archived while everybody was being scored
        parts.replace(prediction_id=prediction.pk, body=body, as_of=as_of)
        _tell(prediction, at=now, as_of=as_of, people=len(answers), by=version)
    _let_go(prediction)
    prediction.refresh_from_db(fields=SCORED)


def take_back(*, prediction: Prediction, version: ModelVersion, now: datetime) -> bool:
    """Let what this version said last speak again at once.

    False when that was not kept, when everybody is being scored, or when it would keep whoever
    pressed the button waiting: the scoring that follows does it then.
    """
    try:
        with advisory_lock(f"scores:{prediction.pk}", wait=False) as ours:
            found = ours and parts.take_back(prediction_id=prediction.pk, version_id=version.pk)
            if not found:
                return False
            people, as_of = found
            _tell(prediction, at=now, as_of=as_of, people=people, by=version)
            _let_go(prediction, milliseconds=MOST_MS)
    except OperationalError as error:
        if getattr(error.__cause__, "pgcode", None) != TOO_LONG:
            raise
        return False
    return True


def _let_go(prediction: Prediction, milliseconds: int = 0) -> None:
    """Whoever may have no score any more, and did when the work began, is not counted either."""
    with transaction.atomic():
        if gone := parts.let_go(prediction_id=prediction.pk, milliseconds=milliseconds):
            row = Prediction.objects.filter(pk=prediction.pk)
            row.update(scored_people=Greatest(F("scored_people") - gone, 0))


def clear(*, prediction: Prediction, must: bool = False) -> bool:
    """Take all scores of a prediction away.

    Without `must` nobody is waited for long: False, and nothing was changed, when they are being
    written or read all the time.
    """
    with advisory_lock(f"scores:{prediction.pk}", wait=must) as ours:
        if not ours or not parts.drop(prediction_id=prediction.pk, must=must):
            return False
        _tell(prediction, at=None, as_of=None, people=0, by=None)
    return True


def _tell(
    prediction: Prediction,
    *,
    at: datetime | None,
    as_of: datetime | None,
    people: int,
    by: ModelVersion | None,
) -> None:
    """Say with the exchange itself that the scores are others now."""
    Prediction.objects.filter(pk=prediction.pk).update(
        scored_at=at,
        scored_as_of=as_of,
        scored_people=people,
        scored_version=by.version if by is not None else None,
    )
    changes.note(kind=changes.SCORE, what=prediction.key, people=None)
    bus.announce("scores.written", prediction_id=prediction.pk, key=prediction.key)


def percentiles(*, person: NDArray[np.int64], value: NDArray[np.float64]) -> NDArray[np.int16]:
    """1 to 100 by value, as many people in each; equal values by the person's number."""
    n = len(value)
    order = np.lexsort((person, value))
    found = np.empty(n, dtype=np.int16)
    found[order] = np.arange(n) * 100 // max(n, 1) + 1
    return found


def encode(*, prediction_id: int, version_id: int, answers: Answers) -> memoryview:
    """The rows as COPY's binary form, by person."""
    bounded = answers.low is not None and answers.high is not None
    columns: list[tuple[str, str, Any]] = [
        ("prediction", ">i8", prediction_id),
        ("customer", ">i8", answers.person),
        ("value", ">f8", answers.value),
        ("low", ">f8" if bounded else "", answers.low),
        ("high", ">f8" if bounded else "", answers.high),
        ("percentile", ">i2", percentiles(person=answers.person, value=answers.value)),
        ("version", ">i8", version_id),
    ]
    fields: list[tuple[str, str]] = [("width", ">i2")]
    for name, kind, _values in columns:
        fields.append((f"{name}_size", ">i4"))
        if kind:
            fields.append((name, kind))
    rows = np.empty(len(answers), dtype=np.dtype(fields))
    rows["width"] = len(columns)
    for name, kind, values in columns:
        rows[f"{name}_size"] = np.dtype(kind).itemsize if kind else -1
        if kind:
            rows[name] = values
    if len(rows) > 1 and not bool((np.diff(answers.person) > 0).all()):
        rows = rows[np.argsort(answers.person, kind="stable")]
    return memoryview(COPY_HEAD + rows.tobytes() + COPY_TAIL)


def people(*, prediction: Prediction, ids: Sequence[int]) -> dict[int, float]:
    """The scores of some people, by person."""
    return dict(
        prediction.scores.filter(customer_id__in=list(ids)).values_list("customer_id", "value")
    )

"""A new version against the one in use, on the people kept back from both.

Each is asked in its own terms: the one in use reads these people by the columns and the categories
that were saved with it, not by those of the newer one, and either may be of any engine.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketing.core.errors import Refused
from models_ml import registry
from models_ml.algorithms import artifacts, metrics
from models_ml.algorithms.classify import Interval
from models_ml.algorithms.tabular import judging
from models_ml.algorithms.tabular.fitted import Fitted
from models_ml.features.reading import Asked
from models_ml.models import Prediction
from models_ml.predictions import engines, gate
from models_ml.predictions.engines.samples import Sample

SEED = 20111209
# Of how many of the people kept back the version in use must know something.
LEAST_SHARE = 0.5
QUESTION = ("target", "horizon_days", "population")


@dataclass(frozen=True)
class Exam:
    """People kept back, what came, and what the new version said of them, all (n,).

    `task` is chance, amount or days (what came is how many, and less off is better).
    """

    asked: Asked
    came: NDArray[Any]
    said: NDArray[np.float64]
    task: str


def exam_of(fitted: Fitted, sample: Sample) -> Exam:
    """The exam of a contest's sample, sat by its winner."""
    later = sample.later
    said = fitted.predict(later.x, later.events)
    return Exam(Asked(later.person, later.moment), later.y, said, fitted.task)


def question_of(prediction: Prediction) -> dict[str, Any]:
    """What a version must have been asked to be comparable."""
    return {name: getattr(prediction, name) for name in QUESTION}


def fight(*, prediction: Prediction, exam: Exam) -> gate.Duel | gate.NoDuel | None:
    """How much better the new version is than the one in use; None when none is."""
    champion = registry.live(prediction.key)
    if champion is None:
        return None
    details = champion.details
    if any(details.get(name) != value for name, value in question_of(prediction).items()):
        return gate.NoDuel(champion, "other_question")
    name = details.get("engine", "")
    told = getattr(engines.of(name), "told", None) if name in engines.ENGINES else None
    if told is None:
        return gate.NoDuel(champion, "silent")
    try:
        theirs = told(prediction=prediction, version=champion, asked=exam.asked)
    except artifacts.Damaged:
        return gate.NoDuel(champion, "damaged")
    except Refused as refusal:
        if refusal.code != "feature_gone":
            raise
        return gate.NoDuel(champion, refusal.code)
    known = np.isfinite(theirs)
    if known.mean() < LEAST_SHARE or np.ptp(exam.came[known].astype(float)) == 0:
        return gate.NoDuel(champion, "silent")
    gain, measure = compare(
        exam.came[known], exam.said[known], theirs[known], exam.asked.person[known], exam.task
    )
    return gate.Duel(champion, gain, measure)


def compare(y: Any, ours: Any, theirs: Any, person: Any, task: str) -> tuple[Interval, str]:
    """How much better `ours` is, with its 95% interval, and in what it is measured."""
    if task == "chance":
        return judging.gain(y.astype(bool), ours, theirs, person, "chance"), "auc"
    if task == "days":
        off, theirs_off = np.abs(ours - y), np.abs(theirs - y)
        better = metrics.paired_difference(theirs_off, off, seed=SEED)
        return _shared(Interval(better.mean, better.low, better.high), theirs_off.mean()), "days"
    gain = judging.gain(y, ours, theirs, person, "amount")
    return _shared(gain, np.sqrt(np.mean((theirs - y) ** 2))), "rmse"


def _shared(gain: Interval, error: float) -> Interval:
    """As a part of the error of the version in use."""
    whole = float(error) or 1.0
    return Interval(gain.value / whole, gain.low / whole, gain.high / whole)

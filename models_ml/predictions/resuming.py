"""A training that goes on from the version in use instead of beginning anew.

Cheaper than a contest, and only where somebody wishes it, the kind of model can (see
`tabular.further`), and the version still reads what a training would read now. The gate decides: a
version that is not better than its baseline, or loses to the one in use, is thrown away for a
contest; and after some in a row a contest is held anyway, so that other kinds get their chance.
"""

from datetime import timedelta
from typing import Any

from django.utils.translation import gettext as _

from models_ml import registry
from models_ml.algorithms import artifacts
from models_ml.algorithms.errors import Unfit
from models_ml.algorithms.tabular import further
from models_ml.algorithms.tabular.contest import Outcome
from models_ml.algorithms.tabular.fitted import Fitted
from models_ml.algorithms.tabular.judging import Profit
from models_ml.models import ModelVersion, Prediction
from models_ml.predictions import definitions, duels, gate
from models_ml.predictions.definitions import Wishes
from models_ml.predictions.engines import Report, samples
from models_ml.predictions.engines.samples import Sample

FEATURES = "features.json"
MOST_IN_A_ROW = 5


def run(
    *,
    prediction: Prediction,
    sample: Sample,
    wishes: Wishes,
    horizon: timedelta,
    report: Report,
) -> tuple[Outcome, gate.Duel | gate.NoDuel | None] | None:
    """What came of it with its duel, both good enough; None when a contest is to be held."""
    champion = _able(prediction, wishes)
    if champion is None:
        return None
    try:
        stored = registry.load(champion, _read)
        if stored["specs"] != sample.specs:
            return None
        fitted = registry.load(champion, Fitted.load)
        if fitted.model.reads_events:
            sample = samples.with_events(sample)
        report(2, lambda: _("Learning further from version %(n)d") % {"n": champion.version})
        outcome = further.run(
            fitted,
            sample.train,
            sample.later,
            samples.baseline_of(definitions.target_of(prediction), horizon, sample.train.x.columns),
            seed=wishes.seed,
            horizon=horizon,
            profit=Profit(wishes.worth, wishes.cost or 0.0) if wishes.worth is not None else None,
        )
    except (artifacts.Damaged, Unfit):
        return None
    if outcome is None or not outcome.verdict.ok:
        return None
    duel = duels.fight(prediction=prediction, exam=duels.exam_of(outcome.fitted, sample))
    if isinstance(duel, gate.Duel) and not gate.holds(duel, prediction.kind):
        return None
    return outcome, duel


def noted(*, prediction: Prediction, resumed: bool) -> dict[str, Any]:
    """For the version's details: from which it went on, and how many in a row did."""
    champion = registry.live(prediction.key) if resumed else None
    if champion is None:
        return {}
    return {"resumed_from": champion.version, "resumed": champion.details.get("resumed", 0) + 1}


def _able(prediction: Prediction, wishes: Wishes) -> ModelVersion | None:
    """The version in use, if it may be gone on from; not one that learned from erased people."""
    champion = registry.live(prediction.key)
    if not wishes.further or champion is None or champion.forgotten:
        return None
    details = champion.details
    asked = duels.question_of(prediction)
    same = all(details.get(name) == value for name, value in asked.items())
    few = details.get("resumed", 0) < MOST_IN_A_ROW
    return champion if details.get("engine") == "contest" and same and few else None


def _read(folder: Any) -> dict[str, Any]:
    found: dict[str, Any] = artifacts.read_json(folder / FEATURES)
    return found

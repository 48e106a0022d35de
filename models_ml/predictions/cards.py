"""What is written down of a version beside its files: the card that its page reads."""

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models_ml.algorithms import classify
from models_ml.algorithms.classify import Interval
from models_ml.algorithms.tabular.contest import Outcome
from models_ml.algorithms.tabular.frame import Frame
from models_ml.models import Prediction
from models_ml.predictions import curves, definitions, duels, fair, gate, planning, profiles
from models_ml.predictions.engines.samples import Sample

MOST_MOMENTS = 12


def of_contest(
    *,
    prediction: Prediction,
    outcome: Outcome,
    sample: Sample,
    duel: gate.Duel | gate.NoDuel | None,
    people: int,
) -> dict[str, Any]:
    """What was tried, what it was judged by, and how the people judged on were spread."""
    features = planning.features_of(sample.specs)
    later = sample.later
    said = outcome.fitted.predict(later.x, later.events)
    chance = prediction.kind == Prediction.Kind.CHANCE
    table = [finite(asdict(row) | {"gain": row.gain.as_json()}) for row in outcome.table]
    return {
        "kind": "prediction",
        "engine": "contest",
        **duels.question_of(prediction),
        "learned_at": [moment.isoformat() for moment in sample.learned_at],
        "learned_people": people,
        "learned_rows": len(sample.train),
        "judged_at": sample.judged_at.isoformat(),
        "judged_people": len(later),
        "later_in_time": sample.by_time,
        "base_rate": _base_rate(later, prediction.kind),
        "levels": finite(_levels(sample, said)),
        "table": table,
        "best": outcome.best,
        "calibration": outcome.calibration,
        "gains": outcome.gains,
        "gains_baseline": outcome.gains_baseline,
        "threshold": finite(outcome.threshold) if outcome.threshold else None,
        "importances": finite(outcome.importances),
        "dropped": [
            *({"column": name, "why": why} for name, why in outcome.dropped),
            *sample.dropped,
        ],
        "features": {
            f.name: {"meaning": str(f.meaning), "unit": f.unit, "source": f.source}
            for f in features
        },
        "verdict": {
            "ok": outcome.verdict.ok,
            "code": outcome.verdict.code,
            "facts": finite(outcome.verdict.facts),
        },
        "duel": duel.as_json() if duel else None,
        "profile": profiles.of(x=later.x, said=said, columns=outcome.fitted.columns),
        "dependence": finite(
            curves.of(
                fitted=outcome.fitted,
                frame=later,
                importances=outcome.importances,
                seed=definitions.SEED,
            )
        ),
        "fairness": finite(
            fair.of(
                person=later.person,
                said=said,
                came=later.y if chance else None,
                as_of=sample.judged_at,
                threshold=(outcome.threshold or {}).get("chance"),
            )
        ),
    }


def _levels(sample: Sample, said: NDArray[np.float64]) -> dict[str, Any]:
    """How often it happened (or how much on average) at each moment, and what was said at the last.

    A level that goes up and down with the season cannot be learned from one year.
    """
    moments, place = np.unique(sample.train.moment, return_inverse=True)
    if not 0 < len(moments) <= MOST_MOMENTS or not len(said):
        return {}
    people = np.bincount(place)
    total = np.bincount(place, weights=sample.train.y.astype(np.float64))
    return {
        "moments": [
            {"at": str(at), "people": int(n), "seen": float(sum_ / n)}
            for at, n, sum_ in zip(moments, people, total, strict=True)
        ],
        "seen": float(np.mean(sample.later.y)),
        "said": float(np.mean(said)),
    }


def _base_rate(later: Frame, kind: str) -> dict[str, float]:
    if kind == "chance":
        return classify.wilson(int(later.y.sum()), len(later)).as_json()
    mean = float(np.mean(later.y))
    half = 1.96 * float(np.std(later.y)) / max(np.sqrt(len(later)), 1.0)
    return Interval(mean, mean - half, mean + half).as_json()


def finite(value: Any) -> Any:
    """The same as JSON can hold it: what is no finite number becomes null."""
    if isinstance(value, dict):
        return {str(key): finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return value if isinstance(value, bool) else int(value)
    if isinstance(value, float | np.floating):
        return round(float(value), 6) if np.isfinite(value) else None
    return value

"""Models in use are looked after: have people changed, do the chances still come true, what is due.

`look` reads people as they are now and as they were a horizon ago, and stores a `Watch` of each
kind; `due` says why a training should start; `look_after` starts what is due. Readings of `drift`:
{"columns": {name: {"psi", "missing", "missing_before"}}, "said": {...}, "worst": [names]}; of
`calibration`: {"said", "seen", "low", "high", "error", "people", "auc"} for a chance and
{"said", "seen", "error"} for an amount, and "days_off" where a day is told; of `shadow`: both
versions' means, how alike they rank, and how many of the best tenth they share.
"""

from datetime import datetime
from typing import Any

import numpy as np

from models_ml import queries, registry
from models_ml.algorithms import classify
from models_ml.algorithms.tabular import judging
from models_ml.models import ModelVersion, Prediction, Watch
from models_ml.predictions import cards, engines, life, planning, profiles
from models_ml.predictions.engines import Matured

Level, Kind = Watch.Level, Watch.Kind
MOST_PEOPLE = 50_000
OFF_WATCH, OFF_ALARM = 0.15, 0.30


def look(*, prediction: Prediction, now: datetime) -> list[Watch]:
    """Look at the version in use (and one in the shadow) and store what was seen."""
    version = registry.live(prediction.key)
    if version is None or life.why_unwatched(version=version):
        return []
    as_of = queries.data_now(now=now).replace(microsecond=0)
    engine = engines.watched(version.details["engine"])
    share = min(1.0, MOST_PEOPLE / max(prediction.scored_people, 1))
    seen = engine.glance(prediction=prediction, version=version, as_of=as_of, share=share)
    level, readings = profiles.judge(
        profile=version.details["profile"],
        x=seen.x,
        said=seen.said,
        importances=version.details.get("importances"),
    )
    found = [_store(prediction, version, Kind.DRIFT, level, as_of, len(seen.said), readings, now)]
    moment = as_of - planning.horizon_of(prediction)
    if moment.isoformat() > version.details["judged_at"]:
        came = engine.matured(prediction=prediction, version=version, moment=moment, share=share)
        if came is not None:
            found.append(_calibration(prediction, version, came, moment, now))
    shadow = ModelVersion.objects.filter(
        name=prediction.key, state=ModelVersion.State.SHADOW
    ).first()
    if shadow is not None:
        found.append(_shadow(prediction, version, shadow, as_of, now))
    return found


def _calibration(
    prediction: Prediction,
    version: ModelVersion,
    known: Matured,
    moment: datetime,
    now: datetime,
) -> Watch:
    """What it would have said a horizon ago, beside what came: people it had not learned from."""
    said, came = known.said, known.came
    readings: dict[str, Any] = {"people": len(came), "chance": known.chance, **known.more}
    level: str = Level.FINE
    if len(came) >= profiles.LEAST_PEOPLE:
        seen = float(came.mean())
        if known.chance:
            label = came > 0
            rate = classify.wilson(int(label.sum()), len(label))
            low, high = rate.low, rate.high
            readings |= {
                "error": judging.calibration_error(label, said),
                "auc": classify.auc(label, said) if 0 < label.sum() < len(label) else None,
            }
        else:
            half = 1.96 * float(came.std()) / np.sqrt(len(came))
            low, high = seen - half, seen + half
            readings |= {"error": float(np.sqrt(np.mean((said - came) ** 2)))}
        mean = float(said.mean())
        readings |= {"said": mean, "seen": seen, "low": low, "high": high}
        off = abs(mean - seen) / max(abs(seen), 1e-9)
        if not low <= mean <= high:
            level = (
                Level.ALARM if off > OFF_ALARM else Level.WATCH if off > OFF_WATCH else Level.FINE
            )
    return _store(
        prediction, version, Kind.CALIBRATION, level, moment, len(came),
        cards.finite(readings), now,
    )  # fmt: skip


def _shadow(
    prediction: Prediction,
    version: ModelVersion,
    shadow: ModelVersion,
    as_of: datetime,
    now: datetime,
) -> Watch:
    """Both versions about the same people; the one in the shadow decides nothing."""
    live, other = (
        engines.of(one.details["engine"]).answer(prediction=prediction, version=one, as_of=as_of)
        for one in (version, shadow)
    )
    both, ours, theirs = np.intersect1d(
        live.person, other.person, assume_unique=True, return_indices=True
    )
    a, b = live.value[ours], other.value[theirs]
    readings: dict[str, Any] = {"people": len(both), "live_version": version.version}
    if len(both) > 1:
        tenth = max(1, len(both) // 10)
        best = set(np.argsort(-a, kind="stable")[:tenth].tolist())
        shared = best & set(np.argsort(-b, kind="stable")[:tenth].tolist())
        ranks = np.corrcoef(classify.ranks(a), classify.ranks(b))[0, 1]
        readings |= {
            "live_mean": float(a.mean()),
            "shadow_mean": float(b.mean()),
            "rank_correlation": float(ranks) if np.isfinite(ranks) else None,
            "shared_best_tenth": len(shared) / tenth,
        }
    return _store(
        prediction, shadow, Kind.SHADOW, Level.FINE, as_of, len(both),
        cards.finite(readings), now,
    )  # fmt: skip


def _store(
    prediction: Prediction,
    version: ModelVersion,
    kind: str,
    level: str,
    as_of: datetime,
    people: int,
    readings: dict[str, Any],
    now: datetime,
) -> Watch:
    made, _new = Watch.objects.update_or_create(
        prediction=prediction,
        version=version,
        kind=kind,
        as_of=as_of,
        defaults={"level": level, "people": people, "readings": readings, "at": now},
    )
    return made

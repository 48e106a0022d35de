"""Models in use are looked after: have people changed, do the chances still come true, what is due.

`look` reads people as they are now and as they were a horizon ago, and stores a `Watch` of each
kind; `due` says why a training should start; `look_after` starts what is due. Readings of `drift`:
{"columns": {name: {"psi", "missing", "missing_before"}}, "said": {...}, "worst": [names]}; of
`calibration`: {"said", "seen", "low", "high", "error", "people", "auc"} for a chance and
{"said", "seen", "error"} for an amount; of `shadow`: both versions' means, how alike they rank, and
how many of the best tenth they share.
"""

from datetime import datetime
from typing import Any

import numpy as np
from scipy import stats

from models_ml import queries, registry
from models_ml.algorithms import classify
from models_ml.algorithms.tabular import judging
from models_ml.features import labels, reading
from models_ml.features.compiler import Population
from models_ml.models import ModelVersion, Prediction, Watch
from models_ml.predictions import contests, definitions, life, planning, profiles

Level, Kind = Watch.Level, Watch.Kind
MOST_PEOPLE = 50_000
LEAST_PEOPLE = 100
# The usual rule of thumb for the population stability index.
PSI_WATCH, PSI_ALARM = 0.10, 0.25
MISSING_WATCH, MISSING_ALARM = 0.05, 0.20
# How sure a shift must be before its size is looked at: once in a thousand looks by chance.
SURE = 0.001
TELLING = 5
OFF_WATCH, OFF_ALARM = 0.15, 0.30


def look(*, prediction: Prediction, now: datetime) -> list[Watch]:
    """Look at the version in use (and one in the shadow) and store what was seen."""
    version = registry.live(prediction.key)
    if version is None or not life.watching_knows(version=version):
        return []
    as_of = queries.data_now(now=now).replace(microsecond=0)
    values = _people(prediction, version, as_of)
    found = [_drift(prediction, version, values, as_of, now)]
    matured = as_of - planning.horizon_of(prediction)
    target = definitions.target_of(prediction)
    if (
        not (target.timeless or target.own_moments)
        and matured.isoformat() > version.details["judged_at"]
    ):
        found.append(_calibration(prediction, version, matured, now))
    shadow = ModelVersion.objects.filter(
        name=prediction.key, state=ModelVersion.State.SHADOW
    ).first()
    if shadow is not None:
        found.append(_shadow(prediction, version, shadow, as_of, now))
    return found


def _people(prediction: Prediction, version: ModelVersion, as_of: datetime) -> reading.Values:
    asked = contests.serving_population(prediction)
    share = min(1.0, MOST_PEOPLE / max(prediction.scored_people, 1))
    population = Population(asked.who, asked.least_orders, asked.ordered_within_days, share)
    return contests.values(
        prediction=prediction, version=version, as_of=as_of, population=population
    )


def _drift(
    prediction: Prediction,
    version: ModelVersion,
    values: reading.Values,
    as_of: datetime,
    now: datetime,
) -> Watch:
    profile = version.details["profile"]
    said = contests.ask(version, values)
    found = profiles.compare(profile=profile, x=values.x, said=said)
    sure = _sure(profile, len(values), len(found))
    importances = version.details.get("importances") or {}
    telling = [name for name, weight in importances.items() if weight and weight > 0][:TELLING]
    level, worst = Level.FINE, []
    if len(values) >= LEAST_PEOPLE:
        for name, one in found.items():
            seen = _level_of(one, sure)
            if seen == Level.FINE:
                continue
            worst.append(name)
            if seen == Level.ALARM and name in ("said", *telling):
                level = Level.ALARM
            elif level == Level.FINE:
                level = Level.WATCH
    columns = {name: one for name, one in found.items() if name != "said"}
    return _store(
        prediction,
        version,
        Kind.DRIFT,
        level,
        as_of,
        len(values),
        {
            "columns": columns,
            "said": found["said"],
            "worst": sorted(worst, key=lambda name: -found[name]["psi"]),
            "sure_above": round(sure, 4),
        },
        now,
    )


def _sure(profile: dict[str, Any], people: int, columns: int) -> float:
    """The index that samples of these sizes exceed by chance once in a thousand looks."""
    sizes = 1 / max(people, 1) + 1 / max(int(profile["people"]), 1)
    return float(sizes * stats.chi2.isf(SURE / max(columns, 1), profiles.BINS - 1))


def _level_of(one: dict[str, float], sure: float) -> str:
    moved, gone = one["psi"], abs(one["missing"] - one["missing_before"])
    if (moved > PSI_ALARM and moved > sure) or gone > MISSING_ALARM:
        return Level.ALARM
    if (moved > PSI_WATCH and moved > sure) or gone > MISSING_WATCH:
        return Level.WATCH
    return Level.FINE


def _calibration(
    prediction: Prediction, version: ModelVersion, moment: datetime, now: datetime
) -> Watch:
    """What it would have said a horizon ago, beside what came: people it had not learned from."""
    values = _people(prediction, version, moment)
    target = definitions.target_of(prediction)
    came = labels.of(target=target, asked=values.asked, horizon=planning.horizon_of(prediction))
    said = contests.ask(version, values)
    known = np.isfinite(came)
    said, came = said[known], came[known]
    readings: dict[str, Any] = {"people": len(came)}
    level = Level.FINE
    if len(came) >= LEAST_PEOPLE:
        seen = float(came.mean())
        if prediction.kind == Prediction.Kind.CHANCE:
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
        contests.finite(readings), now,
    )  # fmt: skip


def _shadow(
    prediction: Prediction,
    version: ModelVersion,
    shadow: ModelVersion,
    as_of: datetime,
    now: datetime,
) -> Watch:
    """Both versions about the same people; the one in the shadow decides nothing."""
    live = contests.answer(prediction=prediction, version=version, as_of=as_of)
    other = contests.answer(prediction=prediction, version=shadow, as_of=as_of)
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
        contests.finite(readings), now,
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

"""Chances and amounts by a contest of estimators: the engine of most predictions."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from marketing.core.errors import Invalid
from models_ml import registry
from models_ml.algorithms import artifacts, classify
from models_ml.algorithms.classify import Interval
from models_ml.algorithms.tabular import contest, judging
from models_ml.algorithms.tabular.contest import Outcome
from models_ml.algorithms.tabular.fitted import Fitted
from models_ml.algorithms.tabular.frame import Frame, Unfit
from models_ml.algorithms.tabular.judging import Profit
from models_ml.features import reading, sequences
from models_ml.features.compiler import Population
from models_ml.features.targets import Target
from models_ml.models import ModelVersion, Prediction
from models_ml.predictions import definitions, gate, planning, profiles, samples
from models_ml.predictions.definitions import Wishes
from models_ml.predictions.engines import Answers, Report
from models_ml.predictions.samples import Sample

FEATURES, PEOPLE = "features.json", "people.npz"
SEQUENCE = "sequence"


def _silent(_step: int, _label: str) -> None:
    """The report of nobody."""


def learn(
    *,
    prediction: Prediction,
    as_of: datetime,
    now: datetime,
    job_id: int | None = None,
    report: Report = _silent,
) -> ModelVersion:
    """See `engines`. The version served is the one judged: it learned nothing from the exam."""
    began = time.monotonic()
    target = definitions.target_of(prediction)
    wishes = definitions.read_wishes(prediction.settings)
    horizon = planning.horizon_of(prediction)
    report(1, _("Reading what was known of people at earlier moments"))
    sample = samples.draw(
        target=target,
        horizon=horizon,
        population=definitions.read_population(prediction.population),
        wishes=wishes,
        as_of=as_of,
    )
    if SEQUENCE in wishes.candidates:
        sample = samples.with_events(sample)
    outcome = _contest(sample, target, wishes, horizon, report)
    duel = _duel(prediction, outcome.fitted, sample)
    version = _save(prediction, outcome, sample, duel, wishes, now, job_id, began)
    return gate.decide(
        version=version,
        kind=prediction.kind,
        ok=outcome.verdict.ok,
        code=outcome.verdict.code,
        facts=outcome.verdict.facts,
        duel=duel,
    )


def _contest(
    sample: Sample, target: Target, wishes: Wishes, horizon: timedelta, report: Report
) -> Outcome:
    profit = Profit(wishes.worth, wishes.cost or 0.0) if wishes.worth is not None else None
    try:
        return contest.run(
            sample.train,
            sample.later,
            "chance" if target.kind == "chance" else "amount",
            samples.baseline_of(target, horizon, sample.train.x.columns),
            seed=wishes.seed,
            profit=profit,
            candidates=wishes.candidates or None,
            allow=wishes.allow,
            report=lambda name, done, total: report(
                2, _("Training and judging: %(engine)s") % {"engine": name}
            ),
        )
    except Unfit as unfit:
        message, remedy = gate.why_unfit(code=unfit.code, facts=_named(unfit.facts, sample))
        raise Invalid(message, code=unfit.code, remedy=remedy) from unfit


def answer(
    *,
    prediction: Prediction,
    version: ModelVersion,
    as_of: datetime,
    only: Sequence[int] | None = None,
) -> Answers:
    """See `engines`."""
    found = values(prediction=prediction, version=version, as_of=as_of, only=only)
    return Answers(found.asked.person, ask(version, found))


def ask(version: ModelVersion, found: reading.Values) -> Any:
    """What the version answers; what people did is read only for a model that reads it."""
    fitted = fitted_of(version)
    events = sequences.read(asked=found.asked) if fitted.model.reads_events else None
    return fitted.predict(found.x, events)


def values(
    *,
    prediction: Prediction,
    version: ModelVersion,
    as_of: datetime,
    only: Sequence[int] | None = None,
    population: Population | None = None,
) -> reading.Values:
    """What is known at `as_of` of those the version is asked about, as it was known in training."""
    stored = registry.load(version, read_features)
    return reading.read(
        features=planning.features_of(stored["specs"]),
        population=population or serving_population(prediction),
        cuts=[as_of.replace(microsecond=0)],
        only=only,
        levels=stored["levels"],
    )


def serving_population(prediction: Prediction) -> Population:
    target = definitions.target_of(prediction)
    if target.timeless:
        return Population(who="everyone")
    return definitions.read_population(prediction.population)


def fitted_of(version: ModelVersion) -> Fitted:
    """The version's model, read once a process and checked against its hashes."""
    return registry.load(version, Fitted.load)


def read_features(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = artifacts.read_json(folder / FEATURES)
    return found


def _duel(prediction: Prediction, fitted: Fitted, sample: Sample) -> gate.Duel | None:
    """The new model against the one in use, on the people kept back."""
    champion = registry.live(prediction.key)
    if champion is None or champion.details.get("engine") != "contest":
        return None
    try:
        stored = registry.load(champion, read_features)
        if stored["question"] != _question(prediction):
            return None
        old = registry.load(champion, Fitted.load)
        if old.model.reads_events:
            sample = samples.with_events(sample)
        theirs = old.predict(_as_known(stored, sample), sample.later.events)
    except (artifacts.Damaged, KeyError):
        return None
    ours, y = fitted.predict(sample.later.x, sample.later.events), sample.later.y
    return gate.Duel(champion, *compare(y, ours, theirs, sample.later.person, fitted.task))


def _as_known(stored: dict[str, Any], sample: Sample) -> Any:
    """The kept back people's columns under the names the champion knows them by."""
    ours = {_key(f): f.name for f in planning.features_of(sample.specs)}
    names = {
        f.name: ours[_key(f)] for f in planning.features_of(stored["specs"]) if _key(f) in ours
    }
    return sample.later.x[list(names.values())].set_axis(list(names), axis=1)


def _key(feature: Any) -> tuple[str, str]:
    return feature.sql, str(sorted(feature.params.items()))


def compare(y: Any, ours: Any, theirs: Any, person: Any, task: str) -> tuple[Interval, str]:
    """How much better `ours` is, with its 95% interval, and in what it is measured."""
    if task == "chance":
        return judging.gain(y.astype(bool), ours, theirs, person, "chance"), "auc"
    gain = judging.gain(y, ours, theirs, person, "amount")
    error = float(np.sqrt(np.mean((theirs - y) ** 2))) or 1.0
    return Interval(gain.value / error, gain.low / error, gain.high / error), "rmse"


def _question(prediction: Prediction) -> dict[str, Any]:
    return {
        "target": prediction.target,
        "horizon_days": prediction.horizon_days,
        "population": prediction.population,
    }


def _named(facts: dict[str, Any], sample: Sample) -> dict[str, Any]:
    """Leaking columns under the names people know them by."""
    meaning = {f.name: str(f.meaning) for f in planning.features_of(sample.specs)}
    columns = [
        {**one, "column": meaning.get(one["column"], one["column"])}
        for one in facts.get("columns", ())
    ]
    return {**facts, "columns": columns} if columns else facts


def _save(
    prediction: Prediction,
    outcome: Outcome,
    sample: Sample,
    duel: gate.Duel | None,
    wishes: Wishes,
    now: datetime,
    job_id: int | None,
    began: float,
) -> ModelVersion:
    people = np.unique(sample.train.person)
    stored = {
        "specs": sample.specs,
        "levels": sample.levels,
        "question": _question(prediction),
    }

    def write(folder: Path) -> None:
        outcome.fitted.save(folder)
        artifacts.write_json(folder / FEATURES, stored)
        artifacts.write_arrays(folder / PEOPLE, users=people)

    winner = next(row for row in outcome.table if row.name == outcome.best)
    rival = next(row for row in outcome.table if row.is_baseline)
    return registry.save(
        name=prediction.key,
        algorithm=outcome.best,
        write=write,
        params=dict(winner.setting),
        metrics=finite(winner.later),
        baseline=finite(rival.later) | {"rule": rival.name},
        data_from=sample.data_from,
        data_until=sample.judged_at + planning.horizon_of(prediction),
        rows=len(sample.train) + len(sample.later),
        seed=wishes.seed,
        seconds=round(time.monotonic() - began, 2),
        details=_details(prediction, outcome, sample, duel, len(people)),
        job_id=job_id,
        now=now,
    )


def _details(
    prediction: Prediction,
    outcome: Outcome,
    sample: Sample,
    duel: gate.Duel | None,
    people: int,
) -> dict[str, Any]:
    features = planning.features_of(sample.specs)
    later = sample.later
    said = outcome.fitted.predict(later.x, later.events)
    table = [finite(asdict(row) | {"gain": row.gain.as_json()}) for row in outcome.table]
    return {
        "kind": "prediction",
        "engine": "contest",
        **_question(prediction),
        "learned_at": [moment.isoformat() for moment in sample.learned_at],
        "learned_people": people,
        "learned_rows": len(sample.train),
        "judged_at": sample.judged_at.isoformat(),
        "judged_people": len(later),
        "later_in_time": sample.by_time,
        "base_rate": _base_rate(later, prediction.kind),
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

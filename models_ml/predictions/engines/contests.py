"""Chances and amounts by a contest of estimators: the engine of most predictions."""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from numpy.typing import NDArray

from marketing.core.errors import Invalid
from marketing.core.wording import Words
from models_ml import registry
from models_ml.algorithms import artifacts
from models_ml.algorithms.errors import Unfit
from models_ml.algorithms.tabular import contest
from models_ml.algorithms.tabular.contest import Outcome
from models_ml.algorithms.tabular.fitted import Fitted
from models_ml.algorithms.tabular.judging import Profit
from models_ml.features import labels, reading, sendings, sequences
from models_ml.features.compiler import Population
from models_ml.features.reading import Asked
from models_ml.features.targets import Target
from models_ml.models import ModelVersion, Prediction
from models_ml.predictions import cards, definitions, duels, gate, planning, resuming
from models_ml.predictions.definitions import Wishes
from models_ml.predictions.engines import Answers, Glance, Matured, Report, samples, small
from models_ml.predictions.engines.samples import Sample

FEATURES, PEOPLE = "features.json", "people.npz"
SEQUENCE = "sequence"
MOST_READ = 100_000
MOST_MAILS = 50_000


def _silent(_step: int, _label: Words) -> None:
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
    report(1, gettext_lazy("Reading what was known of people at earlier moments"))
    sample = samples.draw(
        target=target,
        horizon=horizon,
        population=definitions.read_population(prediction.population),
        wishes=wishes,
        as_of=as_of,
    )
    if _reads_events(wishes, sample):
        sample = samples.with_events(sample)
    resumed = resuming.run(
        prediction=prediction, sample=sample, wishes=wishes, horizon=horizon, report=report
    )
    outcome, duel = resumed or (None, None)
    if outcome is None:
        outcome = _contest(sample, target, wishes, horizon, report)
        duel = duels.fight(prediction=prediction, exam=duels.exam_of(outcome.fitted, sample))
    version = _save(prediction, outcome, sample, duel, wishes, now, job_id, began, bool(resumed))
    return gate.decide(
        version=version,
        kind=prediction.kind,
        ok=outcome.verdict.ok,
        code=outcome.verdict.code,
        facts=outcome.verdict.facts,
        duel=duel,
    )


def _reads_events(wishes: Wishes, sample: Sample) -> bool:
    """Asked for by name, or nothing was chosen and there are deeds to read that no column tells.

    Orders alone are told by the columns; reading everybody's events is not for millions of rows.
    """
    if wishes.candidates:
        return SEQUENCE in wishes.candidates
    return len(sample.train) <= MOST_READ and sequences.known()


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
            horizon=horizon,
            profit=profit,
            candidates=wishes.candidates or None,
            allow=wishes.allow,
            report=lambda name, done, total: report(
                2, lambda: _("Training and judging: %(engine)s") % {"engine": name}
            ),
        )
    except Unfit as unfit:
        message, remedy = gate.why_unfit(code=unfit.code, facts=_named(unfit.facts, sample))
        few = small.of(sample, chance=target.kind == "chance") if unfit.code in small.CODES else ()
        raise Invalid(message, code=unfit.code, remedy=remedy, items=few) from unfit


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


def told(*, prediction: Prediction, version: ModelVersion, asked: Asked) -> NDArray[np.float64]:
    """See `engines`."""
    stored = registry.load(version, read_features)
    found = reading.read(
        features=planning.features_of(stored["specs"]),
        population=Population(who="everyone"),
        pairs=asked,
        levels=stored["levels"],
    )
    return reading.beside(asked=asked, known=found.asked, values=ask(version, found))


def glance(
    *, prediction: Prediction, version: ModelVersion, as_of: datetime, share: float = 1.0
) -> Glance:
    """See `engines`."""
    found = _part(prediction, version, as_of, share)
    return Glance(found.x, ask(version, found))


def matured(
    *, prediction: Prediction, version: ModelVersion, moment: datetime, share: float = 1.0
) -> Matured | None:
    """See `engines`. A property is as it is now; mails are held against those sent since."""
    target, horizon = definitions.target_of(prediction), planning.horizon_of(prediction)
    if target.timeless:
        return None
    if target.own_moments:
        since = datetime.fromisoformat(version.details["judged_at"])
        sent = sendings.read(
            target=target, since=since, until=moment, horizon=horizon, most=MOST_MAILS
        )
        said = told(prediction=prediction, version=version, asked=sent.asked)
        came = sent.answered.astype(np.float64)
    else:
        found = _part(prediction, version, moment, share)
        said = ask(version, found)
        came = labels.of(target=target, asked=found.asked, horizon=horizon)
    known = np.isfinite(came) & np.isfinite(said)
    return Matured(said[known], came[known], prediction.kind == Prediction.Kind.CHANCE)


def _part(
    prediction: Prediction, version: ModelVersion, as_of: datetime, share: float
) -> reading.Values:
    population = replace(serving_population(prediction), share=share)
    return values(prediction=prediction, version=version, as_of=as_of, population=population)


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
    duel: gate.Duel | gate.NoDuel | None,
    wishes: Wishes,
    now: datetime,
    job_id: int | None,
    began: float,
    resumed: bool,
) -> ModelVersion:
    people = np.unique(sample.train.person)
    timeless = definitions.target_of(prediction).timeless
    horizon = planning.horizon_of(prediction)
    stored = {
        "specs": sample.specs,
        "levels": sample.levels,
        "question": duels.question_of(prediction),
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
        metrics=cards.finite(winner.later),
        baseline=cards.finite(rival.later) | {"rule": rival.name},
        data_from=sample.data_from,
        data_until=sample.judged_at + (timedelta(0) if timeless else horizon),
        rows=len(sample.train) + len(sample.later),
        seed=wishes.seed,
        seconds=round(time.monotonic() - began, 2),
        details=cards.of_contest(
            prediction=prediction, outcome=outcome, sample=sample, duel=duel, people=len(people)
        )
        | resuming.noted(prediction=prediction, resumed=resumed),
        job_id=job_id,
        now=now,
    )

"""Whom a mail moves: the engine of predictions learned from who was held out by chance.

What it says of each person is how much likelier a mail makes it that they order (or do what was
asked for): a difference of chances, below zero for whom it drives away. Published only where
ranking by it surely beats treating people blindly; see `algorithms.uplift`.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from marketing.core.errors import Invalid
from models_ml import registry
from models_ml.algorithms import artifacts
from models_ml.algorithms.errors import Unfit
from models_ml.algorithms.uplift import curves, trial
from models_ml.algorithms.uplift.trial import Fitted, Outcome
from models_ml.features import reading
from models_ml.models import ModelVersion, Prediction
from models_ml.predictions import definitions, gate, planning
from models_ml.predictions.cards import finite
from models_ml.predictions.engines import Answers, Report, trials
from models_ml.predictions.engines.contests import FEATURES, PEOPLE, read_features
from models_ml.predictions.engines.trials import Drawn

# Figures are told for so many people.
PER = 1_000


def learn(
    *,
    prediction: Prediction,
    as_of: datetime,
    now: datetime,
    job_id: int | None = None,
    report: Report = lambda step, label: None,
) -> ModelVersion:
    """See `engines`."""
    began = time.monotonic()
    report(1, gettext_lazy("Reading who got a mail and who was held out"))
    wishes = definitions.read_wishes(prediction.settings)
    drawn = trials.draw(
        target=definitions.target_of(prediction),
        horizon=planning.horizon_of(prediction),
        population=definitions.read_population(prediction.population),
        wishes=wishes,
        as_of=as_of,
    )

    def tell(name: str) -> None:
        report(2, lambda: _("Training and judging: %(engine)s") % {"engine": name})

    try:
        outcome = trial.run(drawn.train, drawn.later, seed=wishes.seed, report=tell)
    except Unfit as unfit:
        raise _unfit(unfit) from unfit
    report(3, gettext_lazy("Storing the version"))
    version = _save(prediction, drawn, outcome, wishes.seed, as_of, now, job_id, began)
    return gate.decide(
        version=version,
        kind=prediction.kind,
        ok=outcome.ok,
        code=outcome.code,
        facts=outcome.facts,
    )


def answer(
    *,
    prediction: Prediction,
    version: ModelVersion,
    as_of: datetime,
    only: Sequence[int] | None = None,
) -> Answers:
    """See `engines`."""
    stored = registry.load(version, read_features)
    found = reading.read(
        features=planning.features_of(stored["specs"]),
        population=definitions.read_population(prediction.population),
        cuts=[as_of.replace(microsecond=0)],
        only=only,
        levels=stored["levels"],
    )
    fitted = registry.load(version, Fitted.load)
    return Answers(found.asked.person, fitted.effect(found.x))


def _save(
    prediction: Prediction,
    drawn: Drawn,
    outcome: Outcome,
    seed: int,
    as_of: datetime,
    now: datetime,
    job_id: int | None,
    began: float,
) -> ModelVersion:
    learned = drawn.train
    people = np.unique(learned.person)

    def write(folder: Path) -> None:
        outcome.fitted.save(folder)
        artifacts.write_json(folder / FEATURES, {"specs": drawn.specs, "levels": drawn.levels})
        artifacts.write_arrays(folder / PEOPLE, users=people)

    rule = next(row for row in outcome.table if row.is_baseline)
    verdict = outcome.verdict
    return registry.save(
        name=prediction.key,
        algorithm=outcome.fitted.name,
        write=write,
        params={"held_out": outcome.facts["held_out"], "sends": len(drawn.runs)},
        metrics=finite(
            {
                "qini": PER * verdict.qini.value,
                "auuc": PER * verdict.auuc.value,
                "moved": PER * verdict.mean.value,
            }
        ),
        baseline=finite(
            {"qini": PER * rule.qini.value, "auuc": PER * rule.auuc.value, "rule": rule.name}
        ),
        data_from=drawn.first,
        # As new as the data, though it may hold no newer send.
        data_until=as_of,
        rows=len(learned) + (0 if drawn.later is None else len(drawn.later)),
        seed=seed,
        seconds=round(time.monotonic() - began, 2),
        details=_details(prediction, drawn, outcome, len(people)),
        job_id=job_id,
        now=now,
    )


def _details(prediction: Prediction, drawn: Drawn, outcome: Outcome, people: int) -> dict[str, Any]:
    judged = outcome.judged
    features = planning.features_of(drawn.specs)
    lead = {name: PER * value for name, value in outcome.lead.as_json().items()}
    return finite(
        {
            "kind": "prediction",
            "engine": "uplift",
            "target": prediction.target,
            "horizon_days": prediction.horizon_days,
            "population": prediction.population,
            "learned_at": [one["at"] for one in drawn.runs if not one["judged"]]
            or [drawn.first.isoformat()],
            "learned_people": people,
            "judged_at": drawn.judged_at.isoformat(),
            "judged_people": outcome.facts["people"],
            "later_in_time": drawn.later is not None,
            "runs": drawn.runs,
            "best": outcome.fitted.name,
            "learners": [
                asdict(row) | {"qini": row.qini.as_json(), "auuc": row.auuc.as_json()}
                for row in outcome.table
            ],
            "curve": _curve(outcome.effect, outcome),
            "curve_baseline": _curve(outcome.rival, outcome),
            "fifths": outcome.fifths,
            "held_out": int((~judged.treated).sum()),
            "dropped": [
                *({"column": name, "why": why} for name, why in outcome.fitted.schema.dropped),
                *drawn.dropped,
            ],
            "features": {
                f.name: {"meaning": str(f.meaning), "unit": f.unit, "source": f.source}
                for f in features
            },
            "verdict": {
                "ok": outcome.ok,
                "code": outcome.code,
                "facts": outcome.facts | {"gain": lead},
            },
        }
    )


def _curve(effect: Any, outcome: Outcome) -> list[dict[str, float]]:
    judged = outcome.judged
    made = curves.curve(effect, judged.treated, judged.y, judged.weight)
    return [
        {"people": float(share), "gained": PER * float(gained)}
        for share, gained in zip(made.share, made.gained, strict=True)
    ]


def _unfit(unfit: Unfit) -> Invalid:
    treated, held = unfit.facts.get("treated", 0), unfit.facts.get("untreated", 0)
    more = _(
        "Hold out more people in the next campaign, or send one to more people. Nothing was"
        " changed."
    )
    if unfit.code in ("too_few_treated", "too_few_untreated"):
        text = _(
            "The mail was meant for %(treated)d people and %(held)d were held out; at least"
            " %(needed)d of each are needed."
        )
        facts = {"treated": treated, "held": held, "needed": unfit.facts.get("needed", 0)}
        return Invalid(text % facts, code=unfit.code, remedy=more)
    if unfit.code == "constant_outcome":
        text = (
            _("Of %(people)d people all did it, with the mail and without.")
            if unfit.facts.get("value")
            else _("Of %(people)d people nobody did it, with the mail or without.")
        )
        return Invalid(
            text % {"people": treated + held},
            code=unfit.code,
            remedy=_("Choose a longer time to look ahead, or another thing to bring about."),
        )
    message, remedy = gate.why_unfit(code=unfit.code, facts=unfit.facts)
    return Invalid(message, code=unfit.code, remedy=remedy)

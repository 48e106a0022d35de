"""What somebody will spend, whether they are still a customer, and when they order next.

The engine of predictions told from the rhythm of orders alone (see `algorithms/lifetime`). What it
says depends on the target: money (`spend`), the chance of not having left (`order`), or a date
(`next_order`). The laws are fitted one horizon before the data's now and judged by what came then.
"""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from numpy.typing import NDArray

from marketing.core.errors import Invalid
from models_ml import registry
from models_ml.algorithms import artifacts
from models_ml.algorithms.errors import Unfit
from models_ml.algorithms.lifetime import forecast
from models_ml.algorithms.lifetime.spend import GammaGamma
from models_ml.algorithms.lifetime.summary import (
    Summary,
    bought_within,
    summarise,
)
from models_ml.features import reading
from models_ml.features.reading import Asked
from models_ml.models import ModelVersion, Prediction
from models_ml.predictions import definitions, duels, fair, gate, planning
from models_ml.predictions.cards import finite
from models_ml.predictions.duels import Exam
from models_ml.predictions.engines import Answers, Glance, Matured, Report, hindsight, laws
from models_ml.predictions.engines.contests import PEOPLE
from models_ml.predictions.engines.laws import Laws


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
    target, horizon = definitions.target_of(prediction), planning.horizon_of(prediction)
    if target.type not in hindsight.RULES:
        raise Invalid(
            _("The rhythm of orders says nothing about this target."), code="target_unsuited"
        )
    report(1, gettext_lazy("Reading everybody's orders"))
    orders = laws.read(as_of=as_of)
    plan = planning.moments(target=target, horizon=horizon, as_of=as_of)
    cut = laws.last_day(plan.judge)
    report(2, gettext_lazy("Fitting the laws of buying and trying them out on the past"))
    data = summarise(orders, until=cut)
    try:
        # A law of buying is of everybody who buys; only some of them may be asked about.
        fitted = Laws(forecast.learn(orders, until=cut), GammaGamma.fit(data))
    except Unfit as unfit:
        raise _unfit(unfit) from unfit
    people = data.person
    population = definitions.read_population(prediction.population)
    data = data.take(laws.among(population=population, person=people, at=laws.end_of(cut)))
    said, rival, came = hindsight.exam(prediction, fitted, orders, data, cut, laws.last_day(as_of))
    known = np.isfinite(came)
    said, rival, came, data = said[known], rival[known], came[known], data.take(known)
    judged = hindsight.judge(target.type, said, rival, came, data.person)
    moment = np.full(len(data), cut.astype("datetime64[s]") + hindsight.LAST_SECOND)
    duel = duels.fight(
        prediction=prediction,
        exam=Exam(Asked(data.person, moment), came, said, hindsight.TASKS[target.type]),
    )
    report(3, gettext_lazy("Storing the version"))

    def write(folder: Path) -> None:
        fitted.save(folder)
        artifacts.write_arrays(folder / PEOPLE, users=people)

    version = registry.save(
        name=prediction.key,
        algorithm="lifetime",
        write=write,
        params={"slope": fitted.forecast.slope, "floor": fitted.forecast.floor},
        metrics=finite(judged.ours.later),
        baseline=finite(judged.theirs.later) | {"rule": hindsight.RULES[target.type]},
        data_from=plan.first,
        data_until=as_of,
        rows=len(orders.person),
        seed=hindsight.SEED,
        seconds=round(time.monotonic() - began, 2),
        details=hindsight.details(
            prediction,
            fitted,
            plan.judge,
            judged,
            len(people),
            len(data),
            _asked_about(prediction, as_of),
        )
        | {
            "duel": duel.as_json() if duel else None,
            "fairness": finite(
                fair.of(
                    person=data.person,
                    said=-said if target.type == "next_order" else said,
                    came=came if target.type == "order" else None,
                    as_of=plan.judge,
                )
            ),
        },
        job_id=job_id,
        now=now,
    )
    verdict = judged.verdict
    return gate.decide(
        version=version,
        kind=prediction.kind,
        ok=verdict.ok,
        code=verdict.code,
        facts=verdict.facts,
        duel=duel,
    )


def answer(
    *,
    prediction: Prediction,
    version: ModelVersion,
    as_of: datetime,
    only: Sequence[int] | None = None,
) -> Answers:
    """See `engines`."""
    fitted = registry.load(version, Laws.load)
    data = _asked_about(prediction, as_of, only=only)
    value = laws.say(prediction, fitted, data)
    if prediction.kind != Prediction.Kind.DATE:
        return Answers(data.person, value)
    today = as_of.timestamp() / 86_400
    low, high = (laws.wait(fitted, data, share) for share in (0.1, 0.9))
    return Answers(data.person, today + value, today + low, today + high)


def _asked_about(
    prediction: Prediction,
    as_of: datetime,
    *,
    only: Sequence[int] | None = None,
    share: float = 1.0,
) -> Summary:
    """The histories of the people in the population, as they are at a moment."""
    orders = laws.read(as_of=as_of, only=only, share=share)
    data = summarise(orders, until=laws.last_day(as_of))
    population = definitions.read_population(prediction.population)
    return data.take(laws.among(population=population, person=data.person, at=as_of, only=only))


def told(*, prediction: Prediction, version: ModelVersion, asked: Asked) -> NDArray[np.float64]:
    """See `engines`. Days are counted by whole ones: what came on the moment's own is unseen."""
    fitted = registry.load(version, Laws.load)
    out = np.full(len(asked), np.nan)
    for moment in np.unique(asked.moment):
        rows = np.flatnonzero(asked.moment == moment)
        cut = laws.known_day(moment)
        orders = laws.read(as_of=laws.end_of(cut), only=asked.person[rows].tolist())
        data = summarise(orders, until=cut)
        said = hindsight.in_exam(prediction, fitted, data)
        known = Asked(data.person, np.full(len(data), moment))
        out[rows] = reading.beside(asked=asked.take(rows), known=known, values=said)
    return out


def glance(
    *, prediction: Prediction, version: ModelVersion, as_of: datetime, share: float = 1.0
) -> Glance:
    """See `engines`."""
    data = _asked_about(prediction, as_of, share=share)
    said = laws.say(prediction, registry.load(version, Laws.load), data)
    return Glance(hindsight.columns(data), said)


def matured(
    *, prediction: Prediction, version: ModelVersion, moment: datetime, share: float = 1.0
) -> Matured | None:
    """See `engines`.

    A day is not said of those who never order again, and nobody can see who has left. Both are
    held against who ordered within the horizon, which the same laws give a chance for.
    """
    fitted = registry.load(version, Laws.load)
    cut = laws.last_day(moment)
    end = cut + np.timedelta64(prediction.horizon_days, "D")
    at = laws.end_of(cut)
    data = _asked_about(prediction, at - timedelta(seconds=1), share=share)
    orders = laws.read(as_of=laws.end_of(end), share=share)
    count, money = bought_within(orders, data.person, after=cut, until=end)
    if definitions.target_of(prediction).type == "spend":
        return Matured(laws.undiscounted(prediction, fitted, data), money, chance=False)
    chance = fitted.forecast.order_chance(data, prediction.horizon_days / 7)
    more: dict[str, float] = {}
    if definitions.target_of(prediction).type == "next_order":
        first = hindsight.next_day(orders, data, cut, end)
        off = np.abs(hindsight.in_exam(prediction, fitted, data) - first)
        more = {"days_off": float(np.nanmean(off))} if np.isfinite(off).any() else {}
    return Matured(chance, (count > 0).astype(np.float64), chance=True, more=more)


def _unfit(unfit: Unfit) -> Invalid:
    facts = {"people": 0, "repeaters": 0, "needed": 0} | unfit.facts
    more = _("Import older orders, or wait until more people have come back.")
    if unfit.code in ("too_few_people", "too_few_repeaters"):
        text = _(
            "%(people)d people had bought by then and %(repeaters)d of them more than once;"
            " %(needed)d are needed."
        )
        return Invalid(text % facts, code=unfit.code, remedy=more)
    if unfit.code == "no_spread":
        return Invalid(_("All orders are worth the same."), code=unfit.code, remedy=more)
    return Invalid(_("No law of buying fits these orders."), code=unfit.code, remedy=more)

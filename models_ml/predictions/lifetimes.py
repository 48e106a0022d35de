"""What somebody will spend, whether they are still a customer, and when they order next.

The engine of predictions told from the rhythm of orders alone (see `algorithms/lifetime`). What it
says depends on the target: money (`spend`), the chance of not having left (`order`), or a date
(`next_order`). The laws are fitted one horizon before the data's now and judged by what came then.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from marketing.core.errors import Invalid
from models_ml import registry
from models_ml.algorithms import artifacts, metrics
from models_ml.algorithms.classify import Interval
from models_ml.algorithms.lifetime import forecast, likelihood
from models_ml.algorithms.lifetime.spend import GammaGamma
from models_ml.algorithms.lifetime.summary import (
    Purchases,
    Summary,
    bought_within,
    summarise,
)
from models_ml.algorithms.tabular import judging
from models_ml.models import ModelVersion, Prediction
from models_ml.predictions import definitions, gate, laws, planning
from models_ml.predictions.contests import PEOPLE, finite
from models_ml.predictions.engines import Answers, Report
from models_ml.predictions.laws import Laws

SEED = 20111209
RULES = {"spend": "last_value", "order": "recency", "next_order": "own_gap"}


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
    if target.type not in RULES:
        raise Invalid(
            _("The rhythm of orders says nothing about this target."), code="target_unsuited"
        )
    report(1, _("Reading everybody's orders"))
    orders = laws.read(as_of=as_of)
    plan = planning.moments(target=target, horizon=horizon, as_of=as_of)
    cut = laws.last_day(plan.judge)
    report(2, _("Fitting the laws of buying and trying them out on the past"))
    data = summarise(orders, until=cut)
    try:
        fitted = Laws(forecast.learn(orders, until=cut), GammaGamma.fit(data))
    except likelihood.Unfit as unfit:
        raise _unfit(unfit) from unfit
    said, rival, came = _exam(prediction, fitted, orders, data, cut, laws.last_day(as_of))
    known = np.isfinite(came)
    said, rival, came, person = said[known], rival[known], came[known], data.person[known]
    verdict = _judge(target.type, said, rival, came, person)
    people = data.person
    report(3, _("Storing the version"))

    def write(folder: Path) -> None:
        fitted.save(folder)
        artifacts.write_arrays(folder / PEOPLE, users=people)

    version = registry.save(
        name=prediction.key,
        algorithm="lifetime",
        write=write,
        params={"slope": fitted.forecast.slope, "floor": fitted.forecast.floor},
        metrics=finite(verdict.ours),
        baseline=finite(verdict.theirs) | {"rule": RULES[target.type]},
        data_from=plan.first,
        data_until=as_of,
        rows=len(orders.person),
        seed=SEED,
        seconds=round(time.monotonic() - began, 2),
        details=_details(prediction, fitted, plan.judge, verdict, len(people), came),
        job_id=job_id,
        now=now,
    )
    facts = {"gain": verdict.gain.as_json(), "baseline": RULES[target.type], "people": len(came)}
    return gate.decide(
        version=version,
        kind=prediction.kind,
        ok=verdict.gain.low > 0,
        code="better" if verdict.gain.low > 0 else "no_better_than_baseline",
        facts=facts,
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
    data = summarise(laws.read(as_of=as_of, only=only), until=laws.last_day(as_of))
    value = laws.say(prediction, fitted, data)
    if prediction.kind != Prediction.Kind.DATE:
        return Answers(data.person, value)
    today = as_of.timestamp() / 86_400
    low, high = (laws.wait(fitted, data, share) for share in (0.1, 0.9))
    return Answers(data.person, today + value, today + low, today + high)


def _exam(
    prediction: Prediction,
    fitted: Laws,
    orders: Purchases,
    data: Summary,
    cut: np.datetime64,
    end: np.datetime64,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """What is said, what the dull rule says, and what came (nan where that is not known)."""
    kind = definitions.target_of(prediction).type
    count, money = bought_within(orders, data.person, after=cut, until=end)
    if kind == "order":
        # Nobody can see who has left; that the laws are right is seen by who orders.
        chance = fitted.forecast.order_chance(data, prediction.horizon_days / 7)
        return chance, -(data.age - data.recency), (count > 0).astype(float)
    if kind == "spend":
        before = cut - np.timedelta64(prediction.horizon_days, "D")
        _count, earlier = bought_within(orders, data.person, after=before, until=cut)
        return laws.undiscounted(prediction, fitted, data), earlier, money
    first = _next_day(orders, data, cut, end)
    repeated = data.recency > 0
    usual = np.where(repeated, data.recency / np.maximum(data.repeats, 1), np.nan)
    usual = np.where(repeated, usual, np.nanmedian(usual) if repeated.any() else 1.0)
    rival = np.maximum(7 * (usual - (data.age - data.recency)), 1.0)
    # Of whoever ordered within the horizon: of the others the day is not known yet.
    return np.minimum(laws.say(prediction, fitted, data), prediction.horizon_days), rival, first


def _next_day(
    orders: Purchases, data: Summary, cut: np.datetime64, end: np.datetime64
) -> NDArray[np.float64]:
    """Days from the cut to the first purchase after it; nan without one."""
    out = np.full(len(data), np.nan)
    first, last = int(cut.astype(np.int64)), int(end.astype(np.int64))
    inside = (orders.day > first) & (orders.day <= last)
    who, day = orders.person[inside][::-1], orders.day[inside][::-1]
    place = np.searchsorted(data.person, who)
    place = np.minimum(place, max(len(data) - 1, 0))
    mine = data.person[place] == who if len(data) else np.empty(0, dtype=bool)
    # Backwards by day, so that the earliest is written last.
    out[place[mine]] = day[mine] - first
    return out


@dataclass(frozen=True)
class _Verdict:
    ours: dict[str, float]
    theirs: dict[str, float]
    gain: Interval


def _judge(
    kind: str,
    said: NDArray[np.float64],
    rival: NDArray[np.float64],
    came: NDArray[np.float64],
    person: NDArray[np.int64],
) -> _Verdict:
    if len(came) < likelihood.LEAST_PEOPLE or np.ptp(came) == 0:
        raise Invalid(
            _("Of %(people)d people nothing can be told apart.") % {"people": len(came)},
            code="too_few_later",
            remedy=_("Import more history, or choose another time to look ahead."),
        )
    if kind == "order":
        label = came > 0
        dull = {"auc": judging.auc_interval(label, rival, person).value}
        ours = judging.figures(label, np.clip(said, 1e-4, 1 - 1e-4), "chance")
        return _Verdict(ours, dull, judging.gain(label, said, rival, person, "chance"))
    if kind == "spend":
        ours, theirs = (judging.figures(came, s, "amount") for s in (said, rival))
        return _Verdict(ours, theirs, judging.gain(came, said, rival, person, "amount"))
    off, off_by_rule = np.abs(said - came), np.abs(rival - came)
    better = metrics.paired_difference(off_by_rule, off, seed=SEED)
    return _Verdict(
        {"days_off": float(off.mean()), "days_off_median": float(np.median(off))},
        {
            "days_off": float(off_by_rule.mean()),
            "days_off_median": float(np.median(off_by_rule)),
        },
        Interval(better.mean, better.low, better.high),
    )


def _details(
    prediction: Prediction,
    fitted: Laws,
    judged_at: datetime,
    verdict: _Verdict,
    people: int,
    came: NDArray[np.float64],
) -> dict[str, Any]:
    ok = verdict.gain.low > 0
    rule = RULES[definitions.target_of(prediction).type]
    return {
        "kind": "prediction",
        "engine": "lifetime",
        "target": prediction.target,
        "horizon_days": prediction.horizon_days,
        "population": prediction.population,
        "learned_at": [judged_at.isoformat()],
        "learned_people": people,
        "judged_at": judged_at.isoformat(),
        "judged_people": len(came),
        "later_in_time": True,
        "best": "lifetime",
        "models": [finite(one.as_json()) for one in fitted.forecast.models],
        "spend": finite(vars(fitted.spend)),
        "windows": [finite(vars(one)) for one in fitted.forecast.windows],
        "difference": finite(verdict.gain.as_json()),
        "verdict": {
            "ok": ok,
            "code": "better" if ok else "no_better_than_baseline",
            "facts": finite({"gain": verdict.gain.as_json(), "baseline": rule}),
        },
    }


def _unfit(unfit: likelihood.Unfit) -> Invalid:
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

"""What the laws of buying say of people in terms that can be judged, beside what came.

The engine (`lifetimes`) reads orders and versions, and asks here.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from numpy.typing import NDArray

from marketing.core.errors import Invalid
from models_ml.algorithms import metrics
from models_ml.algorithms.classify import Interval
from models_ml.algorithms.lifetime import likelihood
from models_ml.algorithms.lifetime.summary import Purchases, Summary, bought_within
from models_ml.algorithms.tabular import contest, judging
from models_ml.algorithms.tabular.contest import Row, Verdict
from models_ml.models import Prediction
from models_ml.predictions import definitions, duels, profiles
from models_ml.predictions.cards import finite
from models_ml.predictions.engines import laws
from models_ml.predictions.engines.laws import Laws

SEED = 20111209
RULES = {"spend": "last_value", "order": "recency", "next_order": "own_gap"}
TASKS = {"spend": "amount", "order": "chance", "next_order": "days"}
COLUMNS = {
    "repeats": gettext_lazy("orders after the first"),
    "silent_days": gettext_lazy("days since the last order"),
    "spend": gettext_lazy("usual value of an order"),
    "first": gettext_lazy("value of the first order"),
}
LAST_SECOND = np.timedelta64(86_399, "s")


def in_exam(prediction: Prediction, fitted: Laws, data: Summary) -> NDArray[np.float64]:
    """What is said in the terms that can be judged.

    Nobody can see who has left; that the laws are right is seen by who orders. A day is judged on
    whoever ordered within the horizon: of the others it is not known yet.
    """
    kind = definitions.target_of(prediction).type
    if kind == "order":
        return fitted.forecast.order_chance(data, prediction.horizon_days / 7)
    if kind == "spend":
        return laws.undiscounted(prediction, fitted, data)
    return np.minimum(laws.say(prediction, fitted, data), prediction.horizon_days)


def exam(
    prediction: Prediction,
    fitted: Laws,
    orders: Purchases,
    data: Summary,
    cut: np.datetime64,
    end: np.datetime64,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """What is said, what the dull rule says, and what came (nan where that is not known)."""
    kind = definitions.target_of(prediction).type
    said = in_exam(prediction, fitted, data)
    count, money = bought_within(orders, data.person, after=cut, until=end)
    if kind == "order":
        return said, -(data.age - data.recency), (count > 0).astype(float)
    if kind == "spend":
        before = cut - np.timedelta64(prediction.horizon_days, "D")
        _count, earlier = bought_within(orders, data.person, after=before, until=cut)
        return said, earlier, money
    first = next_day(orders, data, cut, end)
    repeated = data.recency > 0
    usual = np.where(repeated, data.recency / np.maximum(data.repeats, 1), np.nan)
    usual = np.where(repeated, usual, np.nanmedian(usual) if repeated.any() else 1.0)
    rival = np.maximum(7 * (usual - (data.age - data.recency)), 1.0)
    return said, rival, first


def next_day(
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
class Judged:
    """The lines of the table, and whether the first may speak."""

    ours: Row
    theirs: Row
    verdict: Verdict

    @property
    def table(self) -> list[dict[str, Any]]:
        return [
            finite(asdict(row) | {"gain": row.gain.as_json()}) for row in (self.ours, self.theirs)
        ]


def judge(
    kind: str,
    said: NDArray[np.float64],
    rival: NDArray[np.float64],
    came: NDArray[np.float64],
    person: NDArray[np.int64],
) -> Judged:
    if len(came) < likelihood.LEAST_PEOPLE or np.ptp(came) == 0:
        raise Invalid(
            _("Of %(people)d people nothing can be told apart.") % {"people": len(came)},
            code="too_few_later",
            remedy=_("Import more history, or choose another time to look ahead."),
        )
    rule, task = RULES[kind], TASKS[kind]
    if task == "chance":
        label = came > 0
        ours = judging.figures(label, np.clip(said, 1e-4, 1 - 1e-4), "chance")
        theirs = {"auc": judging.auc_interval(label, rival, person).value}
        gain = judging.gain(label, said, rival, person, "chance")
    elif task == "amount":
        ours, theirs = (judging.figures(came, s, "amount") for s in (said, rival))
        gain = judging.gain(came, said, rival, person, "amount")
    else:
        off, off_by_rule = np.abs(said - came), np.abs(rival - came)
        ours, theirs = (
            {"days_off": float(one.mean()), "days_off_median": float(np.median(one))}
            for one in (off, off_by_rule)
        )
        better = metrics.paired_difference(off_by_rule, off, seed=SEED)
        gain = Interval(better.mean, better.low, better.high)
    row = Row("lifetime", ours, {}, gain, 0.0, "plain")
    beside = Row(rule, theirs, {}, Interval(0.0, 0.0, 0.0), 0.0, "plain", is_baseline=True)
    rate = float(np.mean(came > 0))
    verdict = contest.verdict(row, rule, came, rate, "chance" if task == "chance" else "amount")
    if task == "days":
        verdict.facts["measure"] = "days_off"
    return Judged(row, beside, verdict)


def details(
    prediction: Prediction,
    fitted: Laws,
    judged_at: datetime,
    judged: Judged,
    people: int,
    judged_on: int,
    now: Summary,
) -> dict[str, Any]:
    verdict = judged.verdict
    return {
        "kind": "prediction",
        "engine": "lifetime",
        **duels.question_of(prediction),
        "learned_at": [judged_at.isoformat()],
        "learned_people": people,
        "judged_at": judged_at.isoformat(),
        "judged_people": judged_on,
        "later_in_time": True,
        "best": "lifetime",
        "table": judged.table,
        "models": [finite(one.as_json()) for one in fitted.forecast.models],
        "spend": finite(vars(fitted.spend)),
        "windows": [finite(vars(one)) for one in fitted.forecast.windows],
        "difference": finite(judged.ours.gain.as_json()),
        "verdict": {"ok": verdict.ok, "code": verdict.code, "facts": finite(verdict.facts)},
        "features": {name: {"meaning": str(text)} for name, text in COLUMNS.items()},
        "profile": _profile(prediction, fitted, now),
    }


def _profile(prediction: Prediction, fitted: Laws, data: Summary) -> dict[str, Any]:
    """People as they are at the training: a shop's people grow older until the next one anyway."""
    x = columns(data)
    said = laws.say(prediction, fitted, data)
    return profiles.of(x=x, said=said, columns=list(x.columns))


def columns(data: Summary) -> pd.DataFrame:
    """What drift compares. How long people are known is left out: it only ever grows."""
    return pd.DataFrame(
        {
            "repeats": data.repeats,
            "silent_days": 7 * (data.age - data.recency),
            "spend": data.spend,
            "first": data.first,
        }
    )

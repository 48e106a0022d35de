"""People with what was known of them and what became of them, dealt into two halves.

The judging half is looked at once a person, at the latest moment whose outcome is known. The other
half is looked at earlier, at up to six moments; where the history has no earlier moment, or the
question is of now, both are looked at together.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models_ml.algorithms import tree as trees
from models_ml.algorithms.tree import Sample
from models_ml.explorer import columns
from models_ml.explorer.columns import Spec
from models_ml.explorer.questions import Question
from models_ml.features import labels, reading, registry, targets
from models_ml.features.compiler import Population
from models_ml.features.reading import Asked, Values
from models_ml.features.registry import Feature
from models_ml.features.targets import Target
from models_ml.predictions import planning
from models_ml.predictions.engines import samples

# Ids of the people in a segment now; given by whoever knows segments.
Members = Callable[[int], NDArray[np.int64]]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Drawn:
    """`structure` chooses the questions, `judge` tells the rates.

    `rival` (n of judge) ranks people by the dull rule named `rule`, low is likely. `spent` (n) is
    the money they spent in the time looked at, nan where there are no orders.
    """

    structure: Sample
    judge: Sample
    rival: Floats
    rule: str
    spent: Floats
    specs: list[Spec]
    left_out: list[dict[str, str]]
    learned_at: tuple[datetime, ...]
    judged_at: datetime
    data_from: datetime | None
    by_time: bool


@dataclass(frozen=True)
class Asking:
    """The question with its time, people and wishes, as `draw` takes it."""

    question: Question
    horizon: timedelta
    population: Population
    without: tuple[str, ...]
    allow: tuple[str, ...]
    seed: int


def draw(*, asking: Asking, as_of: datetime, members: Members) -> Drawn:
    """Everything a tree for this question needs, as known at `as_of`."""
    as_of = as_of.replace(microsecond=0)
    if asking.question.timeless:
        return _now(asking, as_of, members)
    if asking.question.target is not None and asking.question.target.own_moments:
        return _answers(asking, as_of)
    return _later(asking, as_of)


def read(
    *, specs: list[Spec], population: Population, as_of: datetime, known: str = ""
) -> tuple[Any, Floats]:
    """Person ids and their columns (n, f) at a moment; `known` leaves those of whom that property
    is known.
    """
    values = reading.read(
        features=[columns.feature(s) for s in specs], population=population, cuts=[as_of], levels={}
    )
    person, x = values.asked.person, _matrix(values, len(specs))
    if known:
        told = np.isin(person, targets.whose(attribute=known))
        person, x = person[told], x[told]
    return person, x


def _matrix(values: Values, width: int) -> Floats:
    return np.ascontiguousarray(values.x.to_numpy(dtype=np.float64)[:, :width])


def _later(asking: Asking, as_of: datetime) -> Drawn:
    """What happens within the horizon after a moment."""
    target = asking.question.target
    assert target is not None
    plan = planning.moments(target=target, horizon=asking.horizon, as_of=as_of)
    specs, left_out = columns.choose(since=plan.cuts[0], without=asking.without, allow=asking.allow)
    rule, extra, sign = _rival(target)
    shared = Population(
        asking.population.who,
        asking.population.least_orders,
        asking.population.ordered_within_days,
        planning.share(moments=len(plan.cuts)),
    )
    values = reading.read(
        features=[*(columns.feature(s) for s in specs), *extra],
        population=shared,
        cuts=plan.cuts,
        levels={},
    )
    person, x = values.asked.person, _matrix(values, len(specs))
    label = labels.of(target=target, asked=values.asked, horizon=asking.horizon) > 0
    half = trees.halves(person, asking.seed)
    latest = values.asked.moment == reading.as_moment(plan.judge)
    judged = latest & half
    learned = ~half & (~latest if plan.earlier else latest)
    return Drawn(
        structure=Sample(x[learned], label[learned], person[learned]),
        judge=Sample(x[judged], label[judged], person[judged]),
        rival=_ranked(values, extra, sign)[judged],
        rule=rule,
        spent=_spent(values.asked.take(judged), asking.horizon),
        specs=specs,
        left_out=left_out,
        learned_at=plan.earlier or (plan.judge,),
        judged_at=plan.judge,
        data_from=plan.first,
        by_time=bool(plan.earlier),
    )


def _answers(asking: Asking, as_of: datetime) -> Drawn:
    """Mails sent: all of one half's are learned from, the latest of each of the others' judged."""
    target = asking.question.target
    assert target is not None
    sent = samples.mails(target=target, horizon=asking.horizon, as_of=as_of)
    until, asked = as_of - asking.horizon, sent.asked
    first = reading.as_datetime(asked.moment.min())
    specs, left_out = columns.choose(since=first, without=asking.without, allow=asking.allow)
    rule, extra, sign = _rival(target)
    values = reading.read(
        features=[*(columns.feature(s) for s in specs), *extra],
        population=Population(who="everyone"),
        pairs=asked,
        levels={},
    )
    person, x = values.asked.person, _matrix(values, len(specs))
    seconds = values.asked.moment.astype("datetime64[s]").astype(np.int64)
    label = sent.beside(values.asked) > 0
    half = trees.halves(person, asking.seed)
    newest = np.zeros(len(person), np.bool_)
    order = np.lexsort((seconds, person))
    last = np.r_[person[order][1:] != person[order][:-1], True] if len(order) else order
    newest[order[last]] = True
    judged, learned = half & newest, ~half
    return Drawn(
        structure=Sample(x[learned], label[learned], person[learned]),
        judge=Sample(x[judged], label[judged], person[judged]),
        rival=_ranked(values, extra, sign)[judged],
        rule=rule,
        spent=_spent(values.asked.take(judged), asking.horizon),
        specs=specs,
        left_out=left_out,
        learned_at=(first,),
        judged_at=until,
        data_from=first,
        by_time=False,
    )


def _now(asking: Asking, as_of: datetime, members: Members) -> Drawn:
    """Who is or has something now: in a segment, or with a property that has no history."""
    target, without = asking.question.target, list(asking.without)
    if target is not None:
        without.append(f"attribute:{target.attribute}")
        without += [name for name in columns.PERSON if name == target.attribute]
    specs, left_out = columns.choose(since=None, without=without, known=asking.question.known)
    last_year = columns.feature({"name": "spent", "of": "money", "days": 365})
    values = reading.read(
        features=[*(columns.feature(s) for s in specs), last_year],
        population=asking.population,
        cuts=[as_of],
        levels={},
    )
    person, x = values.asked.person, _matrix(values, len(specs))
    spent = values.x["spent"].to_numpy(dtype=np.float64)
    if not spent.any():
        spent = np.full(len(person), np.nan)
    if target is not None:
        people, holds = targets.at_once(target=target)
        known = np.isin(person, people)
        person, x, spent = person[known], x[known], spent[known]
        label = np.isin(person, people[holds])
        left_out = [
            {**one, "why": "target"} if one["column"].endswith(target.attribute) else one
            for one in left_out
        ]
    else:
        assert asking.question.segment is not None
        label = np.isin(person, members(asking.question.segment))
    half = trees.halves(person, asking.seed)
    return Drawn(
        structure=Sample(x[~half], label[~half], person[~half]),
        judge=Sample(x[half], label[half], person[half]),
        rival=np.zeros(int(half.sum())),
        rule="base_rate",
        spent=spent[half],
        specs=specs,
        left_out=left_out,
        learned_at=(as_of,),
        judged_at=as_of,
        data_from=None,
        by_time=False,
    )


def _spent(asked: Asked, horizon: timedelta) -> Floats:
    return labels.of(target=Target("spend"), asked=asked, horizon=horizon)


def _rival(target: Target) -> tuple[str, list[Feature], float]:
    """The dull rule, the feature it ranks by, and 1 where a low value makes a yes likely."""
    if target.event:
        rule, known = "event_recency", registry.of_event(name=target.event, number=99)[-1]
    elif target.own_moments:
        rule = "answered_before"
        known = registry.BY_NAME["clicks_90d" if target.by == "click" else "opens_90d"]
    else:
        rule, known = "recency", registry.BY_NAME["recency_days"]
    sign = -1.0 if target.own_moments or target.type in ("no_order", "no_event") else 1.0
    return rule, [replace(known, name="rival")], sign


def _ranked(values: Values, extra: list[Feature], sign: float) -> Floats:
    last = values.x.to_numpy(dtype=np.float64)[:, -len(extra) :][:, 0]
    # Somebody who never did it is last.
    return sign * np.nan_to_num(last, nan=1e6)

"""People at moments with what was known then and what came after: what a contest takes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from marketing.core.errors import Invalid
from models_ml.algorithms.tabular.baseline import Baseline
from models_ml.algorithms.tabular.frame import Frame
from models_ml.features import labels, reading, sendings, sequences, targets
from models_ml.features.compiler import Population
from models_ml.features.reading import Asked, Values
from models_ml.features.sendings import Sendings
from models_ml.features.targets import Target
from models_ml.predictions import planning
from models_ml.predictions.definitions import Wishes

LATER_SHARE = 0.25
SENT_WITHIN = timedelta(days=730)


@dataclass(frozen=True)
class Sample:
    """`train` is learned from, `later` only judged on; `specs` name the features of both.

    `by_time` says whether `later` lies after everything in `train`; else they are other people.
    """

    train: Frame
    later: Frame
    specs: list[dict[str, Any]]
    dropped: list[dict[str, str]]
    levels: dict[str, Sequence[str]]
    learned_at: tuple[datetime, ...]
    judged_at: datetime
    data_from: datetime | None
    by_time: bool


def draw(
    *,
    target: Target,
    horizon: timedelta,
    population: Population,
    wishes: Wishes,
    as_of: datetime,
) -> Sample:
    """Everything a training of this target needs, as known at `as_of`."""
    if target.timeless:
        return _timeless(target, wishes, as_of)
    if target.own_moments:
        return _answers(target, horizon, population, wishes, as_of)
    plan = planning.moments(target=target, horizon=horizon, as_of=as_of)
    specs, dropped = planning.specs(
        target=target, wishes=wishes, first=plan.cuts[0], steady_from=plan.cuts[0]
    )
    features = planning.features_of(specs)
    levels = _levels(features)
    asked = Population(
        population.who,
        population.least_orders,
        population.ordered_within_days,
        planning.share(moments=len(plan.cuts)),
    )
    values = reading.read(features=features, population=asked, cuts=plan.cuts, levels=levels)
    y = labels.of(target=target, asked=values.asked, horizon=horizon)
    frame, rows = _frame(values, y, target), np.isfinite(y)
    later = frame.moment == reading.as_moment(plan.judge)
    by_time = bool(plan.earlier) and bool((rows & ~later).any())
    if not by_time:
        # No earlier moment to learn at: some people are learned from, others judged on.
        later = kept_back(frame.person)
    return Sample(
        train=frame.take(rows & ~later),
        later=frame.take(rows & later),
        specs=specs,
        dropped=dropped,
        levels=levels,
        learned_at=plan.earlier or (plan.judge,),
        judged_at=plan.judge,
        data_from=plan.first,
        by_time=by_time,
    )


def with_events(sample: Sample) -> Sample:
    """The same with what everybody did before their moment, for models that read it."""

    def beside(frame: Frame) -> Frame:
        if frame.events is not None:
            return frame
        events = sequences.read(asked=Asked(frame.person, frame.moment))
        return replace(frame, events=events)

    return replace(sample, train=beside(sample.train), later=beside(sample.later))


def kept_back(person: np.ndarray) -> np.ndarray:
    """A quarter of the people, the same ones in every training."""
    mixed = person.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return (mixed >> np.uint64(40)) / float(1 << 24) < LATER_SHARE


def _levels(features: Any) -> dict[str, Sequence[str]]:
    return {name: list(known) for name, known in reading.levels_of(features=features).items()}


def _frame(values: Values, y: np.ndarray, target: Target) -> Frame:
    answer = (y > 0) if target.kind == targets.CHANCE else y
    return Frame(values.x, answer, values.asked.person, values.asked.moment)


def _timeless(target: Target, wishes: Wishes, as_of: datetime) -> Sample:
    """Everyone of whom the property is known, as of now: judged on other people, not later ones."""
    whose, answer = targets.at_once(target=target)
    if not len(whose):
        raise Invalid(
            _("Nobody has the property “%(name)s”.") % {"name": target.attribute},
            code="attribute_unseen",
            field="target.attribute",
            remedy=_("Import it with your people, or choose another one. Nothing was changed."),
        )
    specs, dropped = planning.specs(target=target, wishes=wishes, first=as_of, steady_from=as_of)
    features = planning.features_of(specs)
    levels = _levels(features)
    at = reading.as_moment(as_of)
    asked = Asked(whose, np.full(len(whose), at))
    values = reading.read(
        features=features, population=Population(who="everyone"), pairs=asked, levels=levels
    )
    place = np.searchsorted(whose, values.asked.person)
    frame = _frame(values, answer[place].astype(np.float64), target)
    later = kept_back(frame.person)
    return Sample(
        frame.take(~later), frame.take(later), specs, dropped, levels, (as_of,), as_of, None, False
    )


def _answers(
    target: Target, horizon: timedelta, population: Population, wishes: Wishes, as_of: datetime
) -> Sample:
    """Mails sent: the latest quarter is judged on, earlier ones answered by then learned from."""
    as_of = as_of.replace(microsecond=0)
    sent = mails(target=target, horizon=horizon, as_of=as_of)
    moment = sent.asked.moment
    cut = moment[int(len(moment) * (1 - LATER_SHARE))]
    first = reading.as_datetime(moment[0])
    specs, dropped = planning.specs(target=target, wishes=wishes, first=first, steady_from=first)
    features = planning.features_of(specs)
    levels = _levels(features)
    values = reading.read(features=features, population=population, pairs=sent.asked, levels=levels)
    frame = _frame(values, sent.beside(values.asked), target)
    later = frame.moment >= cut
    known = frame.moment + np.timedelta64(int(horizon.total_seconds()), "s") <= cut
    by_time = bool(known.any())
    if not by_time:
        later = kept_back(frame.person)
        known = ~later
    return Sample(
        train=frame.take(known & ~later),
        later=frame.take(later),
        specs=specs,
        dropped=dropped,
        levels=levels,
        learned_at=(first,),
        judged_at=reading.as_datetime(cut),
        data_from=first,
        by_time=by_time,
    )


def mails(*, target: Target, horizon: timedelta, as_of: datetime) -> Sendings:
    """The mails to learn answers from; Invalid when none was sent long enough ago."""
    sent = sendings.read(
        target=target,
        since=as_of - SENT_WITHIN,
        until=as_of - horizon,
        horizon=horizon,
        most=planning.MOST_ROWS,
    )
    if not len(sent):
        raise Invalid(
            _("No mail was sent long enough ago to know who answered it."),
            code="no_mails",
            remedy=_("Send a campaign and wait %(days)d days. Nothing was changed.")
            % {"days": horizon.days},
        )
    return sent


def baseline_of(target: Target, horizon: timedelta, columns: Any) -> Baseline:
    """The rule anybody could apply without a model, for this target."""
    days = float(horizon.days)

    def column(x: Any, name: str) -> np.ndarray:
        return (
            np.asarray(x[name], dtype=np.float64) if name in x.columns else np.full(len(x), np.nan)
        )

    def filled(x: Any, name: str) -> np.ndarray:
        return np.nan_to_num(column(x, name), nan=0.0)

    known = set(columns)
    if target.type in ("order", "spend_over") and "recency_days" in known:
        return Baseline("recency", lambda x: -column(x, "recency_days"))
    if target.type == "no_order" and "recency_days" in known:
        return Baseline("recency", lambda x: np.nan_to_num(column(x, "recency_days"), nan=1e6))
    if target.type == "spend" and "revenue_365d" in known:
        window = "revenue_90d" if days <= 90 else "revenue_365d"
        per = 90.0 if days <= 90 else 365.0
        return Baseline("last_value", lambda x: filled(x, window) * days / per)
    if target.type == "order_value" and "avg_order_value" in known:
        return Baseline("own_average", lambda x: filled(x, "avg_order_value"))
    if target.event and "event_0_days" in known:
        sign = -1.0 if target.type == "event" else 1.0
        return Baseline(
            "event_recency",
            lambda x: sign * np.nan_to_num(column(x, "event_0_days"), nan=1e6),
        )
    if target.own_moments and {"clicks_90d", "opens_90d"} <= known:
        return Baseline(
            "answered_before", lambda x: filled(x, "clicks_90d") + filled(x, "opens_90d") / 100
        )
    return Baseline("base_rate", lambda x: np.zeros(len(x)))

"""How a recommender comes to be: choose on one window, judge on the next, refit on everything.

All engines sit the same exam. The last 30 days of the data are for judging, the 30 before them for
choosing parameters, and only people with an earlier purchase are asked about. The rule is that
of the picks themselves: products a person already bought are neither proposed nor counted, and
every other product of the catalogue competes (no sampled negatives). What the figures would be
with repeats allowed is noted beside them.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from marketing.core.errors import Invalid
from models_ml import catalog, choosing, interactions, lab, registry
from models_ml.algorithms import metrics
from models_ml.algorithms.data import Interactions, Split, Truth, split_by_time, truth_of
from models_ml.choosing import CHOSEN, JUDGED, WHOLE, Report
from models_ml.models import ModelVersion

K = 10
WINDOW_DAYS = 30
LEAST_PEOPLE = 30
SEED = 20111209


@dataclass(frozen=True)
class Exam:
    """The same questions for every engine: the data, its split, and the right answers."""

    data: Interactions
    split: Split
    choosing: Truth
    judging: Truth
    with_repeats: Truth
    # Engines as they were fitted for this exam, by name: choosing, judging and for good.
    fitted: dict[str, list[Any]] = field(default_factory=dict)
    # What came of engines that were judged already, by engine.
    judged: dict[str, metrics.Ranking] = field(default_factory=dict)

    def told(self, names: tuple[str, ...], part: str) -> dict[str, Any]:
        """What was known beside purchases when that part of the history ended."""
        ends = {
            CHOSEN: self.split.validation_from,
            JUDGED: self.split.test_from,
            WHOLE: self.split.until,
        }
        return interactions.facts(*names, as_of=_moment(ends[part])) if names else {}

    def validate(self, model: Any) -> float:
        """NDCG@10 on the validation window; the figure parameters are chosen by."""
        return float(self._answer(model, self.choosing, skip_seen=True).ndcg.mean())

    def judge(self, model: Any) -> metrics.Ranking:
        return self._answer(model, self.judging, skip_seen=True)

    def judge_with_repeats(self, model: Any) -> metrics.Ranking:
        return self._answer(model, self.with_repeats, skip_seen=False)

    def _answer(self, model: Any, truth: Truth, *, skip_seen: bool) -> metrics.Ranking:
        picks, _scores = model.recommend(truth.users, K, skip_seen=skip_seen)
        return metrics.ranking(truth, picks, K)

    @cached_property
    def groups(self) -> lab.Groups:
        """Groups of the people judged, as they stood when the window began."""
        return lab.groups_of(self.judging.users, self.split.before_test, self.split.test_from)

    @property
    def facts(self) -> dict[str, Any]:
        """What a reader must know to compare figures: the windows, the people, the rule."""
        return {
            "validation_from": _iso(self.split.validation_from),
            "test_from": _iso(self.split.test_from),
            "until": _iso(self.split.until),
            "people": len(self.judging.users),
            "purchases": len(self.judging.item),
            "catalogue": len(self.split.before_test.items),
            "rule": "new_products",
        }


def prepare(*, as_of: datetime) -> Exam:
    """Read the history before `as_of` and cut it by time. Refuses data too small to judge on."""
    data = interactions.read(as_of=as_of)
    until = np.datetime64(as_of.astimezone(UTC).replace(tzinfo=None), "s")
    split = split_by_time(data, until=until, test_days=WINDOW_DAYS, validation_days=WINDOW_DAYS)
    before = split.before_test
    exam = Exam(
        data=data,
        split=split,
        choosing=truth_of(split.validation, split.train, skip_seen=True),
        judging=truth_of(split.test, before, skip_seen=True),
        with_repeats=truth_of(split.test, before, skip_seen=False),
    )
    people = min(len(exam.choosing.users), len(exam.judging.users))
    if people < LEAST_PEOPLE:
        raise Invalid(
            _("There are too few orders to learn from: only %(people)d people with an earlier "
              "order bought something new in the last two months.") % {"people": people},
            code="too_few_people",
            remedy=_("At least %(least)d in each of the last two periods of 30 days are needed. "
                     "Nothing was changed.") % {"least": LEAST_PEOPLE},
        )  # fmt: skip
    return exam


def train(
    *,
    name: str,
    exam: Exam,
    baseline: metrics.Ranking | None,
    now: datetime,
    job_id: int | None = None,
    report: Report | None = None,
) -> tuple[ModelVersion, metrics.Ranking]:
    """Choose, judge, refit and store one engine; publish it when it beats the baseline and what
    its entry names.

    `baseline` is the judged popularity on the same exam, None for popularity itself. `report(done,
    total)` is called as work goes on and may raise to stop it; then nothing is stored.
    """
    began = time.monotonic()
    entry = catalog.BY_NAME[name]
    chosen = choosing.choose(entry, exam, report or choosing.silent, job_id)
    judged = chosen.fit(exam.split.before_test, JUDGED)
    figures, repeats = exam.judge(judged), exam.judge_with_repeats(judged)
    model = chosen.fit(exam.data, WHOLE)
    exam.fitted[name] = [chosen.model, judged, model]
    seconds = round(time.monotonic() - began, 2)
    gap = metrics.paired_difference(figures.ndcg, baseline.ndcg, seed=SEED) if baseline else None
    worse = _beaten_by(entry, exam, figures, baseline)
    told = lab.report(
        figures,
        truth=exam.judging,
        history=exam.split.before_test,
        others=exam.judged,
        groups=exam.groups,
    )
    exam.judged[entry.engine] = figures
    span = exam.data.span
    version = registry.save(
        name=name,
        algorithm=entry.engine,
        write=model.save,
        params=asdict(model.params),
        metrics=figures.figures,
        baseline=baseline.figures if baseline else figures.figures,
        data_from=_moment(span[0]),
        data_until=_moment(span[1]),
        rows=len(exam.data),
        seed=getattr(model.params, "seed", 0),
        seconds=seconds,
        details={
            "kind": "recommender",
            "engine": entry.engine,
            "metric": entry.metric,
            "split": exam.facts,
            "difference": gap.as_dict() if gap else None,
            "with_repeats": repeats.figures,
            "lab": told,
            **chosen.details,
        },
        job_id=job_id,
        now=now,
    )
    if worse is None:
        return registry.promote(version=version), figures
    # An older live version was judged on older data; now that another is the better, it goes.
    old = registry.live(name)
    if old is not None:
        registry.retire(version=old)
    return registry.refuse(version=version, why=worse), figures


def _beaten_by(
    entry: catalog.Entry, exam: Exam, ours: metrics.Ranking, baseline: metrics.Ranking | None
) -> Callable[[], str] | None:
    """Says why an engine is not published; None where it beats popularity and what else it must."""
    if baseline is None:
        return None
    rivals = {catalog.BASELINE: baseline}
    if entry.gate != catalog.BASELINE:
        rivals[entry.gate] = exam.judged[catalog.BY_NAME[entry.gate].engine]
    for name, theirs in rivals.items():
        gap = metrics.paired_difference(ours.ndcg, theirs.ndcg, seed=SEED)
        if gap.low <= 0:
            return partial(_why_refused, name, ours, theirs, gap)
    return None


def _why_refused(
    name: str, ours: metrics.Ranking, theirs: metrics.Ranking, gap: metrics.Difference
) -> str:
    figures = {
        "ours": ours.ndcg.mean(),
        "theirs": theirs.ndcg.mean(),
        "gap": gap.mean,
        "low": gap.low,
        "high": gap.high,
    }
    if name != catalog.BASELINE:
        return _(
            "On the last 30 days it was not reliably better than “%(other)s”: NDCG@10 %(ours).4f "
            "against %(theirs).4f, a difference of %(gap)+.4f (95%% interval %(low)+.4f to "
            "%(high)+.4f)."
        ) % {**figures, "other": catalog.BY_NAME[name].title}
    return (
        _(
            "On the last 30 days it was not reliably better than popularity: NDCG@10 %(ours).4f "
            "against %(theirs).4f, a difference of %(gap)+.4f (95%% interval %(low)+.4f to "
            "%(high)+.4f)."
        )
        % figures
    )


def _moment(value: Any) -> datetime:
    return datetime.fromtimestamp(int(value.astype("int64")), tz=UTC)


def _iso(value: Any) -> str:
    return _moment(value).isoformat()

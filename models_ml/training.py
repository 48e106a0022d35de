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
from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from marketing.core.errors import Invalid
from models_ml import catalog, interactions, registry
from models_ml.algorithms import metrics
from models_ml.algorithms.data import Interactions, Split, Truth, split_by_time, truth_of
from models_ml.models import ModelVersion

K = 10
WINDOW_DAYS = 30
LEAST_PEOPLE = 30
SEED = 20111209

Report = Callable[[int, int], None]


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
    """Choose, judge, refit and store one engine; publish it when it beats the baseline.

    `baseline` is the judged popularity on the same exam, None for popularity itself. `report(done,
    total)` is called as work goes on and may raise to stop it; then nothing is stored.
    """
    began = time.monotonic()
    entry = catalog.BY_NAME[name]
    chosen = _choose(entry, exam, report or _silent)
    judged = chosen.fit(exam.split.before_test)
    figures, repeats = exam.judge(judged), exam.judge_with_repeats(judged)
    model = chosen.fit(exam.data)
    if not entry.by_epochs and not entry.members:
        exam.fitted[name] = [chosen.model, judged, model]
    seconds = round(time.monotonic() - began, 2)
    gap = metrics.paired_difference(figures.ndcg, baseline.ndcg, seed=SEED) if baseline else None
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
            **chosen.details,
        },
        job_id=job_id,
        now=now,
    )
    if baseline is None or gap is None or gap.low > 0:
        return registry.promote(version=version), figures
    # An older live version was judged on older data; now that popularity is the better, it goes.
    old = registry.live(name)
    if old is not None:
        registry.retire(version=old)
    return registry.refuse(version=version, reason=_why_refused(figures, baseline, gap)), figures


def _why_refused(ours: metrics.Ranking, theirs: metrics.Ranking, gap: metrics.Difference) -> str:
    return _(
        "On the last 30 days it was not reliably better than popularity: NDCG@10 %(ours).4f "
        "against %(theirs).4f, a difference of %(gap)+.4f (95%% interval %(low)+.4f to "
        "%(high)+.4f)."
    ) % {
        "ours": ours.ndcg.mean(),
        "theirs": theirs.ndcg.mean(),
        "gap": gap.mean,
        "low": gap.low,
        "high": gap.high,
    }


def _silent(done: int, total: int) -> None:
    """The report of nobody."""


@dataclass
class _Chosen:
    """Parameters that won on the validation window, and the fits still to come with them."""

    entry: catalog.Entry
    params: dict[str, Any]
    details: dict[str, Any]
    report: Report
    epochs: int = 0
    done: int = 0
    model: Any = None
    ready: list[Any] = field(default_factory=list)

    def fit(self, data: Interactions) -> Any:
        if self.ready:
            return self.ready.pop(0)
        model = self.entry.build(self.params)
        if not self.epochs:
            return model.fit(data)
        return model.fit(data, epochs=self.epochs, on_epoch=self._count)

    def _count(self, _epoch: Any) -> None:
        self.done += 1
        self.report(self.done, self.details["epochs_in_all"])


def _choose(entry: catalog.Entry, exam: Exam, report: Report) -> _Chosen:
    if entry.by_epochs:
        return _choose_epochs(entry, exam, report)
    if entry.members:
        return _choose_weights(entry, exam, report)
    scores, models = [], []
    for done, params in enumerate(entry.choices):
        report(done, len(entry.choices))
        models.append(entry.build(params).fit(exam.split.train))
        scores.append(exam.validate(models[-1]))
    report(len(entry.choices), len(entry.choices))
    tried = [
        {"params": params, "ndcg@10": round(score, 6)}
        for params, score in zip(entry.choices, scores, strict=True)
    ]
    best = int(np.argmax(scores))
    return _Chosen(entry, entry.choices[best], {"tried": tried}, report, model=models[best])


def _choose_weights(entry: catalog.Entry, exam: Exam, report: Report) -> _Chosen:
    """Weigh the members where parameters are chosen; members are fitted once for each part."""
    total = len(entry.members) + len(entry.choices)
    for done, name in enumerate(entry.members):
        report(done, total)
        if name not in exam.fitted:
            exam.fitted[name] = _fit_again(catalog.BY_NAME[name], exam)
    parts = [
        {catalog.BY_NAME[name].engine: exam.fitted[name][part] for name in entry.members}
        for part in range(3)
    ]
    blends, scores = [], []
    for done, params in enumerate(entry.choices, start=len(entry.members)):
        report(done, total)
        blends.append(entry.build(params))
        scores.append(blends[-1].weigh(parts[0], exam.choosing))
    best = int(np.argmax(scores))
    weights = blends[best].weights
    details = {
        "tried": [
            {"params": params, "ndcg@10": round(score, 6), "weights": blend.weights}
            for params, score, blend in zip(entry.choices, scores, blends, strict=True)
        ],
        "weights": weights,
    }
    params = entry.choices[best]
    ready = [entry.build(params).of(members, weights) for members in parts[1:]]
    return _Chosen(entry, params, details, report, ready=ready)


def _fit_again(entry: catalog.Entry, exam: Exam) -> list[Any]:
    """A member whose training was done before a crash: fitted as its stored version was."""
    stored = ModelVersion.objects.filter(name=entry.name).order_by("-version").first()
    params = stored.params if stored is not None else entry.choices[0]
    parts = (exam.split.train, exam.split.before_test, exam.data)
    return [entry.build(params).fit(part) for part in parts]


def _choose_epochs(entry: catalog.Entry, exam: Exam, report: Report) -> _Chosen:
    """Train on the earlier part with early stop; the best epoch is how long later fits run."""
    params = entry.choices[0]
    model = entry.build(params)
    most = 3 * model.params.epochs
    model.fit(
        exam.split.train, judge=exam.validate, on_epoch=lambda epoch: report(epoch.number, most)
    )
    ran, best = len(model.history.epochs), max(1, model.history.best_epoch)
    details = {
        "history": model.history.as_dict(),
        "epochs": best,
        "epochs_in_all": ran + 2 * best,
    }
    return _Chosen(entry, params, details, report, epochs=best, done=ran)


def _moment(value: Any) -> datetime:
    return datetime.fromtimestamp(int(value.astype("int64")), tz=UTC)


def _iso(value: Any) -> str:
    return _moment(value).isoformat()

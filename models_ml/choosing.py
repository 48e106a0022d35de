"""How an engine's parameters are chosen, and the fits that follow: one way for each sort of engine.

Most try a few parameters on the earlier part; engines that learn in epochs find out how many; a
blend weighs engines that were fitted before it, and a ranker learns what to do with its candidates.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from models_ml import catalog, sittings
from models_ml.algorithms.data import Interactions
from models_ml.models import ModelVersion

if TYPE_CHECKING:
    from models_ml.training import Exam

# The three fits of an engine: to choose by, to be judged, and to serve.
CHOSEN, JUDGED, WHOLE = "chosen", "judged", "whole"

Report = Callable[[int, int], None]


def silent(done: int, total: int) -> None:
    """The report of nobody."""


@dataclass
class Chosen:
    """Parameters that won on the validation window, and the fits still to come with them."""

    entry: catalog.Entry
    params: dict[str, Any]
    details: dict[str, Any]
    report: Report
    exam: "Exam"
    job_id: int | None = None
    epochs: int = 0
    done: int = 0
    model: Any = None
    ready: list[Any] = field(default_factory=list)

    def fit(self, data: Interactions, part: str) -> Any:
        if self.ready:
            return self.ready.pop(0)
        model = self.entry.build(self.params)
        if not self.epochs:
            return model.fit(data, **self.exam.told(self.entry.reads, part))
        done = self.done
        self.done += self.epochs
        whole = self.details["epochs_in_all"]
        return model.fit(
            data,
            epochs=self.epochs,
            on_epoch=lambda epoch: self.report(done + epoch.number, whole),
            keep=sittings.keep(job_id=self.job_id, name=self.entry.name, part=part),
            **self.exam.told(self.entry.reads, part),
        )


def choose(entry: catalog.Entry, exam: "Exam", report: Report, job_id: int | None) -> Chosen:
    if entry.by_epochs:
        return _choose_epochs(entry, exam, report, job_id)
    if entry.members:
        return _choose_weights(entry, exam, report, job_id)
    if entry.ranks:
        return _choose_order(entry, exam, report, job_id)
    scores, models = [], []
    facts = exam.told(entry.reads, CHOSEN)
    for done, params in enumerate(entry.choices):
        report(done, len(entry.choices))
        models.append(entry.build(params).fit(exam.split.train, **facts))
        scores.append(exam.validate(models[-1]))
    report(len(entry.choices), len(entry.choices))
    tried = [
        {"params": params, "ndcg@10": round(score, 6)}
        for params, score in zip(entry.choices, scores, strict=True)
    ]
    best = int(np.argmax(scores))
    return Chosen(entry, entry.choices[best], {"tried": tried}, report, exam, model=models[best])


def _choose_weights(
    entry: catalog.Entry, exam: "Exam", report: Report, job_id: int | None
) -> Chosen:
    """Weigh the members where parameters are chosen; members are fitted once for each part."""
    total = len(entry.members) + len(entry.choices)
    for done, name in enumerate(entry.members):
        report(done, total)
        if name not in exam.fitted:
            exam.fitted[name] = _fit_again(catalog.BY_NAME[name], exam, job_id)
    parts = [
        {catalog.BY_NAME[name].engine: exam.fitted[name][part] for name in entry.members}
        for part in range(3)
    ]
    blends, scores = [], []
    for done, params in enumerate(entry.choices, start=len(entry.members)):
        report(done, total)
        blends.append(entry.build(params))
        blends[-1].remembered = {}
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
    # A ranker asks the same people; whoever serves keeps nothing.
    ready[0].remembered = {}
    return Chosen(entry, params, details, report, exam, model=blends[best], ready=ready)


def _choose_order(entry: catalog.Entry, exam: "Exam", report: Report, job_id: int | None) -> Chosen:
    """Learn to rank where parameters are chosen; later moments are only answered for."""
    blend = catalog.BY_NAME[entry.ranks]
    if blend.name not in exam.fitted:
        exam.fitted[blend.name] = _fit_again(blend, exam, job_id)
    if blend.engine not in exam.judged:
        exam.judged[blend.engine] = exam.judge(exam.fitted[blend.name][1])
    histories = (exam.split.train, exam.split.before_test, exam.data)
    rankers = []
    for done, (part, data) in enumerate(zip((CHOSEN, JUDGED, WHOLE), histories, strict=True)):
        report(done, len(histories))
        fitted, facts = exam.fitted[blend.name][done], exam.told(entry.reads, part)
        rankers.append(entry.build(entry.choices[0]).of(fitted, data, **facts))
    reached = rankers[0].learn(exam.choosing)
    details = {
        "tried": [{"params": entry.choices[0], "ndcg@10": round(reached, 6)}],
        "mix": rankers[0].mix,
    }
    ready = [one.taught(rankers[0]) for one in rankers[1:]]
    return Chosen(entry, entry.choices[0], details, report, exam, model=rankers[0], ready=ready)


def _fit_again(entry: catalog.Entry, exam: "Exam", job_id: int | None) -> list[Any]:
    """A member whose training was done before a crash: fitted as its stored version was."""
    parts = (exam.split.train, exam.split.before_test, exam.data)
    if entry.members:
        chosen = _choose_weights(entry, exam, silent, job_id)
        return [chosen.model, *(chosen.fit(data, "") for data in parts[1:])]
    if entry.by_epochs:
        # What the job keeps of these trainings is their end, so this reads rather than learns.
        chosen = _choose_epochs(entry, exam, silent, job_id)
        rest = zip(parts[1:], (JUDGED, WHOLE), strict=True)
        return [chosen.model, *(chosen.fit(data, part) for data, part in rest)]
    stored = ModelVersion.objects.filter(name=entry.name).order_by("-version").first()
    params = stored.params if stored is not None else entry.choices[0]
    return [
        entry.build(params).fit(data, **exam.told(entry.reads, part))
        for data, part in zip(parts, (CHOSEN, JUDGED, WHOLE), strict=True)
    ]


def _choose_epochs(
    entry: catalog.Entry, exam: "Exam", report: Report, job_id: int | None
) -> Chosen:
    """Train on the earlier part with early stop; the best epoch is how long later fits run."""
    params = entry.choices[0]
    model = entry.build(params)
    most = 3 * model.params.epochs
    model.fit(
        exam.split.train,
        judge=exam.validate,
        on_epoch=lambda epoch: report(epoch.number, most),
        keep=sittings.keep(job_id=job_id, name=entry.name, part=CHOSEN),
        **exam.told(entry.reads, CHOSEN),
    )
    ran, best = len(model.history.epochs), max(1, model.history.best_epoch)
    details = {
        "history": asdict(model.history),
        "epochs": best,
        "epochs_in_all": ran + 2 * best,
    }
    return Chosen(entry, params, details, report, exam, job_id, best, ran, model)

"""Every candidate on the same folds and the same later people, the baseline always among them.

    outcome = run(train, later, "chance", Baseline("recency", lambda x: -x["recency_days"]), seed=1)

Inside `train` people are dealt into folds; settings, calibration and the winner are chosen there.
`later` (people or moments the caller kept back) is only measured. `Unfit` says by name why nothing
could be learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from models_ml.algorithms import classify
from models_ml.algorithms.classify import Interval
from models_ml.algorithms.errors import Unfit
from models_ml.algorithms.tabular import calibration, judging, leaks
from models_ml.algorithms.tabular.baseline import Baseline
from models_ml.algorithms.tabular.calibration import Calibrator
from models_ml.algorithms.tabular.candidates import Setting
from models_ml.algorithms.tabular.entering import Entrant, Report, enter, order
from models_ml.algorithms.tabular.fitted import Fitted
from models_ml.algorithms.tabular.frame import (
    LARGEST,
    Floats,
    Frame,
    Schema,
    Table,
    Task,
    check,
)
from models_ml.algorithms.tabular.judging import Profit, threshold
from models_ml.algorithms.tabular.splits import Splits, choose, columns_that_say_when

THREADS_FROM = 100_000
DEFAULT = ("linear", "tree", "forest", "boosting", "network", "sequence", "blend")


@dataclass(frozen=True)
class Row:
    """One line of the table. `gain` is over the baseline on the later people (0 for itself);
    `curve` tells how a network learned, epoch by epoch.
    """

    name: str
    later: dict[str, float]
    cv: dict[str, float]
    gain: Interval
    seconds: float
    calibration: str
    setting: Setting = field(default_factory=dict)
    curve: tuple[dict[str, float], ...] = ()
    is_baseline: bool = False


@dataclass(frozen=True)
class Verdict:
    """Whether to publish. Codes: better, no_better_than_baseline, worse_than_base_rate."""

    ok: bool
    code: str
    facts: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """`calibration` and `gains` are curves of the winner on the later people."""

    table: tuple[Row, ...]
    best: str
    fitted: Fitted
    calibration: list[dict[str, float]]
    gains: list[dict[str, float]]
    gains_baseline: list[dict[str, float]]
    threshold: dict[str, Any] | None
    verdict: Verdict
    dropped: tuple[tuple[str, str], ...]
    importances: dict[str, float]


def run(
    train: Frame,
    later: Frame,
    task: Task,
    baseline: Baseline,
    *,
    seed: int,
    folds: int = 5,
    horizon: timedelta = timedelta(0),
    profit: Profit | None = None,
    candidates: Sequence[str] | None = None,
    report: Report | None = None,
    allow: Sequence[str] = (),
) -> Outcome:
    """Fit and judge everything; Unfit when nothing can be learned or judged.

    `horizon` is the time after a row's moment by which its answer is known: nobody is judged by
    rows whose answers came later than that. `report(name, done, total)` is called before each
    candidate and may raise to stop. `allow` names columns that may tell the target (a person has
    looked, and they are known before it).
    """
    check(train, later, task)
    schema = Schema.of(train.x)
    if not schema.columns:
        raise Unfit("no_columns", {"dropped": [list(pair) for pair in schema.dropped]})
    y = train.y.astype(bool) if task == "chance" else np.asarray(train.y, dtype=np.float64)
    table = schema.table(train)
    told = [
        leak for leak in leaks.find(schema, table, y, task, seed) if leak["column"] not in allow
    ]
    if told:
        raise Unfit("leak", {"columns": told})
    splits = choose(train, later, task, folds, seed, horizon)
    if splits.by_time:
        schema = schema.without(columns_that_say_when(schema, table, train), "moment")
        if not schema.columns:
            raise Unfit("no_columns", {"dropped": [list(pair) for pair in schema.dropped]})
        table = schema.table(train)
    names = tuple(candidates or DEFAULT)
    # Threads that share little work mostly wait for each other.
    with threadpool_limits(limits=1, user_api=None if len(train) < THREADS_FROM else "blas"):
        entrants = enter(names, table, y, splits, task, seed, report or (lambda *_: None))
    known = y[splits.rows]
    rival = rival_of(baseline, train, known, splits, task)
    best = min(entrants, key=lambda one: order(one, known, task))
    fitted = {one.name: _fitted(one, schema, task, y) for one in entrants}
    seen = later.y.astype(bool) if task == "chance" else np.asarray(later.y, dtype=np.float64)
    usual = rival.calibrator.apply(scores_of(baseline, later.x))
    said = {name: one.predict(later.x, later.events) for name, one in fitted.items()}

    def row(one: Entrant) -> Row:
        answers = said[one.name]
        return Row(
            name=one.name,
            later=judging.figures(seen, answers, task),
            cv=judging.figures(known, one.said, task),
            gain=judging.gain(seen, answers, usual, later.person, task),
            seconds=round(one.seconds, 2),
            calibration=one.calibrator.kind,
            setting=one.setting,
            curve=one.model.curve,
        )

    rows = [row(one) for one in entrants]
    rows.append(
        Row(
            name=baseline.name,
            later=judging.figures(seen, usual, task),
            cv=judging.figures(known, rival.said, task),
            gain=Interval(0.0, 0.0, 0.0),
            seconds=0.0,
            calibration=rival.calibrator.kind,
            is_baseline=True,
        )
    )
    winner = next(row for row in rows if row.name == best.name)
    answers = said[best.name]
    label = seen.astype(bool) if task == "chance" else None
    return Outcome(
        table=tuple(rows),
        best=best.name,
        fitted=fitted[best.name],
        calibration=[] if label is None else classify.calibration(label, answers),
        gains=[] if label is None else classify.gains(label, answers),
        gains_baseline=[] if label is None else classify.gains(label, usual),
        threshold=None if label is None or not profit else threshold(label, answers, profit),
        verdict=verdict(winner, baseline.name, seen, float(np.mean(y)), task),
        dropped=schema.dropped,
        importances=importances(fitted[best.name], later, seed),
    )


def scores_of(baseline: Baseline, x: pd.DataFrame) -> Floats:
    """What the rule says of each row, finite (n,)."""
    found = np.asarray(baseline.score(x), dtype=np.float64)
    known = found[np.isfinite(found)]
    # Whoever the rule says nothing about comes last.
    lowest = float(known.min()) - 1 if known.size else 0.0
    return np.clip(np.nan_to_num(found, nan=lowest), -LARGEST, LARGEST)


@dataclass(frozen=True)
class Rival:
    """The baseline as a chance or an amount, and its cross-fitted answers for the judged rows."""

    calibrator: Calibrator
    said: Floats


def rival_of(
    baseline: Baseline, train: Frame, y: NDArray[Any], splits: Splits, task: Task
) -> Rival:
    """The rule's score as a chance or an amount, calibrated like everybody's, and cross-fitted."""
    score = scores_of(baseline, train.x)[splits.rows]
    kinds = ("sigmoid", "isotonic")
    said = [calibration.crossed(kind, score, y, splits.apart, task) for kind in kinds]
    best = int(np.argmin([calibration.loss_of(y, one, task) for one in said]))
    return Rival(calibration.fit(kinds[best], score, y, task), said[best])


def _fitted(one: Entrant, schema: Schema, task: Task, y: NDArray[Any]) -> Fitted:
    highest = np.inf if task == "chance" else 10 * float(np.abs(y).max())
    return Fitted(one.name, task, schema, one.model, one.calibrator, highest)


def verdict(winner: Row, baseline: str, seen: NDArray[Any], rate: float, task: Task) -> Verdict:
    facts: dict[str, Any] = {
        "candidate": winner.name,
        "baseline": baseline,
        "measure": "auc" if task == "chance" else "rmse",
        "gain": winner.gain.as_json(),
        "people": len(seen),
    }
    if winner.gain.low <= 0:
        half = winner.gain.high - winner.gain.value
        if winner.gain.value > 0:
            # The interval narrows with the root of the people judged.
            needed = int(np.ceil(len(seen) * (half / winner.gain.value) ** 2))
            facts["people_needed"] = needed
        return Verdict(False, "no_better_than_baseline", facts)
    if task == "chance":
        dull = classify.log_loss(seen.astype(bool), np.full(len(seen), rate))
        facts |= {"log_loss": winner.later["log_loss"], "log_loss_base": round(dull, 6)}
        if winner.later["log_loss"] >= dull:
            return Verdict(False, "worse_than_base_rate", facts)
    return Verdict(True, "better", facts)


def importances(fitted: Fitted, frame: Frame, seed: int) -> dict[str, float]:
    """How much the ranking or error suffers when one column is shuffled, strongest first."""
    rng = np.random.default_rng(seed)
    # Reading what people did costs much more than reading columns.
    rows = 400 if fitted.model.reads_events else 2000
    pick = np.sort(rng.permutation(len(frame))[:rows])
    part = frame.take(pick)
    table = fitted.schema.read(part.x, part.events)
    y = part.y.astype(bool) if fitted.task == "chance" else part.y
    usual = _quality(fitted, table, y)
    shuffle = rng.permutation(len(part))
    mixed = table.take(shuffle)
    out = {}
    for j, name in enumerate(fitted.columns):
        numbers, codes, events = table.numbers.copy(), table.codes.copy(), table.events
        if j < numbers.shape[1]:
            numbers[:, j] = mixed.numbers[:, j]
        elif j < len(fitted.schema.columns):
            codes[:, j - numbers.shape[1]] = mixed.codes[:, j - numbers.shape[1]]
        else:
            events = mixed.events
        lost = usual - _quality(fitted, Table(numbers, codes, events), y)
        out[name] = round(lost, 6) if np.isfinite(lost) else 0.0
    return dict(sorted(out.items(), key=lambda pair: -pair[1]))


def _quality(fitted: Fitted, table: Table, y: NDArray[Any]) -> float:
    margin = fitted.margin(table)
    if fitted.task == "chance":
        return classify.auc(y, margin)
    return -float(np.sqrt(np.mean((fitted.calibrator.apply(margin) - y) ** 2)))

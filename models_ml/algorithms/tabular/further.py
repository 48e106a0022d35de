"""A model that is in use, learned further on newer rows in its own columns, where its kind can.

A network goes on from its last weights. Trees do not: scikit-learn draws the bins anew with each
call of fit, and trees grown before would read the new bins wrongly, so they are grown again by a
contest, as is what has no state to go on from.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta

import numpy as np

from models_ml.algorithms import classify
from models_ml.algorithms.classify import Interval
from models_ml.algorithms.tabular import calibration, contest, judging
from models_ml.algorithms.tabular.baseline import Baseline
from models_ml.algorithms.tabular.contest import Outcome, Row
from models_ml.algorithms.tabular.fitted import Fitted
from models_ml.algorithms.tabular.frame import Frame, check
from models_ml.algorithms.tabular.judging import Profit, threshold
from models_ml.algorithms.tabular.splits import choose

FOLDS = 5
# A calibration is fitted again on people whose rows were set aside, if there are so many.
LEAST_ASIDE = 300


def run(
    fitted: Fitted,
    train: Frame,
    later: Frame,
    baseline: Baseline,
    *,
    seed: int,
    horizon: timedelta = timedelta(0),
    profit: Profit | None = None,
) -> Outcome | None:
    """The same columns and settings, judged as a contest judges; None where the kind cannot.

    Unfit as in a contest when there is too little to learn from or to judge by.
    """
    began = time.perf_counter()
    task = fitted.task
    check(train, later, task)
    chance = task == "chance"
    y = train.y.astype(bool) if chance else np.asarray(train.y, dtype=np.float64)
    table = fitted.schema.table(train)
    learned = fitted.model.further(table, y, seed=seed)
    if learned is None:
        return None
    model, aside = learned
    calibrator = fitted.calibrator
    if aside.sum() >= LEAST_ASIDE and np.ptp(y[aside].astype(float)) > 0:
        margin = model.margin(table.take(aside))
        calibrator = calibration.fit(calibrator.kind, margin, y[aside], task)
    made = replace(fitted, model=model, calibrator=calibrator)
    splits = choose(train, later, task, FOLDS, seed, horizon)
    known = y[splits.rows]
    rival = contest.rival_of(baseline, train, known, splits, task)
    usual = rival.calibrator.apply(contest.scores_of(baseline, later.x))
    seen = later.y.astype(bool) if chance else np.asarray(later.y, dtype=np.float64)
    said = made.predict(later.x, later.events)
    row = Row(
        name=fitted.name,
        later=judging.figures(seen, said, task),
        cv={},
        gain=judging.gain(seen, said, usual, later.person, task),
        seconds=round(time.perf_counter() - began, 2),
        calibration=calibrator.kind,
        curve=model.curve,
    )
    beside = Row(
        name=baseline.name,
        later=judging.figures(seen, usual, task),
        cv=judging.figures(known, rival.said, task),
        gain=Interval(0.0, 0.0, 0.0),
        seconds=0.0,
        calibration=rival.calibrator.kind,
        is_baseline=True,
    )
    label = later.y.astype(bool) if chance else None
    return Outcome(
        table=(row, beside),
        best=fitted.name,
        fitted=made,
        calibration=[] if label is None else classify.calibration(label, said),
        gains=[] if label is None else classify.gains(label, said),
        gains_baseline=[] if label is None else classify.gains(label, usual),
        threshold=None if label is None or not profit else threshold(label, said, profit),
        verdict=contest.verdict(row, baseline.name, seen, float(np.mean(y)), task),
        dropped=fitted.schema.dropped,
        importances=contest.importances(made, later, seed),
    )

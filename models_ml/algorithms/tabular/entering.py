"""Each candidate on the same splits: its best setting, its calibration, and a fit on everyone."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from models_ml.algorithms import classify
from models_ml.algorithms.errors import Unfit
from models_ml.algorithms.tabular import blend, calibration, families
from models_ml.algorithms.tabular.blend import BlendModel
from models_ml.algorithms.tabular.calibration import Calibrator
from models_ml.algorithms.tabular.candidates import Model, Setting, loss
from models_ml.algorithms.tabular.frame import Floats, Table, Task
from models_ml.algorithms.tabular.splits import Splits

Report = Callable[[str, int, int], None]


@dataclass
class Entrant:
    """What came of one candidate: `margin` and `said` are of the judged rows."""

    name: str
    margin: Floats
    said: Floats
    calibrator: Calibrator
    model: Model
    setting: Setting
    seconds: float


def enter(
    names: Sequence[str],
    table: Table,
    y: NDArray[Any],
    splits: Splits,
    task: Task,
    seed: int,
    report: Report,
) -> list[Entrant]:
    unknown = [name for name in names if name not in (*families.CANDIDATES, families.BLEND)]
    if unknown:
        raise Unfit("unknown_candidate", {"names": unknown})
    able = [
        name
        for name in names
        if name != families.BLEND and families.CANDIDATES[name].able(table, task)
    ]
    if not able:
        raise Unfit("no_candidate", {"names": list(names)})
    entrants = []
    for done, name in enumerate(able):
        report(name, done, len(names))
        entrants.append(_enter_one(name, table, y, splits, task, seed))
    by_name = {one.name: one for one in entrants}
    if families.BLEND in names and all(name in by_name for name in families.BLENDED):
        report(families.BLEND, len(able), len(names))
        first, second = (by_name[name] for name in families.BLENDED)
        entrants.append(_blended(first, second, y[splits.rows], splits, task))
    return entrants


def _enter_one(
    name: str, table: Table, y: NDArray[Any], splits: Splits, task: Task, seed: int
) -> Entrant:
    """The best setting by the loss on unseen folds, then fitted on everyone."""
    began = time.perf_counter()
    kind = families.CANDIDATES[name]
    tried = [
        kind.cross(table, y, splits, task=task, seed=seed, setting=setting)
        for setting in kind.settings(table, task)
    ]
    known = y[splits.rows]
    margin, setting = min(tried, key=lambda pair: loss(pair[0], known, task))
    calibrator, said = calibration.choose(margin, known, splits.apart, task)
    model = kind.fit(table, y, task=task, seed=seed, setting=setting)
    seconds = time.perf_counter() - began
    return Entrant(name, margin, said, calibrator, model, setting, seconds)


def _blended(
    first: Entrant, second: Entrant, y: NDArray[Any], splits: Splits, task: Task
) -> Entrant:
    began = time.perf_counter()
    share, margin = blend.weigh(first.margin, second.margin, y, task)
    calibrator, said = calibration.choose(margin, y, splits.apart, task)
    model = BlendModel((first.model, second.model), (share, 1 - share))
    seconds = time.perf_counter() - began + first.seconds + second.seconds
    setting = {first.name: round(share, 2), second.name: round(1 - share, 2)}
    return Entrant(families.BLEND, margin, said, calibrator, model, setting, seconds)


def order(one: Entrant, y: NDArray[Any], task: Task) -> float:
    """Smaller is better, on the folds: the area under the curve, or the squared error."""
    if task == "chance":
        return -classify.auc(y.astype(bool), one.margin)
    return calibration.loss_of(y, one.said, task)

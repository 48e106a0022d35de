"""Whether the alarm for drift fires where the world turned, on calls of a bank in their order.

The model learns from calls of a calm summer and is looked at with every further thousand calls, by
the code that looks after predictions. In October 2008 the interest rates that the calls are about
began to fall: before, no look should alarm, from then on every one.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from models_ml.algorithms.tabular import contest
from models_ml.algorithms.tabular.baseline import Baseline
from models_ml.algorithms.tabular.frame import Frame
from models_ml.benchmarks.data import Line, find, line, skipped
from models_ml.benchmarks.tabular import BANK, SEED, bank
from models_ml.predictions import profiles

LEARNED, JUDGED, LAST, LOOK = 15_000, 20_000, 34_000, 1_000
TURNED = np.datetime64("2008-10-01")
CANDIDATES = {"small": ("linear",), "full": ("linear", "boosting", "blend")}
ORIGIN = "the project's goal: the alarm fires where the economy turned"


def _part(frame: Frame, first: int, last: int) -> Frame:
    return frame.take(np.arange(first, last))


def bank_drift(size: str = "small") -> list[Line]:
    """The share of looks that alarm before and after the turn, and the first that did."""
    path = find(BANK)
    if path is None:
        return [skipped("bank_time.drift", BANK)]
    frame = bank(path)
    train, later = _part(frame, 0, LEARNED), _part(frame, LEARNED, JUDGED)
    rule = Baseline("said yes before", lambda x: (x["poutcome"] == "success").to_numpy())
    outcome = contest.run(
        train, later, "chance", rule, seed=SEED, folds=3, candidates=CANDIDATES[size]
    )
    fitted = outcome.fitted
    parts = [_part(frame, at, at + LOOK) for at in range(0, JUDGED, LOOK)]
    profile = profiles.of(
        x=later.x,
        said=fitted.predict(later.x),
        columns=fitted.columns,
        earlier=[(part.x, fitted.predict(part.x)) for part in parts],
    )
    looks = []
    for at in range(JUDGED, LAST, LOOK):
        part = _part(frame, at, at + LOOK)
        level, readings = profiles.judge(
            profile=profile,
            x=part.x,
            said=fitted.predict(part.x),
            importances=outcome.importances,
        )
        looks.append((part.moment[0], level == profiles.ALARM, readings["said"]["psi"]))
    calm = [alarm for at, alarm, _psi in looks if at < TURNED]
    turned = [alarm for at, alarm, _psi in looks if at >= TURNED]
    first = next((str(at.astype("datetime64[M]")) for at, alarm, _psi in looks if alarm), "never")
    more: dict[str, Any] = {
        "model": outcome.best,
        "first_alarm": first,
        "answers_moved": [[str(at.astype("datetime64[M]")), psi] for at, _alarm, psi in looks],
    }
    return [
        line(
            "bank_time.drift",
            "share of looks from October 2008 that alarm",
            len(turned),
            [float(np.mean(turned))],
            least=("nine of ten", 0.9),
            origin=ORIGIN,
            **more,
        ),
        line(
            "bank_time.calm",
            "share of looks before that do not alarm",
            len(calm),
            [1 - float(np.mean(calm))],
            least=("nine of ten", 0.9),
            origin=ORIGIN,
        ),
    ]


WORKLOADS: dict[str, Callable[[str], list[Line]]] = {"bank_time.drift": bank_drift}

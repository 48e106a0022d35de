"""How a version's answers move with each of the columns it leans on most, for its card."""

from typing import Any

import pandas as pd

from models_ml.algorithms.explain import dependence
from models_ml.algorithms.tabular.fitted import Fitted
from models_ml.algorithms.tabular.frame import Frame

MOST_COLUMNS = 6


def of(
    *, fitted: Fitted, frame: Frame, importances: dict[str, float], seed: int
) -> list[dict[str, Any]]:
    """[{"column", "kind", "points": [{"at", "mean", "low", "high", "share"}]}], strongest first.

    Of the people judged on, asked again with one column changed; what somebody did in order is left
    as it was. Columns with fewer than two values that people have are left out.
    """
    strongest = sorted(
        (name for name, weight in importances.items() if weight > 0 and name in frame.x.columns),
        key=lambda name: -importances[name],
    )
    found = []
    for name in strongest[:MOST_COLUMNS]:
        curve = dependence.partial(
            predict=fitted.predict, x=frame.x, column=name, events=frame.events, seed=seed
        )
        if len(curve.values) < 2:
            continue
        number = pd.api.types.is_numeric_dtype(frame.x[name])
        points = zip(curve.values, curve.mean, curve.low, curve.high, curve.share, strict=True)
        found.append(
            {
                "column": name,
                "kind": "number" if number else "category",
                "points": [
                    {"at": at, "mean": mean, "low": low, "high": high, "share": share}
                    for at, mean, low, high, share in points
                ],
            }
        )
    return found

"""Who is most alike to a person in what a model leans on, and how the person differs from them."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models_ml.algorithms.explain import peers
from models_ml.features.registry import Feature
from models_ml.models import ModelVersion

MOST_COLUMNS = 5


def of(
    *,
    version: ModelVersion,
    row: pd.DataFrame,
    people: pd.DataFrame,
    said: NDArray[np.float64],
    features: dict[str, Feature],
) -> dict[str, Any] | None:
    """The nearest of `people`, as JSON for the page of the person; None where nothing tells.

    {"people", "said", "columns": [{"meaning", "unit", "mine", "theirs", "below"}]}: `said` is the
    middle of what is said of them, `theirs` that of their values, `below` the share with less.
    """
    weights = {
        name: float(weight)
        for name, weight in (version.details.get("importances") or {}).items()
        if isinstance(weight, int | float) and weight > 0 and name in features
    }
    if not weights or not len(people):
        return None
    places = peers.nearest(row=row, people=people, weights=weights)
    leading = sorted(weights, key=lambda name: -weights[name])[:MOST_COLUMNS]
    compared = peers.compare(row=row, peers=people.iloc[places], columns=leading)
    return {
        "people": len(places),
        "said": float(np.median(said[places])),
        "columns": [
            {
                "meaning": str(features[one.column].meaning),
                "unit": features[one.column].unit,
                "mine": one.mine,
                "theirs": one.theirs,
                "below": one.below,
            }
            for one in compared
        ],
    }

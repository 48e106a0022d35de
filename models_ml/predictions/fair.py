"""Whether a version would choose the watched groups alike among the people it is judged on."""

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models_ml import watched
from models_ml.algorithms import fairness

TENTH = 0.1


def of(
    *,
    person: NDArray[np.int64],
    said: NDArray[np.float64],
    came: NDArray[Any] | None,
    as_of: datetime,
    threshold: float | None = None,
) -> dict[str, Any]:
    """For the card: {"by", "people", "chosen", "attributes": [{"name", "kind", …, "groups"}]}.

    Chosen is whoever is above the threshold of the best profit, or else the best tenth. `came` says
    who did it, where that is yes or no, and gives the errors of each group.
    """
    attributes = watched.everything()
    if not attributes or not len(person):
        return {"by": "", "people": len(person), "chosen": 0, "attributes": []}
    chosen = said > threshold if threshold is not None else _best(said)
    groups = watched.of_people(ids=person, attributes=attributes, as_of=as_of)
    return {
        "by": "tenth" if threshold is None else "threshold",
        "people": len(person),
        "chosen": int(chosen.sum()),
        "attributes": [
            {
                **one.as_json(),
                "groups": [
                    group.as_json()
                    for group in fairness.judge(
                        chosen=chosen,
                        groups=pd.Series(groups[one.name]),
                        attribute=one.name,
                        came=None if came is None else np.asarray(came) > 0,
                    ).groups
                ],
            }
            for one in attributes
        ],
    }


def _best(said: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The best tenth, and at least one person."""
    best = np.zeros(len(said), dtype=bool)
    best[np.argsort(-said, kind="stable")[: max(round(TENTH * len(said)), 1)]] = True
    return best

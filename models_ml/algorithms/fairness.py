"""Whether groups of people are chosen, and judged rightly, alike (Fairlearn's MetricFrame).

Selection rates and errors of each group of an attribute; `fourfifths` says which of them are chosen
too seldom beside the most chosen one, and of which there are too few people to tell.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from fairlearn.metrics import (
    MetricFrame,
    count,
    false_negative_rate,
    false_positive_rate,
    selection_rate,
)
from numpy.typing import NDArray

from models_ml.algorithms import fourfifths
from models_ml.algorithms.fourfifths import OTHERS, UNKNOWN, Judged, Tally


@dataclass(frozen=True)
class Group:
    """A group as `fourfifths` judged it, and the errors where outcomes are known.

    `missed` is the share of those who did it that were not chosen, `bothered` the share of those
    who did not that were.
    """

    judged: Judged
    missed: float | None
    bothered: float | None

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self.judged), "missed": self.missed, "bothered": self.bothered}


@dataclass(frozen=True)
class Fairness:
    """By one attribute, the largest group first; `ok` when no group is chosen too seldom."""

    attribute: str
    groups: tuple[Group, ...]

    @property
    def ok(self) -> bool:
        return not any(group.judged.flagged for group in self.groups)


def judge(
    *,
    chosen: NDArray[np.bool_],
    groups: pd.Series,
    attribute: str,
    came: NDArray[np.bool_] | None = None,
) -> Fairness:
    """Of everyone the choice was about, by the values of an attribute."""
    if not len(chosen):
        return Fairness(attribute, ())
    texts = groups.astype("object").reset_index(drop=True)
    texts = texts.where(texts.notna() & (texts != ""), UNKNOWN).astype(str)
    common = texts[texts != UNKNOWN].value_counts().index[: fourfifths.MOST_GROUPS]
    texts = texts.where(texts.isin([*common, UNKNOWN]), OTHERS)
    said = np.asarray(chosen, dtype=np.int64)
    truth = said if came is None else np.asarray(came, dtype=np.int64)
    measures: dict[str, Any] = {"people": count, "rate": selection_rate}
    if came is not None:
        measures |= {"missed": _missed, "bothered": _bothered}
    frame = MetricFrame(metrics=measures, y_true=truth, y_pred=said, sensitive_features=texts)
    table = frame.by_group
    found = fourfifths.judge(
        Tally(str(name), int(row["people"]), round(row["rate"] * row["people"]))
        for name, row in table.iterrows()
    )
    return Fairness(
        attribute,
        tuple(
            Group(
                one,
                _known(table.loc[one.name].get("missed")),
                _known(table.loc[one.name].get("bothered")),
            )
            for one in found
        ),
    )


def _missed(y_true: Any, y_pred: Any) -> float:
    return float(false_negative_rate(y_true, y_pred, pos_label=1)) if np.any(y_true) else np.nan


def _bothered(y_true: Any, y_pred: Any) -> float:
    none = np.asarray(y_true) == 0
    return float(false_positive_rate(y_true, y_pred, pos_label=1)) if none.any() else np.nan


def _known(value: Any) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)

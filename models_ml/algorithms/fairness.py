"""Whether groups of people are chosen, and judged rightly, alike (Fairlearn's MetricFrame).

Selection rates and errors for each group of an attribute, with intervals, and the four-fifths rule:
a group chosen less than 0.8 times as often as the most chosen one is flagged, if it is large enough
to tell.
"""

from __future__ import annotations

from dataclasses import dataclass
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

from models_ml.algorithms import classify
from models_ml.algorithms.classify import Interval

FOUR_FIFTHS = 0.8
LEAST_PEOPLE = 20
MOST_GROUPS = 20
UNKNOWN, OTHERS = "unknown", "others"


@dataclass(frozen=True)
class Group:
    """One group: how many, how many of them chosen, and the errors where outcomes are known.

    `ratio` is its selection rate over that of the most chosen group; None for a group too small to
    tell. `missed` is the share of those who did it that were not chosen, `bothered` the share of
    those who did not that were.
    """

    name: str
    people: int
    chosen: Interval
    ratio: float | None
    missed: float | None
    bothered: float | None
    flagged: bool


@dataclass(frozen=True)
class Fairness:
    """By one attribute. `least` is the smallest ratio; `ok` when no group is flagged."""

    attribute: str
    groups: tuple[Group, ...]
    least: float | None

    @property
    def ok(self) -> bool:
        return not any(group.flagged for group in self.groups)


def judge(
    *,
    chosen: NDArray[np.bool_],
    groups: pd.Series,
    attribute: str,
    came: NDArray[np.bool_] | None = None,
) -> Fairness:
    """Of everyone the choice was about, by the values of an attribute; commonest group first."""
    if not len(chosen):
        return Fairness(attribute, (), None)
    texts = groups.astype("object").reset_index(drop=True)
    texts = texts.where(texts.notna() & (texts != ""), UNKNOWN).astype(str)
    common = texts.value_counts().index[:MOST_GROUPS]
    texts = texts.where(texts.isin(common), OTHERS)
    said = np.asarray(chosen, dtype=np.int64)
    truth = said if came is None else np.asarray(came, dtype=np.int64)
    measures: dict[str, Any] = {"people": count, "rate": selection_rate}
    if came is not None:
        measures |= {"missed": _missed, "bothered": _bothered}
    frame = MetricFrame(metrics=measures, y_true=truth, y_pred=said, sensitive_features=texts)
    table = frame.by_group
    large = table["people"] >= LEAST_PEOPLE
    best = float(table["rate"][large].max()) if large.any() else 0.0
    found = []
    for name, row in table.sort_values("people", ascending=False).iterrows():
        people, rate = int(row["people"]), float(row["rate"])
        ratio = rate / best if best > 0 and people >= LEAST_PEOPLE else None
        found.append(
            Group(
                str(name),
                people,
                classify.wilson(round(rate * people), people),
                ratio,
                _known(row.get("missed")),
                _known(row.get("bothered")),
                ratio is not None and ratio < FOUR_FIFTHS,
            )
        )
    ratios = [group.ratio for group in found if group.ratio is not None]
    return Fairness(attribute, tuple(found), min(ratios) if ratios else None)


def _missed(y_true: Any, y_pred: Any) -> float:
    return float(false_negative_rate(y_true, y_pred, pos_label=1)) if np.any(y_true) else np.nan


def _bothered(y_true: Any, y_pred: Any) -> float:
    none = np.asarray(y_true) == 0
    return float(false_positive_rate(y_true, y_pred, pos_label=1)) if none.any() else np.nan


def _known(value: Any) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)

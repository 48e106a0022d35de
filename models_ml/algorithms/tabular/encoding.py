"""Tables to numbers, learned inside each fold; every number knows the column it came from.

Two styles. "raw" for trees: numbers as they are, nan kept. "smooth" for linear models and networks:
missing filled by the median with a mark beside it, outer half percents cut, bends at the quantiles,
everything of mean 0 and spread 1. Categories of few levels become a mark each; of many levels, the
target's mean at the level, shrunk (scikit-learn's TargetEncoder) and, for the rows learned from,
that of other people.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import TargetEncoder

from models_ml.algorithms.tabular.frame import Floats, Table, Task
from models_ml.algorithms.tabular.splits import folds_of

Style = Literal["raw", "smooth"]
MARKS_UP_TO = 24
TAIL = 0.005
FOLDS = 5


@dataclass
class Encoder:
    """Fit on one fold, apply anywhere. `owner` (m,) says whose number each one is."""

    style: Style = "raw"
    bends: int = 4
    middle: list[float] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    gaps: list[bool] = field(default_factory=list)
    knots: list[list[float]] = field(default_factory=list)
    marks: list[list[int]] = field(default_factory=list)
    rates: list[list[float]] = field(default_factory=list)
    mean: list[float] = field(default_factory=list)
    spread: list[float] = field(default_factory=list)
    owner: list[int] = field(default_factory=list)

    def fit(self, table: Table, y: NDArray[Any], task: Task, seed: int) -> Floats:
        """Learn, and return the numbers to train on (many-level rates cross-fitted)."""
        for j in range(table.numbers.shape[1]):
            self._read_number(table.numbers[:, j])
        crossed = {
            j: self._read_category(table.codes[:, j], y, task, table.whose, seed)
            for j in range(table.codes.shape[1])
        }
        self.owner = self._owners(table.numbers.shape[1])
        raw = self._raw(table, crossed)
        if self.style == "smooth":
            self.mean = raw.mean(axis=0).tolist()
            spread = raw.std(axis=0)
            self.spread = np.where(spread > 1e-9, spread, 1.0).tolist()
            return self._scaled(raw)
        return raw

    def apply(self, table: Table) -> Floats:
        raw = self._raw(table, {})
        return self._scaled(raw) if self.style == "smooth" else raw

    def _scaled(self, raw: Floats) -> Floats:
        # A number that hardly varied in training must not become a huge one later.
        return np.clip((raw - np.array(self.mean)) / np.array(self.spread), -20.0, 20.0)

    def _read_number(self, values: Floats) -> None:
        known = values[np.isfinite(values)]
        if known.size == 0:
            known = np.zeros(1)
        self.middle.append(float(np.median(known)))
        low, high = np.quantile(known, [TAIL, 1 - TAIL])
        if low == high:
            low, high = known.min(), known.max()
        self.low.append(float(low))
        self.high.append(float(high))
        self.gaps.append(bool(np.isnan(values).any()))
        inner = np.unique(np.quantile(known, np.linspace(0, 1, self.bends + 2)[1:-1]))
        self.knots.append([float(k) for k in inner if low < k < high])

    def _read_category(
        self,
        codes: NDArray[np.int32],
        y: NDArray[Any],
        task: Task,
        person: NDArray[np.int64],
        seed: int,
    ) -> Floats | None:
        present = np.unique(codes)
        if present.size <= MARKS_UP_TO:
            self.marks.append([int(code) for code in present])
            self.rates.append([])
            return None
        target = y.astype(np.int64) if task == "chance" else y.astype(np.float64)
        kind = "binary" if task == "chance" else "continuous"
        fold = folds_of(person, y, FOLDS, seed)
        crossed = np.empty(len(codes))
        for here in (fold == number for number in np.unique(fold)):
            others = TargetEncoder(target_type=kind).fit(codes[~here, None], target[~here])
            crossed[here] = others.transform(codes[here, None])[:, 0]
        encoder = TargetEncoder(target_type=kind).fit(codes[:, None], target)
        whole = np.full(int(present.max()) + 1, float(np.mean(target)))
        whole[np.asarray(encoder.categories_[0], dtype=np.int64)] = encoder.encodings_[0]
        self.marks.append([])
        self.rates.append(whole.tolist())
        return crossed

    def _owners(self, numbers: int) -> list[int]:
        owner: list[int] = []
        for j in range(numbers):
            bends = len(self.knots[j]) if self.style == "smooth" else 0
            mark = int(self.gaps[j] and self.style == "smooth")
            owner += [j] * (1 + bends + mark)
        for j, marks in enumerate(self.marks):
            owner += [numbers + j] * max(len(marks), 1)
        return owner

    def _raw(self, table: Table, crossed: dict[int, Floats | None]) -> Floats:
        out = np.empty((len(table), len(self.owner)))
        at = 0
        for j in range(table.numbers.shape[1]):
            values = table.numbers[:, j]
            if self.style == "raw":
                out[:, at] = values
                at += 1
                continue
            unknown = np.isnan(values)
            cut = np.clip(np.where(unknown, self.middle[j], values), self.low[j], self.high[j])
            out[:, at] = cut
            at += 1
            for knot in self.knots[j]:
                out[:, at] = np.maximum(cut - knot, 0.0)
                at += 1
            if self.gaps[j]:
                out[:, at] = unknown
                at += 1
        for j in range(table.codes.shape[1]):
            codes = table.codes[:, j]
            if self.rates[j]:
                ready = crossed.get(j)
                rates = np.array(self.rates[j])
                known = np.where(codes < len(rates), codes, 0)
                out[:, at] = rates[known] if ready is None else ready
                at += 1
                continue
            for mark in self.marks[j]:
                out[:, at] = codes == mark
                at += 1
        return out

    def as_json(self) -> dict[str, Any]:
        return dict(vars(self))

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Encoder:
        return cls(**stored)


def by_column(shares: Floats, encoder: Encoder, table: Table) -> Floats:
    """Shares of encoded numbers (n, m) summed to the columns of the table (n, columns)."""
    out = np.zeros((len(shares), table.numbers.shape[1] + table.codes.shape[1]))
    for place, column in enumerate(encoder.owner):
        out[:, column] += shares[:, place]
    return out

"""What each row's person did before its moment, oldest first: ragged arrays, no lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Events:
    """Row i did `kind[start[i]:start[i + 1]]`, so many days before its moment, worth so much.

    `start` (n + 1,) int64; `kind` (m,) int32 into `names`; `days_before` (m,) float32, falling
    within a row; `worth` (m,) float32, 0 where an event has no amount.
    """

    names: tuple[str, ...]
    start: NDArray[np.int64]
    kind: NDArray[np.int32]
    days_before: NDArray[np.float32]
    worth: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.start) - 1

    @property
    def counts(self) -> NDArray[np.int64]:
        return np.diff(self.start)

    def take(self, rows: NDArray[Any]) -> Events:
        rows = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        counts = self.counts[rows]
        start = np.r_[0, np.cumsum(counts)].astype(np.int64)
        place = np.arange(start[-1]) - np.repeat(start[:-1] - self.start[rows], counts)
        return Events(
            self.names, start, self.kind[place], self.days_before[place], self.worth[place]
        )

    def last(self, length: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
        """The newest `length` events of each row, right-aligned: kind, days, worth, filled."""
        n = len(self)
        offset = self.start[1:, None] - length + np.arange(length)
        filled = offset >= self.start[:-1, None]
        if len(self.kind) == 0:
            zeros = np.zeros((n, length), np.float32)
            return zeros.astype(np.int32), zeros, zeros, np.zeros((n, length), bool)
        place = np.where(filled, offset, 0)
        return (
            np.where(filled, self.kind[place], 0),
            np.where(filled, self.days_before[place], 0).astype(np.float32),
            np.where(filled, self.worth[place], 0).astype(np.float32),
            filled,
        )

"""What a candidate is: settings to try, a fit, and a model that gives margins.

A margin is a log-odds-like number for chances and an amount for amounts; calibration comes after.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from models_ml.algorithms.tabular import calibration
from models_ml.algorithms.tabular.frame import Floats, Table, Task
from models_ml.algorithms.tabular.splits import Splits

Setting = dict[str, Any]


class Model(ABC):
    """Something fitted. It stores itself beside others: files begin with `stem`."""

    kind: ClassVar[str]
    reads_events: ClassVar[bool] = False

    @property
    def curve(self) -> tuple[dict[str, float], ...]:
        """How it learned, where that is a story of epochs."""
        return ()

    @abstractmethod
    def margin(self, table: Table) -> Floats:
        """One finite number a row, shape (n,)."""

    @abstractmethod
    def reasons(self, table: Table) -> tuple[float, Floats]:
        """What everyone gets, and what each column adds for each row (n, columns): their sum is
        the margin.
        """

    def errors(self, table: Table) -> Floats | None:
        """The standard error of each share (n, columns); None where shares are exact."""
        return None

    def further(
        self, table: Table, y: NDArray[Any], *, seed: int
    ) -> tuple[Model, NDArray[np.bool_]] | None:
        """The same learned further on newer rows, and which of them were set aside (n,).

        None where a kind has nothing to go on from.
        """
        return None

    @abstractmethod
    def save(self, folder: Path, stem: str) -> dict[str, Any]:
        """Write files if needed; return what belongs in the JSON."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, stem: str, stored: dict[str, Any]) -> Self: ...


class Candidate(ABC):
    """A kind of model and the settings worth trying on this much data."""

    name: ClassVar[str]

    @abstractmethod
    def settings(self, table: Table, task: Task) -> Iterable[Setting]: ...

    @abstractmethod
    def fit(
        self, table: Table, y: NDArray[Any], *, task: Task, seed: int, setting: Setting
    ) -> Model: ...

    def cross(
        self,
        table: Table,
        y: NDArray[Any],
        splits: Splits,
        *,
        task: Task,
        seed: int,
        setting: Setting,
    ) -> tuple[Floats, Setting]:
        """Margins of the judged rows, in their order, and the setting, completed."""
        out = []
        for before, judged in splits.pairs:
            part = table.take(before)
            model = self.fit(part, y[before], task=task, seed=seed, setting=setting)
            out.append(model.margin(table.take(judged)))
        return np.concatenate(out), setting

    def able(self, table: Table, task: Task) -> bool:
        """Whether this kind can take part with such data."""
        return True


def stretch(shares: Floats, began: float, reached: Floats) -> Floats:
    """Shares that lead from `began` to what each row `reached`, in the proportions of `shares`.

    The two scales rise together. What is left over where ups and downs cancel out exactly is
    nobody's in particular.
    """
    moved, step = reached - began, shares.sum(axis=1)
    slope = np.divide(moved, step, out=np.zeros_like(step), where=np.abs(step) > 1e-6)
    out = shares * slope[:, None]
    if out.shape[1]:
        out += ((moved - out.sum(axis=1)) / out.shape[1])[:, None]
    return np.asarray(out)


def loss(margin: Floats, y: NDArray[Any], task: Task) -> float:
    """How good bare margins are, for choosing between settings of one kind."""
    return calibration.loss_of(y, calibration.Calibrator("plain", task).apply(margin), task)

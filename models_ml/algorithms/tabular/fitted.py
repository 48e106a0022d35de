"""What a contest leaves: a schema, a model and its calibration, in one thing that is asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from models_ml.algorithms import artifacts
from models_ml.algorithms.tabular import families
from models_ml.algorithms.tabular.calibration import Calibrator
from models_ml.algorithms.tabular.candidates import Model, stretch
from models_ml.algorithms.tabular.events import Events
from models_ml.algorithms.tabular.frame import Floats, Schema, Table, Task

FILE = "tabular.json"
STEM = "tabular"
AT_ONCE = 200_000
EVENTS = "events"


@dataclass(frozen=True)
class Fitted:
    """Answers are finite for every input, and within 0 and 1 for a chance."""

    name: str
    task: Task
    schema: Schema
    model: Model
    calibrator: Calibrator
    highest: float = np.inf

    @property
    def columns(self) -> tuple[str, ...]:
        """What is read, in the order of `contributions`: columns, then the events if they are."""
        return self.schema.columns + ((EVENTS,) if self.model.reads_events else ())

    def predict(self, x: pd.DataFrame, events: Events | None = None) -> Floats:
        """A chance or an amount a row, shape (n,)."""
        out = np.empty(len(x))
        for start in range(0, len(x), AT_ONCE):
            rows = np.arange(start, min(start + AT_ONCE, len(x)))
            out[rows] = self._answer(self.margin(self._read(x, events, rows)))
        return out

    def margin(self, table: Table) -> Floats:
        return np.nan_to_num(self.model.margin(table), nan=0.0, posinf=1e15, neginf=-1e15)

    def _read(self, x: pd.DataFrame, events: Events | None, rows: np.ndarray) -> Table:
        part = None if events is None else events.take(rows)
        return self.schema.read(x.iloc[rows], part)

    def _answer(self, margin: Floats) -> Floats:
        said = self.calibrator.apply(margin)
        # An amount far beyond all that was ever seen is an accident of the formula.
        return said if self.task == "chance" else np.clip(said, -self.highest, self.highest)

    def contributions(self, x: pd.DataFrame, events: Events | None = None) -> tuple[float, Floats]:
        """The usual answer, and what each column adds to it in points of the answer.

        base + the row's sum is `predict` of the row. The model's own shares sum to its margin; they
        are stretched by how much the calibration turns a step of margin into a step of the answer.
        """
        if not len(x):
            return 0.0, np.empty((0, len(self.columns)))
        table = self.schema.read(x, events)
        start, shares = self.model.reasons(table)
        base = float(self._answer(np.array([start]))[0])
        return base, stretch(shares, base, self._answer(self.margin(table)))

    def errors(self, x: pd.DataFrame, events: Events | None = None) -> Floats | None:
        """The standard error of each contribution (n, columns); None where they are exact."""
        table = self.schema.read(x, events)
        found = self.model.errors(table)
        if found is None:
            return None
        start, _shares = self.model.reasons(table)
        reached = self.margin(table)
        moved = self._answer(reached) - self._answer(np.array([start]))
        step = np.abs(reached - start)
        slope = np.divide(np.abs(moved), step, out=np.zeros_like(step), where=step > 1e-6)
        return found * slope[:, None]

    def save(self, folder: Path) -> None:
        artifacts.write_json(
            folder / FILE,
            {
                "name": self.name,
                "task": self.task,
                "schema": self.schema.as_json(),
                "kind": self.model.kind,
                "model": self.model.save(folder, STEM),
                "calibrator": self.calibrator.as_json(),
                "highest": None if np.isinf(self.highest) else self.highest,
            },
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        stored: dict[str, Any] = artifacts.read_json(folder / FILE)
        highest = stored["highest"]
        return cls(
            name=stored["name"],
            task=stored["task"],
            schema=Schema.from_json(stored["schema"]),
            model=families.MODELS[stored["kind"]].load(folder, STEM, stored["model"]),
            calibrator=Calibrator.from_json(stored["calibrator"]),
            highest=np.inf if highest is None else float(highest),
        )

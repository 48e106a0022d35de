"""Who answers a prediction: modules named by path, so that reading this loads no model library.

An engine module has two functions.

    learn(*, prediction, as_of, now, job_id=None, report=...) -> ModelVersion
        Learn from what happened before `as_of`, judge on what was kept back, store a candidate by
        `registry.save` and let `gate.decide` publish or refuse it. Refused children say why nothing
        could be learned.
    answer(*, prediction, version, as_of, only=None) -> Answers
        What the version says of everyone in the population (or of `only` some) at `as_of`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from models_ml.models import ModelVersion, Prediction

Report = Callable[[int, str], None]


@dataclass(frozen=True)
class Answers:
    """A value for each person (n,): a chance, money, or days since 1970-01-01; finite.

    `low` and `high` bound them for everyone or are both None.
    """

    person: NDArray[np.int64]
    value: NDArray[np.float64]
    low: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.person)


class Engine(Protocol):
    """What an engine module offers."""

    def learn(
        self,
        *,
        prediction: Prediction,
        as_of: datetime,
        now: datetime,
        job_id: int | None = None,
        report: Report = ...,
    ) -> ModelVersion: ...

    def answer(
        self,
        *,
        prediction: Prediction,
        version: ModelVersion,
        as_of: datetime,
        only: Sequence[int] | None = None,
    ) -> Answers: ...


ENGINES: dict[str, str] = {
    "contest": "models_ml.predictions.contests",
    "lifetime": "models_ml.predictions.lifetimes",
}


def of(name: str) -> Engine:
    """The engine of this name; KeyError for none."""
    return cast(Engine, import_module(ENGINES[name]))

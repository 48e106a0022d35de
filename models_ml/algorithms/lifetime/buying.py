"""The verbs of a model of buying, and what the three have in common.

All see orders of somebody alive as a Poisson stream whose rate differs between people by a gamma
law; they differ in how people leave. So given that somebody is still a customer, the rate is
gamma(r + repeats, alpha + age) in all of them.

With `by_first` the rate also hangs on what the first purchase was worth, the one thing known of
everybody: alpha exp(-lift z) for z standard deviations of its logarithm (a covariate on the scale,
after Fader & Hardie 2007).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from models_ml.algorithms import artifacts
from models_ml.algorithms.lifetime import likelihood
from models_ml.algorithms.lifetime.summary import Floats, Summary

FILE = "buying.json"
# Different histories that the likelihood is worked out for; more add nothing but time.
MOST_ROWS = 12_000
PERIOD = 3000


@dataclass(frozen=True)
class Buying(ABC):
    """Parameters of one fitted model. Times are in the unit of the summary it was fitted on."""

    r: float
    alpha: float
    # Two of each model's own, see there.
    leave: float
    stay: float
    lift: float = 0.0
    centre: float = 0.0
    spread: float = 1.0

    kind: ClassVar[str]
    kinds: ClassVar[dict[str, type[Buying]]] = {}

    def __init_subclass__(cls) -> None:
        if "kind" in cls.__dict__:
            Buying.kinds[cls.kind] = cls

    # Where to look first, times as if the middle person were 30 units old.
    starts: ClassVar[tuple[tuple[float, float, float, float], ...]]
    # Whether `stay` is a time as alpha is.
    timed: ClassVar[bool] = False

    @classmethod
    def fit(cls, data: Summary, *, by_first: bool = False, near: Self | None = None) -> Self:
        """Of the highest likelihood; Unfit when the data cannot say. `near` is where to begin."""
        build: Callable[..., Self] = cls
        centre, spread = _law_of_first(data) if by_first else (0.0, 1.0)
        rows, weight = _condense(data, centre, spread)
        known = rows.age[rows.age > 0]
        unit = float(np.median(known)) / 30 if known.size else 1.0
        starts = [
            (r, alpha * unit, leave, stay * (unit if cls.timed else 1.0))
            for r, alpha, leave, stay in cls.starts
        ]
        if near is not None:
            starts = [(near.r, near.alpha, near.leave, near.stay)]

        def total(values: Floats) -> float:
            return float(weight @ build(*values[:4]).log_likelihood(rows))

        if near is not None and by_first:
            found = np.array(starts[0])
        else:
            found, _ = likelihood.maximise(total, starts)
        if not by_first:
            return build(*map(float, found))

        def total_by_first(values: Floats) -> float:
            lift = float(np.log(values[4]))
            made = build(*values[:4], lift, centre, spread)
            return float(weight @ made.log_likelihood(rows))

        found, _ = likelihood.maximise(
            total_by_first, [(*found, float(np.exp(near.lift)) if near is not None else 1.0)]
        )
        return build(*map(float, found[:4]), float(np.log(found[4])), centre, spread)

    def alphas(self, data: Summary) -> Floats:
        """The scale of each person's rate (n,)."""
        if self.lift == 0.0:
            return np.full(len(data), self.alpha)
        return self.alpha * np.exp(-self.lift * _place(data.first, self.centre, self.spread))

    @abstractmethod
    def log_likelihood(self, data: Summary) -> Floats:
        """Of each person's history (n,)."""

    @abstractmethod
    def alive(self, data: Summary) -> Floats:
        """The chance that each person is still a customer (n,), in [0, 1]."""

    @abstractmethod
    def _if_alive(self, shape: Floats, scale: Floats, rows: Floats, time: float) -> Floats:
        """Expected purchases within `time`, of those still customers: rates gamma(shape, scale);
        `rows` (n, 2) their repeats and age."""

    @abstractmethod
    def _order_if_alive(self, shape: Floats, scale: Floats, age: Floats, time: float) -> Floats:
        """The chance of a purchase within `time`, of those still customers."""

    def expected(self, data: Summary, time: float) -> Floats:
        """Expected purchases of each person within `time` from now (n,)."""
        return self.alive(data) * self.expected_if_alive(data, time)

    def expected_at(self, data: Summary, times: Sequence[float]) -> Floats:
        """Expected purchases of each person until each of several times (n, times)."""
        alive = self.alive(data)
        found = [alive * self.expected_if_alive(data, time) for time in times]
        return np.column_stack(found) if found else np.empty((len(data), 0))

    def expected_if_alive(self, data: Summary, time: float) -> Floats:
        rows, place = self._distinct(data)
        out = np.empty(len(rows))
        for at in range(0, len(rows), PERIOD):
            part = rows[at : at + PERIOD]
            out[at : at + PERIOD] = self._if_alive(
                self.r + part[:, 0], part[:, 2] + part[:, 1], part[:, :2], time
            )
        return out[place]

    def order_chance(self, data: Summary, time: float) -> Floats:
        """The chance that each person buys within `time` from now (n,)."""
        rows, place = self._distinct(data)
        if not len(rows):
            return np.empty(0)
        found = self._order_if_alive(self.r + rows[:, 0], rows[:, 2] + rows[:, 1], rows[:, 1], time)
        return self.alive(data) * found[place]

    def next_order(self, data: Summary, share: float = 0.5) -> Floats:
        """The time by which `share` of people like each would have ordered, if still customers.

        A quantile of the waiting time: the rate is not known, so its law has a heavy tail and
        the middle says more than the mean.
        """
        shape, scale = self.r + data.repeats, self.alphas(data) + data.age
        return np.asarray(scale * np.expm1(-np.log1p(-share) / shape))

    def _distinct(self, data: Summary) -> tuple[Floats, NDArray[np.intp]]:
        """What the future of those alive hangs on: repeats, age and alpha, which people share."""
        rows = np.column_stack([data.repeats, data.age, self.alphas(data)])
        if not len(rows):
            return rows, np.empty(0, dtype=np.intp)
        found, place = np.unique(rows, axis=0, return_inverse=True)
        return found, place.ravel()

    def save(self, folder: Path) -> None:
        artifacts.write_json(folder / FILE, self.as_json())

    @staticmethod
    def load(folder: Path) -> Buying:
        return Buying.from_json(artifacts.read_json(folder / FILE))

    def as_json(self) -> dict[str, Any]:
        return {"kind": self.kind, **{one.name: getattr(self, one.name) for one in fields(self)}}

    @staticmethod
    def from_json(stored: dict[str, Any]) -> Buying:
        values = {name: float(value) for name, value in stored.items() if name != "kind"}
        return Buying.kinds[stored["kind"]](**values)


def _law_of_first(data: Summary) -> tuple[float, float]:
    known = np.log1p(np.maximum(data.first[np.isfinite(data.first)], 0.0))
    if known.size < 2 or known.std() < 1e-9:
        return 0.0, 1.0
    return float(known.mean()), float(known.std())


def _place(first: Floats, centre: float, spread: float) -> Floats:
    """Standard deviations from the usual first purchase, in steps that people share."""
    z = (np.log1p(np.maximum(np.nan_to_num(first), 0.0)) - centre) / spread
    z = np.where(np.isfinite(first), np.clip(z, -3.0, 3.0), 0.0)
    return np.asarray(np.round(z * 10) / 10)


def _condense(data: Summary, centre: float, spread: float) -> tuple[Summary, Floats]:
    """Each different history once, with how many people have it; at most MOST_ROWS of them.

    Of more, an even part in the order of the histories is taken, so that no seed is needed.
    """
    likelihood.check(data.repeats)
    rows, first, count = np.unique(
        np.column_stack([data.repeats, data.recency, data.age, _place(data.first, centre, spread)]),
        axis=0,
        return_index=True,
        return_counts=True,
    )
    if np.ptp(rows[:, 2]) == 0 and rows[0, 2] <= 0:
        raise likelihood.Unfit("no_spread", {"people": len(data)})
    kept = np.arange(len(rows))
    if len(rows) > MOST_ROWS:
        kept = np.unique(np.linspace(0, len(rows) - 1, MOST_ROWS).astype(np.int64))
    return data.take(first[kept]), count[kept].astype(np.float64)

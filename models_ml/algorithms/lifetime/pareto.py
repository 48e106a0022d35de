"""Pareto/NBD: people leave at a moment of their own, whether they buy or not.

Schmittlein, Morrison & Colombo (1987). The likelihood of having left is an integral over the moment
of leaving, which is computed as such: the usual difference of two hypergeometric functions cancels
to nothing for people who buy often or bought yesterday.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.special import expit, gammaln

from models_ml.algorithms.lifetime.buying import Buying
from models_ml.algorithms.lifetime.summary import Floats, Summary

_NODE, _WEIGHT = np.polynomial.legendre.leggauss(48)
_NODE, _WEIGHT = (_NODE + 1) / 2, _WEIGHT / 2
# e^-45 of the peak is nothing in double precision.
TAIL = 45.0
ROWS = 20_000


@dataclass(frozen=True)
class ParetoNBD(Buying):
    """Rates gamma(r, alpha), leaving rates gamma(s, beta): `leave` is s and `stay` is beta."""

    kind: ClassVar[str] = "pareto"
    starts: ClassVar[Any] = ((0.5, 10.0, 0.6, 10.0),)
    timed: ClassVar[bool] = True

    @property
    def s(self) -> float:
        return self.leave

    @property
    def beta(self) -> float:
        return self.stay

    def log_likelihood(self, data: Summary) -> Floats:
        stayed, left = self._parts(data)
        count = gammaln(self.r + data.repeats) - gammaln(self.r)
        law = self.r * np.log(self.alphas(data)) + self.s * np.log(self.beta)
        return np.asarray(count + law + np.logaddexp(stayed, left))

    def alive(self, data: Summary) -> Floats:
        stayed, left = self._parts(data)
        return np.asarray(expit(stayed - left))

    def _parts(self, data: Summary) -> tuple[Floats, Floats]:
        """Logarithms of the likelihood of being alive, and of having left since the last order."""
        x, alpha = data.repeats, self.alphas(data)
        stayed = -(self.r + x) * np.log(alpha + data.age) - self.s * np.log(self.beta + data.age)
        left = np.empty(len(x))
        for at in range(0, len(x), ROWS):
            part = slice(at, at + ROWS)
            left[part] = _log_integral(
                self.r + x[part],
                alpha[part],
                self.s + 1,
                np.full(len(x[part]), self.beta),
                data.recency[part],
                data.age[part],
            )
        return stayed, np.log(self.s) + left

    def _if_alive(self, shape: Floats, scale: Floats, rows: Floats, time: float) -> Floats:
        since, k = self.beta + rows[:, 1], self.s - 1
        step = np.log1p(time / since)
        stays = step if abs(k) < 1e-9 else -np.expm1(-k * step) / k
        return np.asarray(shape / scale * since * stays)

    def _order_if_alive(self, shape: Floats, scale: Floats, age: Floats, time: float) -> Floats:
        since = self.beta + age
        found = np.empty(len(age))
        for at in range(0, len(age), ROWS):
            part = slice(at, at + ROWS)
            n, a, b = shape[part], scale[part], since[part]
            zero = np.zeros(len(n))
            log = _log_integral(n + 1, a, self.s, b, zero, zero + time)
            found[part] = np.exp(np.log(n) + n * np.log(a) + self.s * np.log(b) + log)
        return np.clip(found, 0.0, 1.0)


def _log_integral(k: Floats, a: Floats, m: float, b: Floats, low: Floats, high: Floats) -> Floats:
    """log of the integral of (a + y)^-k (b + y)^-m for y from `low` to `high` (n,).

    Over the logarithm of the smaller base plus y, where it falls at least exponentially, so that a
    short Gauss rule is exact; what lies below e^-45 of the peak is cut off.
    """
    base = np.minimum(a, b)
    start = base + low
    with np.errstate(divide="ignore"):
        width = np.log((base + high) / start)
        slope = k * start / (a + low) + m * start / (b + low) - 1
        short = np.minimum(width, TAIL / np.maximum(slope, 1e-300))
        width = np.where(slope > 0, short, width)
        w = width[:, None] * _NODE
        y = start[:, None] * np.exp(w) - base[:, None]
        logs = -k[:, None] * np.log(a[:, None] + y) - m * np.log(b[:, None] + y) + w
        peak = logs.max(axis=1)
        inner = np.exp(logs - peak[:, None]) @ _WEIGHT
        return np.asarray(peak + np.log(inner) + np.log(start) + np.log(width))

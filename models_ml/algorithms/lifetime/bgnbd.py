"""BG/NBD and its modified sister: people may leave after each purchase.

Fader, Hardie & Lee (2005), 'Counting your customers the easy way'; MBG/NBD, in which somebody may
also leave right after the first purchase, after Batislam, Denizel & Filiztekin (2007). The chance
of leaving differs between people by a beta law.

Expected purchases are the integral over that law rather than the usual hypergeometric series, which
overflows for frequent buyers: given the rate and the chance p to leave, (1 - exp(-rate p t)) / p.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.special import betaincinv, betaln, expit, gammaln

from models_ml.algorithms.lifetime.buying import Buying
from models_ml.algorithms.lifetime.summary import Floats, Summary

# Nodes of the tanh-sinh rule: exact to 1e-10 though the quantile may be steep at both ends.
_STEP = 0.08
_K = np.arange(-48, 49) * _STEP
_U = expit(np.pi * np.sinh(_K))
_W = np.pi * np.cosh(_K) * _U * (1 - _U) * _STEP


@dataclass(frozen=True)
class BGNBD(Buying):
    """Rates gamma(r, alpha), chances to leave beta(a, b): `leave` is a and `stay` is b."""

    kind: ClassVar[str] = "bgnbd"
    starts: ClassVar[Any] = ((0.5, 5.0, 0.8, 2.5), (0.2, 2.0, 0.3, 5.0))
    # Whether one may leave at the first purchase as well.
    at_first: ClassVar[bool] = False

    @property
    def a(self) -> float:
        return self.leave

    @property
    def b(self) -> float:
        return self.stay

    def log_likelihood(self, data: Summary) -> Floats:
        x, alpha = data.repeats, self.alphas(data)
        count = gammaln(self.r + x) - gammaln(self.r) + self.r * np.log(alpha)
        stay, leave = self._laws(x)
        stayed = stay - (self.r + x) * np.log(alpha + data.age)
        left = leave - (self.r + x) * np.log(alpha + data.recency)
        return np.asarray(count + np.logaddexp(stayed, left))

    def alive(self, data: Summary) -> Floats:
        x, alpha = data.repeats, self.alphas(data)
        stay, leave = self._laws(x)
        waited = np.log(alpha + data.age) - np.log(alpha + data.recency)
        odds = leave - stay + (self.r + x) * waited
        return np.asarray(expit(-odds))

    def _laws(self, x: Floats) -> tuple[Floats, Floats]:
        """Logarithms: of having stayed through all purchases, of having left at the last."""
        whole = betaln(self.a, self.b)
        if self.at_first:
            return (
                betaln(self.a, self.b + x + 1) - whole,
                betaln(self.a + 1, self.b + x) - whole,
            )
        again = np.maximum(x, 1)
        left = np.where(x > 0, betaln(self.a + 1, self.b + again - 1) - whole, -np.inf)
        return betaln(self.a, self.b + x) - whole, left

    def _if_alive(self, shape: Floats, scale: Floats, rows: Floats, time: float) -> Floats:
        levels, place = np.unique(rows[:, 0], return_inverse=True)
        chances = self.b + levels[:, None] + (1 if self.at_first else 0)
        p = np.maximum(betaincinv(self.a, chances, _U[None, :]), 1e-300)[place.ravel()]
        n, of = shape[:, None], scale[:, None]
        bought = -np.expm1(-n * np.log1p(p * time / of)) / p
        # Where p vanishes nobody leaves, and the count is the rate times the time.
        return np.asarray(np.where(p < 1e-12, n * time / of, bought) @ _W)

    def _order_if_alive(self, shape: Floats, scale: Floats, age: Floats, time: float) -> Floats:
        return np.asarray(-np.expm1(-shape * np.log1p(time / scale)))


@dataclass(frozen=True)
class MBGNBD(BGNBD):
    kind: ClassVar[str] = "mbgnbd"
    at_first: ClassVar[bool] = True
